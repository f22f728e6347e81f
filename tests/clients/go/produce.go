package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Above the broker's limit, so that it is the broker that refuses.
const maxBatchBytes = 10_000_000

type delivery struct {
	Offset      int64 `json:"offset"`
	TimestampMs int64 `json:"timestamp_ms"`
}

// produce sends all records and answers with the offset or the error of each.
func produce(ctx context.Context, r *request) (any, error) {
	codec, err := r.compression()
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(maxBatchBytes),
		kgo.BrokerMaxWriteBytes(10 * maxBatchBytes),
		kgo.ProducerLinger(5 * time.Millisecond),
	}
	if r.Config["idempotence"] != "true" {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := r.client(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()

	results := make([]any, len(r.Records))
	for i, result := range client.ProduceSync(ctx, r.outgoing()...) {
		if result.Err != nil {
			results[i] = describe(result.Err)
		} else {
			results[i] = delivery{result.Record.Offset, result.Record.Timestamp.UnixMilli()}
		}
	}
	return map[string]any{"results": results}, nil
}

func (r *request) outgoing() []*kgo.Record {
	records := make([]*kgo.Record, len(r.Records))
	for i, given := range r.Records {
		records[i] = &kgo.Record{
			Topic: r.Topic, Partition: r.Partition, Key: given.Key, Value: given.Value,
			Timestamp: time.UnixMilli(given.TimestampMs),
		}
		for _, h := range given.Headers {
			records[i].Headers = append(records[i].Headers, kgo.RecordHeader{Key: h.name, Value: h.value})
		}
	}
	return records
}
