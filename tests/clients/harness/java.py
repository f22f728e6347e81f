"""The Java client and Kafka's own tools, through the driver in tests/clients/java."""

import os

from harness.driver import Driver, start


class JavaDriver(Driver):
    def __init__(self, tools_dir, log_path):
        super().__init__(command(tools_dir, "requests"), log_path)

    def tool(self, name, *arguments):
        """What the tool of this class name printed to stdout; fails with all of its output if it fails."""
        answer = self.try_tool(name, *arguments)
        assert answer["exit_code"] == 0, f"{name} {arguments} ended with {answer['exit_code']}: {answer}"
        return answer["stdout"]

    def try_tool(self, name, *arguments):
        """{"exit_code", "stdout", "stderr"} of the tool."""
        return self.request("tool", "", tool=name, arguments=[str(argument) for argument in arguments])


class JavaLoad:
    """`Driver load`: a producer in a process of its own; `lines` carries its acknowledgements."""

    def __init__(self, tools_dir, log_path, bootstrap, topic, partitions, name):
        self.process = start(command(tools_dir, "load", bootstrap, topic, str(partitions), name), log_path)

    def lines(self):
        for line in self.process.stdout:
            yield line.decode().strip()

    def stop(self):
        """Asks for the end; `lines` ends once everything outstanding is acknowledged."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def command(tools_dir, *arguments):
    classpath = os.pathsep.join([os.path.join(tools_dir, "driver"), os.path.join(tools_dir, "jars", "*")])
    # Without the optimising compiler a short-lived JVM starts faster and leaves the cores to the broker.
    java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classpath]
    # Each client would log all of its configuration.
    return [*java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "corelane.Driver", *arguments]
