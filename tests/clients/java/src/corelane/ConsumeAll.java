package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** One consumer that is assigned all partitions of a topic. */
final class ConsumeAll {
    private ConsumeAll() {}

    /** The first "count" records that come, from "offset" in each of "partitions": [partition, offset, value]. */
    static ObjectNode run(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        var partitions = IntStream.range(0, request.get("partitions").asInt())
                .mapToObj(partition -> new TopicPartition(topic, partition))
                .toList();
        int count = request.get("count").asInt();
        var answer = Json.object();
        var rows = answer.putArray("rows");
        var deserializer = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(Json.properties(request), deserializer, deserializer)) {
            consumer.assign(partitions);
            partitions.forEach(partition -> consumer.seek(partition, request.get("offset").asLong()));
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (rows.size() < count) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException(rows.size() + " of " + count + " records");
                }
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    rows.addArray().add(record.partition()).add(record.offset()).add(Json.base64(record.value()));
                }
            }
        }
        return answer;
    }
}
