package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends a list of records and answers with the offset or the error of each. */
final class Produce {
    private Produce() {}

    static ObjectNode run(JsonNode request) throws Exception {
        var answer = Json.object();
        var results = answer.putArray("results");
        var serializer = new ByteArraySerializer();
        try (var producer = new KafkaProducer<>(Json.properties(request), serializer, serializer)) {
            var sent = new ArrayList<Future<RecordMetadata>>();
            for (JsonNode record : request.get("records")) {
                sent.add(producer.send(record(request, record)));
            }
            producer.flush();
            for (var future : sent) {
                results.add(result(future));
            }
        }
        return answer;
    }

    private static ObjectNode result(Future<RecordMetadata> future) {
        try {
            RecordMetadata metadata = future.get();
            return Json.object().put("offset", metadata.offset()).put("timestamp_ms", metadata.timestamp());
        } catch (Exception failure) {
            return Json.error(failure);
        }
    }

    private static ProducerRecord<byte[], byte[]> record(JsonNode request, JsonNode record) throws IOException {
        var result = new ProducerRecord<byte[], byte[]>(
                request.get("topic").asText(),
                request.get("partition").asInt(),
                record.get("timestamp_ms").asLong(),
                Json.bytes(record.get("key")),
                Json.bytes(record.get("value")));
        for (JsonNode header : record.get("headers")) {
            result.headers().add(header.get(0).asText(), Json.bytes(header.get(1)));
        }
        return result;
    }
}
