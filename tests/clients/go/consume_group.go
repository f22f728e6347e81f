package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeGroup answers with the first "count" records of "topic" that "group" has yet to read, as rows of partition and
// offset, and commits them.
func consumeGroup(ctx context.Context, r *request) (any, error) {
	client, err := r.client(
		kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer()))
	if err != nil {
		return nil, err
	}
	defer client.Close()

	taken := []*kgo.Record{}
	for len(taken) < r.Count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(got *kgo.Record) {
			if len(taken) < r.Count {
				taken = append(taken, got)
			}
		})
	}
	if err := client.CommitRecords(ctx, taken...); err != nil {
		return nil, err
	}
	rows := [][]int64{}
	for _, record := range taken {
		rows = append(rows, []int64{int64(record.Partition), record.Offset})
	}
	return map[string]any{"rows": rows}, nil
}
