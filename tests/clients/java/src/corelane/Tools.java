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
        Exit.setExitProcedure(Tools::exit);
        int code = 0;
        try {
            main.invoke(null, (Object) arguments.toArray(new String[0]));
        } catch (InvocationTargetException failure) {
            code = exitCode(failure.getCause());
        } finally {
            Exit.resetExitProcedure();
            System.setOut(ownStdout);
            System.setErr(ownStderr);
        }
        return Json.object()
                .put("exit_code", code)
                .put("stdout", stdout.toString(StandardCharsets.UTF_8))
                .put("stderr", stderr.toString(StandardCharsets.UTF_8));
    }

    private static void exit(int code, String message) {
        if (message != null) {
            System.err.println(message);
        }
        throw new ExitException(code);
    }

    private static int exitCode(Throwable failure) {
        if (failure instanceof ExitException exit) {
            return exit.code;
        }
        failure.printStackTrace();
        return 1;
    }

    /** An Error, as tools catch and report each Exception. */
    private static final class ExitException extends Error {
        private static final long serialVersionUID = 1;
        final int code;

        ExitException(int code) {
            this.code = code;
        }
    }
}
