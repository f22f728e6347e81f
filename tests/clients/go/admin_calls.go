package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// adminCalls makes calls of kadm's on "topic", whose first partition the broker "broker" leads, and on "group". It
// answers with "outcomes": method to "answered" or Kafka's name of the error.
func adminCalls(ctx context.Context, r *request) (any, error) {
	admin, err := r.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	broker, err := strconv.ParseInt(r.Broker, 10, 32)
	if err != nil {
		return nil, err
	}
	outcomes := map[string]string{}
	for name, call := range callsOf(ctx, admin, r, int32(broker)) {
		outcomes[name] = outcome(call())
	}
	return map[string]any{"outcomes": outcomes}, nil
}

func outcome(err error) string {
	var fromBroker *kerr.Error
	switch {
	case err == nil:
		return "answered"
	case errors.As(err, &fromBroker):
		return fromBroker.Message
	default:
		return err.Error()
	}
}

func callsOf(ctx context.Context, admin *kadm.Client, r *request, broker int32) map[string]func() error {
	partition := kadm.TopicsSet{}
	partition.Add(r.Topic, 0)
	acl := kadm.NewACLs().Topics(r.Topic).Allow("User:u").AllowHosts("*").Operations(kadm.OpRead).
		ResourcePatternType(kadm.ACLPatternLiteral)
	acls := kadm.NewACLs().AnyResource().Allow().Deny().AllowHosts().DenyHosts().Operations(kadm.OpAny).
		ResourcePatternType(kadm.ACLPatternAny)
	user := "u"
	quota := kadm.AlterClientQuotaEntry{
		Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &user}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 1000}},
	}
	scram := kadm.UpsertSCRAM{User: user, Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "secret"}
	return map[string]func() error{
		"DescribeACLs": func() error {
			results, err := admin.DescribeACLs(ctx, acls)
			return first(err, results, func(result kadm.DescribeACLsResult) error { return result.Err })
		},
		"CreateACLs": func() error {
			results, err := admin.CreateACLs(ctx, acl)
			return first(err, results, func(result kadm.CreateACLsResult) error { return result.Err })
		},
		"DeleteACLs": func() error {
			results, err := admin.DeleteACLs(ctx, acls)
			return first(err, results, func(result kadm.DeleteACLsResult) error { return result.Err })
		},
		"DescribeClientQuotas": func() error {
			_, err := admin.DescribeClientQuotas(ctx, false, nil)
			return err
		},
		"AlterClientQuotas": func() error {
			results, err := admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{quota})
			return first(err, results, func(result kadm.AlteredClientQuota) error { return result.Err })
		},
		"DescribeUserSCRAMs": func() error {
			described, err := admin.DescribeUserSCRAMs(ctx)
			return either(err, described.Error())
		},
		"AlterUserSCRAMs": func() error {
			altered, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{scram})
			return either(err, altered.Error())
		},
		"ElectLeaders": func() error {
			results, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, partition)
			return either(err, results[r.Topic][0].Err)
		},
		"AlterPartitionAssignments": func() error {
			var assign kadm.AlterPartitionAssignmentsReq
			assign.Assign(r.Topic, 0, []int32{broker})
			results, err := admin.AlterPartitionAssignments(ctx, assign)
			return either(err, results.Error())
		},
		"ListPartitionReassignments": func() error {
			_, err := admin.ListPartitionReassignments(ctx, nil)
			return err
		},
		"AlterBrokerReplicaLogDirs": func() error {
			var move kadm.AlterReplicaLogDirsReq
			move.Add("/somewhere/else", partition)
			results, err := admin.AlterBrokerReplicaLogDirs(ctx, broker, move)
			return first(err, results.Sorted(), func(result kadm.AlterReplicaLogDirsResponse) error { return result.Err })
		},
		"DescribeAllLogDirs": func() error {
			_, err := admin.DescribeAllLogDirs(ctx, nil)
			return err
		},
		"ListConfigResources": func() error {
			_, err := admin.ListConfigResources(ctx)
			return err
		},
		"DescribeProducers": func() error {
			_, err := admin.DescribeProducers(ctx, partition)
			return err
		},
		"ListTransactions": func() error {
			_, err := admin.ListTransactions(ctx, nil, nil)
			return err
		},
	}
}

// first is the call's own error, or that of its first result.
func first[T any](err error, results []T, of func(T) error) error {
	if err != nil || len(results) == 0 {
		return err
	}
	return of(results[0])
}

func either(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
