"""docs/admin-calls.md as the tests read it: which client calls what, and what is answered."""

import os
import re

PATH = os.path.join(os.path.dirname(__file__), "..", "..", "..", "docs", "admin-calls.md")
COLUMNS = ["Java", "confluent-kafka", "kadm", "kafka-python", "Requests", "Answer"]


def answers(client):
    """Method of the client to "answered" or the error's name, of all tables."""
    with open(PATH, encoding="utf-8") as page:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in page if line.startswith("|")]
    found = {}
    for row in rows:
        assert len(row) == len(COLUMNS), row
        cells = dict(zip(COLUMNS, row))
        for method in re.findall(r"`(\w+)`", cells[client]):
            assert method not in found, f"{method} stands twice"
            found[method] = answer(cells["Answer"])
    assert found
    return found


def answer(cell):
    """An error comes first and is marked as code; whatever else is said is for people."""
    error = re.match(r"`([A-Z_]+)`", cell)
    assert error or cell.startswith("answered"), cell
    return error.group(1) if error else "answered"
