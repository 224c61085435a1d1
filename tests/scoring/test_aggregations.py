"""Aggregations: closed forms and a brute-force reference, their ends, and that padding never matters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlv.errors import StudyError
from rlv.scoring.aggregations import AGGREGATIONS

MEMBERS = [*AGGREGATIONS.own, "softmin:0.1", "tail:2", "group:2", "bottom:2"]


def windows(values: list[float], size: int) -> list[float]:
    size = min(size, len(values))
    return sorted(sum(values[i : i + size]) / size for i in range(len(values) - size + 1))


def reference(name: str, v: list[float]) -> float:
    """The definitions, one value after the other."""
    if not v:
        return 0.0
    family, _, number = name.partition(":")
    if family == "softmin":
        weights = [math.exp(-x / float(number)) for x in v]
        return sum(w * x for w, x in zip(weights, v, strict=True)) / sum(weights)
    if family in ("group", "bottom"):
        means = windows(v, int(number))
        kept = means[: max(1, len(means) // 10)] if family == "bottom" else means[:1]
        return sum(kept) / len(kept)
    rewards = sum(2 * x - 1 for x in v)
    logit = sum(math.log(x / (1 - x)) for x in v) / len(v)
    return {
        "last": lambda: v[-1],
        "min": lambda: min(v),
        "prod": lambda: math.prod(v),
        "mean": lambda: sum(v) / len(v),
        "geometric": lambda: math.prod(v) ** (1 / len(v)),
        "mean_logit": lambda: 1 / (1 + math.exp(-logit)),
        "sum": lambda: (1 + rewards / (1 + abs(rewards))) / 2,
        "tail": lambda: sum(v[-int(number) :]) / len(v[-int(number) :]),
    }[family]()


def padded(rows: list[list[float]], width: int, filled: float) -> tuple[np.ndarray, np.ndarray]:
    values, exists = np.full((len(rows), width), filled), np.zeros((len(rows), width), dtype=bool)
    for b, row in enumerate(rows):
        values[b, : len(row)], exists[b, : len(row)] = row, True
    values.setflags(write=False)
    return values, exists


def random_rows(sizes: list[int]) -> list[list[float]]:
    rng = np.random.default_rng(1)
    return [rng.uniform(0.01, 0.99, size).tolist() for size in sizes]


@pytest.mark.parametrize("name", MEMBERS)
def test_agrees_with_the_definition_whatever_the_padding(name: str) -> None:
    rows = random_rows([0, 1, 2, 3, 7, 25])
    expected = [reference(name, row) for row in rows]
    for width, filled in ((25, 0.0), (31, 1.0), (40, math.nan)):
        found = AGGREGATIONS[name].compute(*padded(rows, width, filled))
        np.testing.assert_allclose(found, expected, atol=1e-12)
    alone = [AGGREGATIONS[name].compute(*padded([row], len(row), 0.0))[0] for row in rows]
    np.testing.assert_allclose(alone, expected, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "sum"])
def test_of_one_place_is_its_value(name: str) -> None:
    values = np.array([[0.25], [0.9], [0.5]])
    np.testing.assert_allclose(AGGREGATIONS[name].compute(values, values > 0), values[:, 0])


def test_every_aggregation_says_something_else() -> None:
    """A known reward-model script aggregates by the last value, whatever it is asked for."""
    row = [0.9, 0.15, 0.8, 0.95, 0.3, 0.35, 0.9, 0.99, 0.5, 0.6, 0.7, 0.1, 0.45, *[0.2, 0.7] * 5, 0.65]
    found = {name: AGGREGATIONS[name].compute(*padded([row], 30, 0.0))[0] for name in MEMBERS}
    found["bottom:2"] = AGGREGATIONS["bottom:3"].compute(*padded([row], 30, 0.0))[0]
    values = sorted(found.values())
    assert np.diff(values).min() > 1e-3, found


def test_the_ends_of_softmin_are_min_and_mean() -> None:
    rows = padded(random_rows([4, 9, 1]), 9, 0.0)
    for name, end in (("softmin:1e-6", "min"), ("softmin:1e9", "mean")):
        np.testing.assert_allclose(
            AGGREGATIONS[name].compute(*rows), AGGREGATIONS[end].compute(*rows), atol=1e-6
        )


def test_the_sum_is_in_the_order_of_the_sums_however_long() -> None:
    rows = [[0.9] * k for k in (1, 5, 50, 5000)] + [[0.2] * k for k in (1, 5, 50, 5000)]
    sums = [sum(2 * x - 1 for x in row) for row in rows]
    found = AGGREGATIONS["sum"].compute(*padded(rows, 5000, 0.0))
    assert np.array_equal(np.argsort(found), np.argsort(sums)) and len(set(found)) == len(rows)


@pytest.mark.parametrize("name", MEMBERS)
def test_scores_stay_in_their_range_at_certain_values(name: str) -> None:
    for value in (0.0, 1.0):
        found = AGGREGATIONS[name].compute(*padded([[value] * k for k in (1, 3, 30)], 30, 0.5))
        assert ((found >= 0) & (found <= 1)).all()
        if name != "sum":
            np.testing.assert_allclose(found, value, atol=1e-5)


@pytest.mark.parametrize("name", ["softmin:0", "softmin", "tail:0", "group:2.5", "bottom:-1"])
def test_a_number_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match=r"aggregation .*: expected"):
        AGGREGATIONS[name]
