import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Commit before work: a crash loses records, and nothing is ever worked on twice (at most once).
 *
 * <pre>
 *   java -cp 'JARS/*' CommitBeforeWork.java BOOTSTRAP TOPIC GROUP
 * </pre>
 *
 * The work here is a line on stdout: partition, offset, key and value of a record.
 */
public final class CommitBeforeWork {
    /** What a crash may lose. */
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
                    // From here on the batch belongs to nobody else: if this throws, it must not be worked on.
                    consumer.commitSync();
                    batch.forEach(CommitBeforeWork::work);
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
