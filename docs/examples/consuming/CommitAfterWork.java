import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Commit after work, on one thread: a crash repeats records, and none is ever lost (at least once).
 *
 * <pre>
 *   java -cp 'JARS/*' CommitAfterWork.java BOOTSTRAP TOPIC GROUP
 * </pre>
 *
 * The work here is a line on stdout: partition, offset, key and value of a record.
 */
public final class CommitAfterWork {
    /** What a crash may repeat. */
    private static final int BATCH_RECORDS = 10;

    private static volatile boolean isStopping;

    public static void main(String[] arguments) {
        stopOnSignal(Thread.currentThread());
        var strings = new StringDeserializer();
        try (var consumer = new KafkaConsumer<>(properties(arguments[0], arguments[2]), strings, strings)) {
            consumer.subscribe(List.of(arguments[1]));
            while (!isStopping) {
                var batch = consumer.poll(Duration.ofMillis(500));
                if (!batch.isEmpty()) {
                    batch.forEach(CommitAfterWork::work);
                    consumer.commitSync();
                }
            }
        }
    }

    private static void work(ConsumerRecord<String, String> record) {
        System.out.println(
                record.partition() + " " + record.offset() + " " + record.key() + " " + record.value());
    }

    private static Properties properties(String bootstrap, String group) {
        var properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("auto.offset.reset", "earliest");
        properties.put("max.poll.records", BATCH_RECORDS);
        // When to commit is what this program is about.
        properties.put("enable.auto.commit", "false");
        // So long after a crash others take over.
        properties.put("session.timeout.ms", "6000");
        properties.put("heartbeat.interval.ms", "2000");
        return properties;
    }

    /** On SIGTERM the batch is finished first. */
    private static void stopOnSignal(Thread main) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            isStopping = true;
            try {
                main.join();
            } catch (InterruptedException impatient) {
                Thread.currentThread().interrupt();
            }
        }));
    }
}
