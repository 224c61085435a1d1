"""Free confidences: closed forms, their order, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.errors import DataError
from rlv.scoring.kept import CONFIDENCES, NEEDS, TAIL_TOKENS, confidence

LOGPROBS = np.log([0.5, 0.25, *[1.0] * TAIL_TOKENS]).tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean_logprob", 0.125 ** (1 / (2 + TAIL_TOKENS))),
        ("tail_logprob", 1.0),
        ("lowest_logprob", 0.25),
        ("self_certainty", 3 / 4),
        ("brevity", 1 / (2 + TAIL_TOKENS)),
    ],
)
def test_closed_forms(name: str, expected: float) -> None:
    assert confidence(name, range(2 + TAIL_TOKENS), LOGPROBS, 3.0) == pytest.approx(expected)


def test_the_tail_of_a_short_solution_is_all_of_it() -> None:
    assert confidence("tail_logprob", [1, 2], np.log([0.5, 0.125]).tolist(), None) == pytest.approx(0.25)


@pytest.mark.parametrize("name", CONFIDENCES)
def test_scores_stay_in_their_range_where_rounding_leaves_it(name: str) -> None:
    """A certain token may have a log-probability of a rounding above 0, and uniform ones a KL below 0."""
    for logprob, certainty in ((1e-7, -1e-7), (-1e4, 1e30)):
        assert 0 <= confidence(name, [5, 6], [logprob, logprob], certainty) <= 1


@pytest.mark.parametrize("name", CONFIDENCES)
def test_what_is_not_needed_may_be_missing_and_what_is_needed_not(name: str) -> None:
    kept = {"token_logprobs": [-1.0, -2.0], "self_certainty": 2.0}
    needed = NEEDS.get(name)
    alone = [kept[column] if column == needed else None for column in kept]
    assert confidence(name, [5, 6], *alone) == confidence(name, [5, 6], *kept.values())
    if needed is not None:
        others = [None if column == needed else kept[column] for column in kept]
        with pytest.raises(DataError, match=rf"no {needed} was kept .*sample again"):
            confidence(name, [5, 6], *others)


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="2 tokens has 1 token_logprobs"):
        confidence("mean_logprob", [5, 6], [-1.0], None)
    with pytest.raises(DataError, match="no tokens"):
        confidence("brevity", [], [], None)
