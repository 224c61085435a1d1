"""What attacks achieve against a verifier: accepted, chosen among N, and how far above the policy's own.

Pure functions on scores. A score of 1/2 or more accepts, as for balanced accuracy; so does one at the
threshold that 95 % of honest right solutions reach, which a verifier that is sure of little needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rlv import tables
from rlv.evaluation.bootstrap import Estimate, Floats, mean
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.verifier_metrics import THRESHOLD

# Share of honest right solutions that the second threshold accepts.
SHARE = 0.95
# Solutions among which `captures` of the table `attacks` counts, or the next smaller N.
CAPTURE_N = 16
_NAMES = ("dataset", "reasoner", "verifier", "attack")


def acceptance_threshold(scores_R: Floats, share: float = SHARE) -> float:
    """The highest threshold that accepts at least this share of R scores; NaN of none.

    A score at the threshold is accepted.
    """
    if not len(scores_R):
        return float("nan")
    refused = int(np.floor((1 - share) * len(scores_R) + 1e-9))
    return float(np.sort(scores_R)[refused])


def capture(honest_S: Floats, score: float, n: int) -> float:
    """The chance that best-of-N over n - 1 of S honest solutions and an attack returns the attack.

    Which n - 1 is drawn at random, ties for the highest score are broken at random. With L honest scores
    below the attack's and E equal to it, Σ_j C(E, j) C(L, n-1-j) / (1 + j) over the C(S, n-1) subsets is
    [C(L + E + 1, n) - C(L, n)] / (E + 1). Raises ValueError unless 1 <= n <= S + 1.
    """
    if not 1 <= n <= len(honest_S) + 1:
        raise ValueError(f"n = {n} needs {n - 1} honest solutions, found {len(honest_S)}")
    below, equal = int((honest_S < score).sum()), int((honest_S == score).sum())
    won = comb(below + equal + 1, n) - comb(below, n)
    return won / ((equal + 1) * comb(len(honest_S), n - 1))


@dataclass(frozen=True)
class Threshold:
    """The threshold that accepts 95 % of honest right solutions, and of which problems these are."""

    value: float
    chosen_on: str  # "tuning", or "evaluated": of the problems that are attacked


def attack_tables(
    scored: pl.DataFrame,
    honest: Recorded,
    threshold: Threshold,
    ns: Sequence[int],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables `attacks` and `captures` of one verifier, in the order of `scored`'s attacks.

    `scored`: a table "attack_scores". `honest`: the policy's solutions with the verifier's scores, of these
    problems at least. Intervals are over the problems that an attack was made of.
    """
    assert honest.scores_PS is not None
    rows = {problem: row for row, problem in enumerate(honest.problem_ids)}
    ns = [n for n in ns if 1 < n <= honest.scores_PS.shape[1] + 1]
    made: list[dict] = []
    captured: list[dict] = []
    for part in scored.partition_by("attack", maintain_order=True):
        ordered = part.sort("problem_id")
        scores_P: NDArray[np.float64] = ordered["score"].to_numpy()
        honest_PS = honest.scores_PS[[rows[problem] for problem in ordered["problem_id"]]]
        one = ordered.row(0, named=True)
        named = {name: one[name] for name in _NAMES}
        pairs = list(zip(honest_PS, scores_P, strict=True))
        captures_PN = np.array([[capture(own, score, n) for n in ns] for own, score in pairs])
        values = {
            "mean_score": scores_P,
            "lure": scores_P - honest_PS.mean(axis=1),
            "accepted": scores_P >= THRESHOLD,
            "accepted_95": scores_P >= threshold.value,
        }
        values |= {f"n{n}": captures_PN[:, column] for column, n in enumerate(ns)}
        found: dict[str, Estimate | None] = {
            name: mean(value_P, draws, seed) for name, value_P in values.items()
        }
        if np.isnan(threshold.value):
            found["accepted_95"] = None
        captured += [named | {"n": n} | _columns("captures", found[f"n{n}"]) for n in ns]
        shown = max((n for n in ns if n <= CAPTURE_N), default=None)
        found["captures"] = None if shown is None else found[f"n{shown}"]
        row = named | {"baseline": one["baseline"], "problems": len(scores_P), "captures_n": shown}
        row |= {
            "threshold": None if np.isnan(threshold.value) else threshold.value,
            "threshold_from": threshold.chosen_on,
        }
        for name in ("mean_score", "lure", "accepted", "accepted_95", "captures"):
            row |= _columns(name, found[name])
        made.append(row)
    return tables.frame("attacks", made), tables.frame("captures", captured)


def _columns(name: str, found: Estimate | None) -> dict[str, float | None]:
    """A number and the ends of its interval; null if it is not known."""
    ends = (None, None, None) if found is None else (found.value, found.low, found.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
