"""The clients that answer the same requests: kafka-python, aiokafka, franz-go and kafkajs."""

import contextlib
import os

from harness.aio import AioKafka
from harness.broker import plain_environment
from harness.driver import Driver
from harness.kafka_python import KafkaPython

IN_PYTHON = {"kafka-python": KafkaPython, "aiokafka": AioKafka}
NAMES = [*IN_PYTHON, "franz-go", "kafkajs"]
NODE_DRIVER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node", "driver.js")


@contextlib.contextmanager
def opened(name, tools_dir, log_directory):
    """The client of this name, in a process of its own where it is not Python's."""
    if name in IN_PYTHON:
        yield IN_PYTHON[name]()
        return
    os.makedirs(log_directory, exist_ok=True)
    log_path = os.path.join(log_directory, f"{name}-driver.log")
    if name == "franz-go":
        driver = Driver([os.path.join(tools_dir, "franz-go", "driver")], log_path)
    else:
        modules = os.path.join(tools_dir, "node", "node_modules")
        driver = Driver(["node", NODE_DRIVER], log_path, {**plain_environment(), "NODE_PATH": modules})
    with contextlib.closing(driver):
        yield driver


def config(compression="none", idempotent=False):
    """What `produce` of each of these clients wants to be told."""
    return {"compression": compression, "idempotence": "true" if idempotent else "false"}
