"""The broker's admin port: metrics and health."""

import json
import os
import urllib.error
import urllib.request

TIMEOUT_S = 10.0


def get(broker, path):
    """(status, text) of a path."""
    with open(os.path.join(broker.data_dir, "endpoints.json"), encoding="utf-8") as file:
        address = json.load(file)["admin"]
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=TIMEOUT_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def metric(broker, beginning):
    """The sum of a metric over all lines that begin so."""
    _, text = get(broker, "/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(beginning))
