"""The crash tests are worth what their ledger notices: each planted fault must turn it red."""

import pytest

from harness import soak
from harness.ledger import Ledger, LogView, value_of


def view_of(sequences):
    view = LogView(1)
    view.extend(0, [(offset, value_of("p", 0, sequence)) for offset, sequence in enumerate(sequences)])
    return view


def check(sequences, acknowledged, idempotent):
    view_of(sequences).check(Ledger("p", idempotent), {(0, sequence): at for sequence, at in acknowledged.items()})


def test_a_kept_promise_passes():
    check([0, 1, 2, 3], {0: 0, 1: 1, 2: None}, idempotent=True)
    check([0, 1, 0, 1, 2, 3], {0: 2, 1: 3, 2: 4}, idempotent=False)


@pytest.mark.parametrize(
    "sequences, acknowledged, idempotent",
    [
        ([0, 1], {0: 0, 1: 1, 2: 2}, True),
        ([0, 1], {0: 0, 1: 1, 2: 2}, False),
        ([0, 1, 3], {0: 0, 1: 1, 3: 2}, True),
        ([0, 1, 1, 2], {}, True),
        ([0, 2, 1], {}, True),
        ([0, 2, 1], {}, False),
        ([0, 1, 2], {0: 1}, True),
    ],
    ids=["lost", "lost-plain", "gap", "doubled", "reordered", "reordered-plain", "elsewhere"],
)
def test_a_broken_promise_fails(sequences, acknowledged, idempotent):
    with pytest.raises(AssertionError):
        check(sequences, acknowledged, idempotent)


def test_a_gap_in_offsets_fails():
    with pytest.raises(AssertionError):
        view_of([0, 1]).extend(0, [(3, value_of("p", 0, 2))])


def numbered(numbers, is_compacted):
    return [(n, soak.key_of(n) if is_compacted else None, soak.value_of(n, is_compacted)) for n in numbers]


def test_numbered_records_that_are_there_pass():
    soak.check_numbered("here", numbered(range(5, 300), False), 5, 300, False)
    soak.check_numbered("here", numbered(range(300), True), 0, 300, True)
    # Of a compacted log the last record of each key is enough.
    soak.check_numbered("here", numbered(range(203, 300), True), 0, 300, True)


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.append(rows[-1]),
        lambda rows: rows.insert(0, rows.pop()),
        lambda rows: rows.__setitem__(4, (4, *rows[5][1:])),
    ],
    ids=["lost", "doubled", "reordered", "another"],
)
def test_numbered_records_that_are_not_fail(spoil, is_compacted):
    rows = numbered(range(300), is_compacted)
    spoil(rows)
    with pytest.raises(AssertionError):
        soak.check_numbered("here", rows, 0, 300, is_compacted)
