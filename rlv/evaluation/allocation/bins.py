"""How the difficulty of a problem is told, and bins of it: DIFFICULTIES.

    oracle     the share of right solutions (pass@1), as Snell et al. 2024 have it; needs the labels
    predicted  the mean score of the first few solutions, which are paid for
    level      the data set's own column

Cells are judged on one half of a problem's recorded solutions; difficulty is told from the other half, so
that no solution is judged by what it has decided itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlv.evaluation.allocation.cells import SOLUTIONS, columns, halves, samples_of
from rlv.evaluation.prices import Price, costs_per_solution
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.tallies import Floats, Ints
from rlv.registry import Registry

# One bin: the same choice for all problems.
NONE = "none"


@dataclass(frozen=True)
class Difficulty:
    """A way to tell how hard problems are.

    `hardness`: from the other half of the solutions (scored, if there is a verifier), how many of them may
    be looked at, and the data set's levels_P (NaN: none) to hardness_P, larger is harder; None: it cannot be
    told here. `probes`: it looks at solutions that have to be sampled and scored for it, and are charged.
    """

    hardness: Callable[[Recorded, int, Floats], Floats | None]
    probes: bool = False
    about: str = ""


def oracle(data: Recorded, probe: int, levels_P: Floats) -> Floats:
    """1 - pass@1 of all solutions of the half."""
    return 1 - (data.correct_PS & (data.classes_PS >= 0)).mean(axis=1)


def predicted(data: Recorded, probe: int, levels_P: Floats) -> Floats | None:
    """1 - the mean score of the first `probe` solutions; None without scores."""
    return None if data.scores_PS is None else 1 - data.scores_PS[:, :probe].mean(axis=1)


def level(data: Recorded, probe: int, levels_P: Floats) -> Floats | None:
    """The level of each problem; None if one of them has none."""
    return None if np.isnan(levels_P).any() else levels_P


DIFFICULTIES = Registry(
    "rlv.difficulties",
    Difficulty,
    {
        "oracle": Difficulty(
            oracle,
            about="Share of wrong solutions among others of the problem, as Snell et al.; needs labels.",
        ),
        "predicted": Difficulty(
            predicted, probes=True, about="Mean score of a few solutions of the problem, which are charged."
        ),
        "level": Difficulty(level, about="The level that the data set states."),
    },
)


def bins_of(hardness_Q: Floats, count: int) -> Ints:
    """Bins of about equal size by rising hardness, from 0; equal problems share a bin: bins_Q.

    If there are no more than `count` different values, each is a bin. A bin may lack problems where many are
    alike; bins are numbered without gaps.
    """
    values = np.unique(hardness_Q)
    if len(values) <= count:
        return np.searchsorted(values, hardness_Q).astype(np.int64)
    edges = np.quantile(hardness_Q, np.arange(1, count) / count)
    found_Q = np.searchsorted(edges, hardness_Q, side="left")
    return np.unique(found_Q, return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True)
class Bins:
    """The bin of each row, from the easiest on, by what it was told, and what telling it cost, by column."""

    bins_Q: Ints
    hardness_Q: Floats
    charges: Mapping[str, Floats]

    def charged(self, price: Price) -> dict[str, Floats]:
        """What telling it cost, by unit; empty if it cost nothing."""
        return {unit: self.charges[column] for unit, column in columns(price).items()} if self.charges else {}


def told_bins(
    data: Recorded, levels_P: Floats, difficulties: Sequence[str], count: int, probe: int
) -> dict[str, Bins]:
    """Bins by each way to tell difficulty that can be told here; NONE, one bin, is the first.

    A way by which all problems are alike is left out.
    Rows are the problems with the first half of the solutions, then with the second.
    """
    first, second = halves(data)
    rows = 2 * len(levels_P)
    found = {NONE: Bins(np.zeros(rows, dtype=np.int64), np.zeros(rows), {})}
    for name in difficulties:
        # Told from the other half than the one that cells are judged on.
        sides = [DIFFICULTIES[name].hardness(other, probe, levels_P) for other in (second, first)]
        known = [side for side in sides if side is not None]
        if len(known) == len(sides):
            hardness_Q = np.concatenate(known)
            bins_Q = bins_of(hardness_Q, count)
            if bins_Q.max() > 0:
                charges = _charges((second, first), probe) if DIFFICULTIES[name].probes else {}
                found[name] = Bins(bins_Q, hardness_Q, charges)
    return found


def _charges(sides: tuple[Recorded, Recorded], probe: int) -> dict[str, Floats]:
    """What `probe` scored solutions of each row cost, by column."""
    parts: dict[str, list[Floats]] = {}
    for side in sides:
        looked = samples_of(side, slice(0, probe))
        size = float(looked.classes_PS.shape[1])
        each = {column: size * cost_P for column, cost_P in costs_per_solution(looked, read=True).items()}
        for column, cost_P in (each | {SOLUTIONS: np.full(len(side.classes_PS), size)}).items():
            parts.setdefault(column, []).append(cost_P)
    return {column: np.concatenate(found) for column, found in parts.items()}
