"""Prunes against loops from their definition."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError, StudyError
from rlv.evaluation.recorded import recorded
from rlv.evaluation.stopping.pruned import pruned, windows_of
from rlv.evaluation.stopping.prunes import FAMILIES, PRUNES
from rlv.evaluation.stopping.replay import orders, replay
from rlv.evaluation.votes import weighted_voting
from tests.evaluation.tables_for_tests import make_tables

WIDTH = 3


def made(problems=4, size=12, seed=0):
    """Recorded solutions of 1 to 9 tokens, and their samples table."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(-1, 3, (problems, size))
    lengths = rng.integers(1, 10, (problems, size))
    solutions, _ = make_tables(classes, classes == 0)
    count = pl.Series(lengths.ravel(), dtype=pl.Int32)
    solutions = solutions.with_columns(n_tokens=count, flops=count * 2.0)
    logprobs = [-rng.exponential(0.5, length) for length in lengths.ravel()]
    samples = solutions.select("problem_id", "sample_id").with_columns(
        token_logprobs=pl.Series(logprobs, dtype=pl.List(pl.Float64))
    )
    return recorded(solutions, None, where="test")[0], samples, logprobs


def plain(data, logprobs, order, p, first, least_of):
    """One problem and order: credit, tokens and FLOPs."""
    size = data.classes_PS.shape[1]
    lines = [logprobs[p * size + s] for s in order]
    means = [[line[k : k + WIDTH].mean() for k in range(len(line) - WIDTH + 1)] for line in lines]
    lowest = [min(m) if m else line.mean() for m, line in zip(means, lines, strict=True)]
    least = least_of(lowest[:first])
    tokens, voters = [], []
    for place, (line, windows) in enumerate(zip(lines, means, strict=True)):
        cut = next((k for k, value in enumerate(windows) if value < least), None)
        if place < first:
            tokens.append(len(line))
            voters.append(lowest[place] >= least)
        else:
            tokens.append(len(line) if cut is None else cut + WIDTH)
            voters.append(cut is None)
    classes = np.where(voters, data.classes_PS[p, order], -1)[None]
    credit = weighted_voting(classes, data.correct_PS[p, order][None], np.exp(lowest)[None])[0]
    return [credit, sum(tokens), 2.0 * sum(tokens)]


@pytest.mark.parametrize(
    ("name", "least_of"),
    [
        ("group_below:10", lambda lowest: np.percentile(lowest, 90)),
        ("group_below:90", lambda lowest: np.percentile(lowest, 10)),
        ("value_below:-0.6", lambda lowest: -0.6),
    ],
)
def test_agrees_with_a_plain_loop(name, least_of):
    data, samples, logprobs = made()
    orders_RN = orders(12, 6, 8, 0)
    along = windows_of(samples, data, WIDTH, "test")
    found_VP = pruned(data, along, PRUNES[name], orders_RN, 3)
    for p in range(4):
        wanted = [plain(data, logprobs, order, p, 3, least_of) for order in orders_RN]
        np.testing.assert_allclose(found_VP[[0, 2, 3], p], np.mean(wanted, axis=0))
    assert (found_VP[1] == 6).all() and (found_VP[-1] == 2).all()
    np.testing.assert_allclose(found_VP[4:6], found_VP[2:4])


def test_what_never_falls_below_is_weighted_voting_by_the_lowest_window():
    data, samples, _ = made()
    along = windows_of(samples, data, WIDTH, "test")
    found = pruned(data, along, PRUNES["value_below:-99"], orders(12, 6, 8, 0), 2)
    scored = type(data)(**{**vars(data), "scores_PS": np.exp(along.lowest_PS), "read_PS": 0 * data.tokens_PS})
    fixed = replay(scored, [("fixed:6", "weighted_voting")], 6, count=8)[:, :, 0]
    np.testing.assert_allclose(found[:2], fixed[:2])


@pytest.mark.parametrize("name", ["group_below:30", "value_below:-0.4"])
def test_no_prune_looks_ahead(name):
    rng = np.random.default_rng(0)
    values = rng.normal(-0.5, 0.3, (5, 6, 7))
    reached, votes = PRUNES[name].cut(values, values.min(axis=2), 3)
    later = values.copy()
    later[:, 4:] = rng.normal(-0.5, 0.3, (5, 2, 7))  # other solutions after the fourth
    after = np.arange(7) >= reached[:, :, None]
    later[:, 3:4] = np.where(after, -9.0, later)[:, 3:4]  # and what comes after a cut
    again, kept = PRUNES[name].cut(later, later.min(axis=2), 3)
    assert (again[:, :4] == reached[:, :4]).all() and (kept[:, :4] == votes[:, :4]).all()
    assert (reached[:, :3] == 8).all()


def test_solutions_without_logprobs_are_refused():
    data, samples, _ = made()
    lacking = samples.with_columns(token_logprobs=pl.lit(None, pl.List(pl.Float64)))
    with pytest.raises(DataError, match=r"'p0', sample 0 has no token_logprobs; 48 such rows.* sample"):
        windows_of(lacking, data, WIDTH, "samples/here")
    with pytest.raises(DataError, match="not the solutions that were graded"):
        windows_of(samples.head(5), data, WIDTH, "samples/here")
    for name in ("group_below:0", "group_below:101", "value_below:x"):
        with pytest.raises(StudyError, match=f"prune '{name}'"):
            PRUNES[name]
    assert all(family.about for family in FAMILIES.values())
