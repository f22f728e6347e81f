package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeAll answers with the first "count" records that come, from "offset" in each of "partitions", as rows of
// partition, offset and value.
func consumeAll(ctx context.Context, r *request) (any, error) {
	starts := map[int32]kgo.Offset{}
	for partition := range r.Partitions {
		starts[partition] = kgo.NoResetOffset().At(*r.Offset)
	}
	client, err := r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: starts}))
	if err != nil {
		return nil, err
	}
	defer client.Close()

	rows := [][]any{}
	for len(rows) < r.Count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(got *kgo.Record) {
			rows = append(rows, []any{got.Partition, got.Offset, got.Value})
		})
	}
	return map[string]any{"rows": rows}, nil
}
