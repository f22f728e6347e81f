package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads one partition by assignment: from the beginning, an offset, or a time. */
final class Consume {
    private Consume() {}

    /** Records from "offset" (default: the beginning) or "time_ms" up to the end as it was at the start. */
    static ObjectNode records(JsonNode request) throws Exception {
        var answer = Json.object();
        var records = answer.putArray("records");
        TopicPartition partition = partition(request);
        try (var consumer = consumer(request)) {
            consumer.assign(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            seek(consumer, partition, request);
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (consumer.position(partition) < end) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("stuck at " + consumer.position(partition) + " of " + end);
                }
                for (var record : consumer.poll(Duration.ofMillis(500))) {
                    write(records, record);
                }
            }
        }
        return answer;
    }

    /** Beginning, end, and the first offset at or after each of "times_ms". */
    static ObjectNode offsets(JsonNode request) throws Exception {
        TopicPartition partition = partition(request);
        try (var consumer = consumer(request)) {
            var answer = Json.object();
            answer.put("beginning", consumer.beginningOffsets(List.of(partition)).get(partition));
            answer.put("end", consumer.endOffsets(List.of(partition)).get(partition));
            var found = answer.putArray("by_time");
            for (JsonNode time : request.get("times_ms")) {
                OffsetAndTimestamp offset = byTime(consumer, partition, time.asLong());
                if (offset == null) {
                    found.addNull();
                } else {
                    found.addArray().add(offset.offset()).add(offset.timestamp());
                }
            }
            return answer;
        }
    }

    private static void seek(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, JsonNode request) {
        if (request.hasNonNull("time_ms")) {
            consumer.seek(partition, byTime(consumer, partition, request.get("time_ms").asLong()).offset());
        } else if (request.hasNonNull("offset")) {
            consumer.seek(partition, request.get("offset").asLong());
        } else {
            consumer.seekToBeginning(List.of(partition));
        }
    }

    private static OffsetAndTimestamp byTime(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long timeMs) {
        return consumer.offsetsForTimes(Map.of(partition, timeMs)).get(partition);
    }

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode request) {
        var deserializer = new ByteArrayDeserializer();
        return new KafkaConsumer<>(Json.properties(request), deserializer, deserializer);
    }

    private static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    private static void write(ArrayNode records, ConsumerRecord<byte[], byte[]> record) {
        var row = records.addObject();
        row.put("offset", record.offset());
        row.put("timestamp_ms", record.timestamp());
        row.put("key", Json.base64(record.key()));
        row.put("value", Json.base64(record.value()));
        var headers = row.putArray("headers");
        for (var header : record.headers()) {
            headers.addArray().add(header.key()).add(Json.base64(header.value()));
        }
    }
}
