// The franz-go client behind a pipe: one JSON request per line of stdin, one JSON answer per line of stdout.
// Requests and answers are those of the Java driver; logs go to stderr.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const requestTimeout = 40 * time.Second

var operations = map[string]func(context.Context, *request) (any, error){
	"produce":           produce,
	"consume":           consume,
	"consume_all":       consumeAll,
	"consume_group":     consumeGroup,
	"offsets":           offsets,
	"create_topic":      createTopic,
	"delete_topic":      deleteTopic,
	"describe_topic":    describeTopic,
	"describe_cluster":  describeCluster,
	"describe_configs":  describeConfigs,
	"alter_configs":     alterConfigs,
	"create_partitions": createPartitions,
	"delete_records":    deleteRecords,
	"admin_calls":       adminCalls,
}

func main() {
	input := bufio.NewReader(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return // the parent has closed our stdin
		}
		if err := output.Encode(answer(line)); err != nil {
			fmt.Fprintln(os.Stderr, "cannot answer:", err)
			os.Exit(1)
		}
	}
}

// answer is the operation's result or a failure: the tests decide what is wrong.
func answer(line []byte) any {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return describe(err)
	}
	operation, found := operations[r.Operation]
	if !found {
		return describe(fmt.Errorf("unknown operation %q", r.Operation))
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	result, err := operation(ctx, &r)
	if err != nil {
		return describe(err)
	}
	return result
}

type failure struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// describe names Kafka's error if the broker sent one, and else Go's type.
func describe(err error) failure {
	var fromBroker *kerr.Error
	if errors.As(err, &fromBroker) {
		return failure{fromBroker.Message, err.Error()}
	}
	return failure{fmt.Sprintf("%T", err), err.Error()}
}
