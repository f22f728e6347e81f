package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The Java client behind a pipe. Subcommands:
 *
 * <pre>
 *   requests                              one JSON request per line of stdin, one JSON answer per line of stdout
 *   load BOOTSTRAP TOPIC PARTITIONS NAME  produces until a byte arrives on stdin; a line per acknowledged record
 * </pre>
 *
 * Logs go to stderr (slf4j-simple's default), so stdout carries answers only.
 */
public final class Driver {
    private Driver() {}

    public static void main(String[] arguments) throws Exception {
        String command = arguments.length == 0 ? "" : arguments[0];
        if (command.equals("requests")) {
            answerRequests();
        } else if (command.equals("load") && arguments.length == 5) {
            Load.run(arguments[1], arguments[2], Integer.parseInt(arguments[3]), arguments[4]);
        } else {
            System.err.println("usage: Driver requests | Driver load BOOTSTRAP TOPIC PARTITIONS NAME");
            System.exit(2);
        }
    }

    private static void answerRequests() throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(answer(Json.MAPPER.readTree(line)));
            System.out.flush();
        }
    }

    /** The operation's result, or {"error": class name, "message": text}: the tests decide what is a failure. */
    private static ObjectNode answer(JsonNode request) {
        try {
            String operation = request.get("operation").asText();
            return switch (operation) {
                case "produce" -> Produce.run(request);
                case "consume" -> Consume.records(request);
                case "consume_all" -> ConsumeAll.run(request);
                case "consume_group" -> ConsumeGroup.records(request);
                case "offsets" -> Consume.offsets(request);
                case "create_topic" -> Admins.createTopic(request);
                case "delete_topic" -> Admins.deleteTopic(request);
                case "describe_topic" -> Admins.describeTopic(request);
                case "describe_cluster" -> Admins.describeCluster(request);
                case "describe_configs" -> Admins.describeConfigs(request);
                case "admin_calls" -> AdminCalls.run(request);
                case "tool" -> Tools.run(request);
                default -> throw new IllegalArgumentException("unknown operation " + operation);
            };
        } catch (Exception failure) {
            return Json.error(failure);
        }
    }
}
