"""The crash tests are worth what their ledger notices: each planted fault must turn it red."""

import pytest

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
