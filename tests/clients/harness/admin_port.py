"""The broker's admin port: metrics and health."""

import urllib.error
import urllib.request

TIMEOUT_S = 10.0


def get(broker, path):
    """(status, text) of a path."""
    try:
        with urllib.request.urlopen(f"http://{broker.admin}{path}", timeout=TIMEOUT_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def metric(broker, beginning):
    """The sum of a metric over all lines that begin so."""
    _, text = get(broker, "/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(beginning))
