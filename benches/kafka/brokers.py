"""The brokers that are compared, each started on an empty directory and on core 0 only."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass

BROKER_CPU = "0"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 120
# Kafka's own (bin/kafka-server-start.sh, bin/kafka-run-class.sh).
JVM_FLAGS = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true"]
CORELANE_MEMORY = "1GiB"
# Kafka's config/server.properties, but for ports, directories and the replication of internal topics on one node.
KAFKA_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs={data}
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""


class Corelane:
    name = "corelane"
    title = "Corelane"
    needs_warm_jvm = False

    def __init__(self, binaries, jars):
        self.program = os.path.join(binaries, "corelane")

    def command(self, directory, port):
        self.admin = f"127.0.0.1:{free_port()}"
        return [self.program, "serve", "--listen", f"127.0.0.1:{port}", "--shard-ports", str(free_port()),
                "--admin", self.admin, "--shards", "1", "--memory", CORELANE_MEMORY, "--data-dir", os.path.join(directory, "data")]


class Kafka:
    name = "kafka"
    title = "Kafka as shipped"
    needs_warm_jvm = True
    more_properties = ""
    admin = None

    def __init__(self, binaries, jars):
        self.classpath = os.path.join(jars, "*")

    def command(self, directory, port):
        properties = os.path.join(directory, "server.properties")
        ports = {"port": port, "controller_port": free_port()}
        with open(properties, "w", encoding="ascii") as file:
            file.write(KAFKA_PROPERTIES.format(data=os.path.join(directory, "data"), **ports) + self.more_properties)
        java = ["java", *JVM_FLAGS, "-cp", self.classpath]
        format_storage = [*java, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id(),
                          "-c", properties]
        subprocess.run(format_storage, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return [*java, "kafka.Kafka", properties]


class SyncingKafka(Kafka):
    name = "kafka-sync"
    title = "Kafka, flush.messages=1"
    # The broker's default for the topic's flush.messages.
    more_properties = "log.flush.interval.messages=1\n"


SUBJECTS = (Kafka, SyncingKafka, Corelane)


@dataclass(frozen=True)
class Running:
    address: str
    # HOST:PORT of its metrics, if it has any.
    admin: str | None
    pid: int


@contextlib.contextmanager
def running(subject, directory):
    """Starts the broker on an empty directory, tells where it is, and stops it; its data does not stay on the disk."""
    # The log stays, in case that the measurement fails.
    log_path = os.path.join(directory, f"{subject.name}.log")
    directory = os.path.join(directory, "broker")
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    port = free_port()
    with open(log_path, "wb") as log:
        command = ["taskset", "-c", BROKER_CPU, *subject.command(directory, port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    try:
        await_port(process, port, log_path)
        yield Running(f"127.0.0.1:{port}", subject.admin, process.pid)
        if process.poll() is not None:
            raise SystemExit(f"{subject.title} ended with {process.returncode}\n{tail(log_path)}")
    finally:
        stop(process)
        shutil.rmtree(directory, ignore_errors=True)
        # What one broker left to the kernel to write must not cost the next one anything.
        os.sync()


def await_port(process, port, log_path):
    """Waits until somebody accepts; loadgen waits for the rest."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"the broker does not serve\n{tail(log_path)}")


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(path, last_bytes=4000):
    with open(path, "rb") as file:
        return file.read()[-last_bytes:].decode(errors="replace")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cluster_id():
    """22 characters of base64, as Kafka's own."""
    import base64
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
