package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type request struct {
	Operation   string            `json:"operation"`
	Config      map[string]string `json:"config"`
	Topic       string            `json:"topic"`
	Group       string            `json:"group"`
	Broker      string            `json:"broker"`
	Partition   int32             `json:"partition"`
	Partitions  int32             `json:"partitions"`
	Count       int               `json:"count"`
	TopicConfig map[string]string `json:"topic_config"`
	Records     []record          `json:"records"`
	Offset      *int64            `json:"offset"`
	TimeMs      *int64            `json:"time_ms"`
	TimesMs     []int64           `json:"times_ms"`
}

// record is a record on the pipe: bytes are base64, null stays null.
type record struct {
	Offset      int64    `json:"offset"`
	TimestampMs int64    `json:"timestamp_ms"`
	Key         []byte   `json:"key"`
	Value       []byte   `json:"value"`
	Headers     []header `json:"headers"`
}

// header is a pair of a name and bytes.
type header struct {
	name  string
	value []byte
}

func (h header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.name, h.value})
}

func (h *header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.name, &h.value})
}

var compressions = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (r *request) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(r.Config["bootstrap.servers"], ",")...))...)
}

func (r *request) admin() (*kadm.Client, error) {
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

func (r *request) compression() (kgo.CompressionCodec, error) {
	codec, found := compressions[r.Config["compression"]]
	if !found {
		return codec, fmt.Errorf("unknown compression %q", r.Config["compression"])
	}
	return codec, nil
}
