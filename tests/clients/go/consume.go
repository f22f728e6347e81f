package main

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consume reads one partition from "offset", "time_ms" or the beginning up to the end as it was at the start.
func consume(ctx context.Context, r *request) (any, error) {
	found := []record{}
	end, err := r.listed(ctx, (*kadm.Client).ListEndOffsets)
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: r.start()}})}
	if limit, err := strconv.ParseInt(r.Config["max.bytes"], 10, 32); err == nil {
		options = append(options, kgo.FetchMaxBytes(int32(limit)), kgo.FetchMaxPartitionBytes(int32(limit)))
	}
	client, err := r.client(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()

	next := int64(0)
	if r.Offset != nil {
		next = *r.Offset
	}
	for next < end.Offset {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(got *kgo.Record) {
			found = append(found, incoming(got))
			next = got.Offset + 1
		})
	}
	return map[string]any{"records": found}, nil
}

func (r *request) start() kgo.Offset {
	switch {
	case r.TimeMs != nil:
		return kgo.NewOffset().AfterMilli(*r.TimeMs)
	case r.Offset != nil:
		// Without this an offset that does not exist would silently become the end.
		return kgo.NoResetOffset().At(*r.Offset)
	default:
		return kgo.NewOffset().AtStart()
	}
}

func incoming(got *kgo.Record) record {
	result := record{Offset: got.Offset, TimestampMs: got.Timestamp.UnixMilli(), Key: got.Key, Value: got.Value}
	result.Headers = []header{}
	for _, h := range got.Headers {
		result.Headers = append(result.Headers, header{h.Key, h.Value})
	}
	return result
}

// offsets answers with beginning, end, and [offset, timestamp] at or after each of "times_ms": null if there is none.
func offsets(ctx context.Context, r *request) (any, error) {
	beginning, err := r.listed(ctx, (*kadm.Client).ListStartOffsets)
	if err != nil {
		return nil, err
	}
	end, err := r.listed(ctx, (*kadm.Client).ListEndOffsets)
	if err != nil {
		return nil, err
	}
	byTime := make([]any, len(r.TimesMs))
	for i, time := range r.TimesMs {
		found, err := r.listed(ctx, func(admin *kadm.Client, ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, time, topics...)
		})
		if err != nil {
			return nil, err
		}
		// kadm answers with the end and no timestamp where the broker finds nothing.
		if found.Timestamp >= 0 {
			byTime[i] = []int64{found.Offset, found.Timestamp}
		}
	}
	return map[string]any{"beginning": beginning.Offset, "end": end.Offset, "by_time": byTime}, nil
}

type lister func(*kadm.Client, context.Context, ...string) (kadm.ListedOffsets, error)

// listed asks for one kind of offset of the request's partition.
func (r *request) listed(ctx context.Context, list lister) (kadm.ListedOffset, error) {
	admin, err := r.admin()
	if err != nil {
		return kadm.ListedOffset{}, err
	}
	defer admin.Close()
	all, err := list(admin, ctx, r.Topic)
	if err != nil {
		return kadm.ListedOffset{}, err
	}
	offset, _ := all.Lookup(r.Topic, r.Partition)
	return offset, offset.Err
}
