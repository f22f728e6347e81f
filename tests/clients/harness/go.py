"""franz-go, through the driver in tests/clients/go."""

import os

from harness.driver import Driver


class GoDriver(Driver):
    def __init__(self, tools_dir, log_path):
        super().__init__([os.path.join(tools_dir, "franz-go", "driver")], log_path)
