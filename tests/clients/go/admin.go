package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

// The broker's own default number of replicas.
const defaultReplicas = -1

func createTopic(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	configs := map[string]*string{}
	for name, value := range r.TopicConfig {
		configs[name] = &value
	}
	created, err := admin.CreateTopic(ctx, r.Partitions, defaultReplicas, configs, r.Topic)
	if err != nil {
		return nil, err
	}
	return map[string]any{"topic_id": created.ID.String(), "partitions": created.NumPartitions}, nil
}

func deleteTopic(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	_, err = admin.DeleteTopic(ctx, r.Topic)
	return map[string]any{}, err
}

func describeTopic(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	topics, err := admin.ListTopics(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	topic := topics[r.Topic]
	leaders := []int32{}
	for _, partition := range topic.Partitions.Sorted() {
		leaders = append(leaders, partition.Leader)
	}
	return map[string]any{"topic_id": topic.ID.String(), "leaders": leaders}, topic.Err
}

func describeCluster(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return nil, err
	}
	nodes := map[string]string{}
	for _, broker := range metadata.Brokers {
		nodes[strconv.Itoa(int(broker.NodeID))] = fmt.Sprintf("%s:%d", broker.Host, broker.Port)
	}
	return map[string]any{"cluster_id": metadata.Cluster, "controller": metadata.Controller, "nodes": nodes}, nil
}

// describeConfigs answers with name to value of a "topic", or of a "broker" given by its id.
func describeConfigs(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	resources, err := r.describedResources(ctx, admin)
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, resource := range resources {
		if resource.Err != nil {
			return nil, resource.Err
		}
		for _, config := range resource.Configs {
			configs[config.Key] = config.MaybeValue()
		}
	}
	return map[string]any{"configs": configs}, nil
}

func (r *request) describedResources(ctx context.Context, admin *kadm.Client) (kadm.ResourceConfigs, error) {
	if r.Topic != "" {
		return admin.DescribeTopicConfigs(ctx, r.Topic)
	}
	id, err := strconv.ParseInt(r.Broker, 10, 32)
	if err != nil {
		return nil, err
	}
	return admin.DescribeBrokerConfigs(ctx, int32(id))
}
