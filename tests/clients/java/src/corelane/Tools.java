package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import org.apache.kafka.common.utils.Exit;

/** Kafka's command-line tools, run by their main method inside of this process: a JVM for each would take seconds. */
final class Tools {
    private Tools() {}

    /** Runs the class "tool" with "arguments" and answers with its exit code, stdout and stderr. */
    static ObjectNode run(JsonNode request) throws Exception {
        var arguments = new ArrayList<String>();
        request.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        var main = Class.forName(request.get("tool").asText()).getMethod("main", String[].class);

        var stdout = new ByteArrayOutputStream();
        var stderr = new ByteArrayOutputStream();
        PrintStream ownStdout = System.out;
        PrintStream ownStderr = System.err;
        System.setOut(new PrintStream(stdout, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(stderr, true, StandardCharsets.UTF_8));
        var exit = new FirstExit();
        Exit.setExitProcedure(exit);
        try {
            main.invoke(null, (Object) arguments.toArray(new String[0]));
        } catch (InvocationTargetException failure) {
            exit.orFailedWith(failure.getCause());
        } finally {
            Exit.resetExitProcedure();
            System.setOut(ownStdout);
            System.setErr(ownStderr);
        }
        return Json.object()
                .put("exit_code", exit.code())
                .put("stdout", stdout.toString(StandardCharsets.UTF_8))
                .put("stderr", stderr.toString(StandardCharsets.UTF_8));
    }

    /** Ends a tool by throwing. The first code counts: some tools catch what is thrown and exit again. */
    private static final class FirstExit implements Exit.Procedure {
        private Integer code;

        @Override
        public void execute(int code, String message) {
            if (message != null) {
                System.err.println(message);
            }
            if (this.code == null) {
                this.code = code;
            }
            throw new ExitError();
        }

        /** For what left the main method: after an exit it is ours, without one it is the tool's failure. */
        void orFailedWith(Throwable failure) {
            if (code == null) {
                failure.printStackTrace();
                code = 1;
            }
        }

        int code() {
            return code == null ? 0 : code;
        }
    }

    /** An Error without a message or a trace, as tools catch and report each Exception. */
    private static final class ExitError extends Error {
        private static final long serialVersionUID = 1;

        ExitError() {
            super("the tool has ended", null, false, false);
        }
    }
}
