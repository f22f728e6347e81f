import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Many workers, and for each partition an ordered commit: records of a key are worked on one after the other, those of
 * other keys at the same time. A crash repeats a bounded number of records, and none is ever lost (at least once).
 *
 * <pre>
 *   java -cp 'JARS/*' OrderedWorkers.java BOOTSTRAP TOPIC GROUP
 * </pre>
 *
 * The work here is a line on stdout: partition, offset, key and value of a record.
 *
 * <p>Everything but {@link #work} runs on the thread that polls.
 */
public final class OrderedWorkers implements ConsumerRebalanceListener {
    private static final int WORKERS = 8;
    /** What a crash may repeat: records that workers have, or have done, and that are not committed. */
    private static final int WINDOW_RECORDS = 100;
    private static final int BATCH_RECORDS = 25;

    private static volatile boolean isStopping;

    /** A record that a worker has. */
    private record Pending(long offset, CompletableFuture<Void> done) {}

    private final KafkaConsumer<String, String> consumer;
    /** One thread each, so that what a worker is given is done in that order. */
    private final List<ExecutorService> workers = new ArrayList<>();
    /** By partition, in the order of the offsets. */
    private final Map<TopicPartition, Deque<Pending>> pending = new HashMap<>();

    private OrderedWorkers(String bootstrap, String group) {
        var strings = new StringDeserializer();
        consumer = new KafkaConsumer<>(properties(bootstrap, group), strings, strings);
        for (int number = 0; number < WORKERS; number++) {
            workers.add(Executors.newSingleThreadExecutor(OrderedWorkers::daemon));
        }
    }

    public static void main(String[] arguments) {
        stopOnSignal(Thread.currentThread());
        // Without a finally: after a failure nothing is settled or committed any more.
        new OrderedWorkers(arguments[0], arguments[2]).run(arguments[1]);
    }

    private void run(String topic) {
        consumer.subscribe(List.of(topic), this);
        while (!isStopping) {
            if (uncommitted() + BATCH_RECORDS <= WINDOW_RECORDS) {
                consumer.poll(Duration.ofMillis(100)).forEach(this::handOut);
            } else {
                var oldest = pending.values().stream().map(records -> records.getFirst().done());
                CompletableFuture.anyOf(oldest.toArray(CompletableFuture[]::new)).join();
            }
            commitDone();
        }
        onPartitionsRevoked(List.copyOf(pending.keySet()));
        consumer.close();
    }

    private int uncommitted() {
        return pending.values().stream().mapToInt(Deque::size).sum();
    }

    private void handOut(ConsumerRecord<String, String> record) {
        // A key has one partition and one worker. A record without a key may go to any.
        var worker = workers.get(Math.floorMod(Objects.hashCode(record.key()), WORKERS));
        var done = CompletableFuture.runAsync(() -> work(record), worker);
        var partition = new TopicPartition(record.topic(), record.partition());
        pending.computeIfAbsent(partition, any -> new ArrayDeque<>()).add(new Pending(record.offset(), done));
    }

    /** Commits how far each partition is done without a gap. */
    private void commitDone() {
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        pending.forEach((partition, records) -> {
            while (!records.isEmpty() && records.getFirst().done().isDone()) {
                positions.put(partition, new OffsetAndMetadata(records.removeFirst().offset() + 1));
            }
        });
        pending.values().removeIf(Deque::isEmpty);
        if (!positions.isEmpty()) {
            consumer.commitSync(positions);
        }
    }

    /** Before others get the partitions, what has begun is done and committed: so order holds across members. */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        for (var partition : partitions) {
            pending.getOrDefault(partition, new ArrayDeque<>()).forEach(record -> record.done().join());
        }
        commitDone();
    }

    /** Others have them already. What our workers still do is repeated there, so they stop at once. */
    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        System.err.println("the group has gone on without this member");
        Runtime.getRuntime().halt(1);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    private static void work(ConsumerRecord<String, String> record) {
        try {
            System.out.println(
                    record.partition() + " " + record.offset() + " " + record.key() + " " + record.value());
        } catch (Throwable failure) {
            // What is behind a failure must not be done before it: not a step further, on no thread.
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
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

    private static Thread daemon(Runnable work) {
        var thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }

    /** On SIGTERM what has begun is finished first. */
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
