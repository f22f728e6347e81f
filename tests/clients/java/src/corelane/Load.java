package corelane;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An idempotent producer with the client's defaults that sends NAME:PARTITION:SEQUENCE, round robin over the
 * partitions, until a byte arrives on stdin, and then waits for everything that is outstanding. Each acknowledgement is a line
 * "partition sequence offset", each failure a line "error ...".
 */
final class Load {
    private static final long PAUSE_MS = 1;

    private Load() {}

    static void run(String bootstrap, String topic, int partitions, String name) throws Exception {
        var serializer = new ByteArraySerializer();
        try (var producer = new KafkaProducer<>(properties(bootstrap), serializer, serializer)) {
            for (long sequence = 0; !isStopRequested(); sequence++) {
                for (int partition = 0; partition < partitions; partition++) {
                    send(producer, topic, partition, name, sequence);
                }
                Thread.sleep(PAUSE_MS);
            }
            producer.flush();
        }
        System.out.println("done");
    }

    private static void send(
            KafkaProducer<byte[], byte[]> producer, String topic, int partition, String name, long sequence) {
        byte[] value = (name + ":" + partition + ":" + sequence).getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, failure) -> {
            if (failure == null) {
                System.out.println(partition + " " + sequence + " " + metadata.offset());
            } else {
                System.out.println("error " + partition + " " + sequence + " " + failure);
            }
        });
    }

    /** The parent writes a byte to say stop. */
    private static boolean isStopRequested() throws IOException {
        return System.in.available() > 0;
    }

    private static Properties properties(String bootstrap) {
        var properties = new Properties();
        properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        // Nothing may be given up while the broker is away, and the client should come back fast.
        properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, "600000");
        properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, "5000");
        properties.put(ProducerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, "200");
        properties.put(ProducerConfig.RETRY_BACKOFF_MAX_MS_CONFIG, "200");
        return properties;
    }
}
