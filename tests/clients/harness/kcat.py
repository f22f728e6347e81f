"""kcat as a function: produce lines, consume JSON envelopes, list metadata."""

import json
import subprocess

TIMEOUT_S = 60


def run(bootstrap, *arguments, stdin=b""):
    """kcat's stdout; fails with its stderr if it fails."""
    command = ["kcat", "-b", bootstrap, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def produce(bootstrap, topic, lines, *arguments, partition=0):
    """Sends each of `lines` as a record."""
    run(bootstrap, "-P", "-t", topic, "-p", str(partition), *arguments, stdin=b"".join(l + b"\n" for l in lines))


def consume(bootstrap, topic, *arguments, partition=0, offset="beginning"):
    """Envelopes (offset, key, payload, headers, ts, partition) up to the end of the partition."""
    output = run(bootstrap, "-C", "-q", "-J", "-e", "-t", topic, "-p", str(partition), "-o", offset, *arguments)
    return [json.loads(line) for line in output.splitlines()]


def metadata(bootstrap, *arguments):
    """What -L says: brokers with id and name, topics with partitions."""
    return json.loads(run(bootstrap, "-L", "-J", *arguments))
