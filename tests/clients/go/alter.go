package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// alterConfigs sets the configs of "topic_config", and leaves the others as they are.
func alterConfigs(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	changes := []kadm.AlterConfig{}
	for name, value := range r.TopicConfig {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	altered, err := admin.AlterTopicConfigs(ctx, changes, r.Topic)
	if err != nil {
		return nil, err
	}
	topic, err := altered.On(r.Topic, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, topic.Err
}

// createPartitions raises the number of a topic's partitions to "partitions".
func createPartitions(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	created, err := admin.UpdatePartitions(ctx, int(r.Partitions), r.Topic)
	if err != nil {
		return nil, err
	}
	topic, err := created.On(r.Topic, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, topic.Err
}

// deleteRecords removes what is before "offset" in one partition.
func deleteRecords(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	before := kadm.Offsets{}
	before.AddOffset(r.Topic, r.Partition, *r.Offset, -1)
	deleted, err := admin.DeleteRecords(ctx, before)
	if err != nil {
		return nil, err
	}
	partition, err := deleted.On(r.Topic, r.Partition, nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, partition.Err
}
