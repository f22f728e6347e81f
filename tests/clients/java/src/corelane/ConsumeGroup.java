package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads as a member of a group. */
final class ConsumeGroup {
    private ConsumeGroup() {}

    /** The first "count" records of "topic" that "group" has yet to read, as rows of partition and offset; committed. */
    static ObjectNode records(JsonNode request) throws Exception {
        var answer = Json.object();
        var rows = answer.putArray("rows");
        var properties = Json.properties(request);
        properties.put("group.id", request.get("group").asText());
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        // The one assignor that all clients have, for groups of several kinds of them.
        properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        var deserializer = new ByteArrayDeserializer();
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        try (var consumer = new KafkaConsumer<>(properties, deserializer, deserializer)) {
            consumer.subscribe(List.of(request.get("topic").asText()));
            long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
            while (rows.size() < request.get("count").asInt()) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("stuck after " + rows.size() + " records");
                }
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    if (rows.size() == request.get("count").asInt()) {
                        break;
                    }
                    rows.addArray().add(record.partition()).add(record.offset());
                    var partition = new TopicPartition(record.topic(), record.partition());
                    positions.put(partition, new OffsetAndMetadata(record.offset() + 1, "so far"));
                }
            }
            consumer.commitSync(positions);
        }
        return answer;
    }
}
