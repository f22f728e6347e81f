"""kafkajs, through the driver in tests/clients/node."""

import os

from harness.broker import plain_environment
from harness.driver import Driver

DRIVER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node", "driver.js")


class NodeDriver(Driver):
    def __init__(self, tools_dir, log_path):
        modules = os.path.join(tools_dir, "node", "node_modules")
        environment = {**plain_environment(), "NODE_PATH": modules}
        super().__init__(["node", DRIVER], log_path, environment)
