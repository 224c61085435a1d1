"""The menu of an allocation: accuracy and costs of every cell on each half of the recorded solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rlv.evaluation.curves import expected
from rlv.evaluation.prices import COLUMNS, Price, costs_per_solution
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.tallies import Floats
from rlv.evaluation.votes import VOTES

# What cells are paid in, the best that is known: FLOPs, else tokens, else solutions.
SOLUTIONS = "solutions"
_ARRAYS = ("classes_PS", "correct_PS", "tokens_PS", "flops_PS", "scores_PS", "read_PS", "read_flops_PS")
_YOUNG = ("read_new_PS", "read_new_flops_PS", "sample_ids_PS")


@dataclass(frozen=True)
class Cell:
    """A way to answer: a strategy with N solutions; verifier "" if it reads no scores."""

    strategy: str
    verifier: str
    n: int


def columns(price: Price) -> dict[str, str]:
    """Unit -> the column of costs that it is in, by a price."""
    tokens, flops = COLUMNS[price]
    return {SOLUTIONS: SOLUTIONS, "tokens": tokens, "flops": flops}


@dataclass(frozen=True)
class Menu:
    """All cells, on each half of the solutions: rows Q are the first half's problems, then the second's.

    `costs`: by column, SOLUTIONS and those of prices.py; NaN where not known. `generated`: what one solution
    of each row costs in the mean without reading, cost_Q by the same columns.
    """

    cells: tuple[Cell, ...]
    accuracy_QK: Floats
    costs: Mapping[str, Floats]
    generated: Mapping[str, Floats]

    def unit(self, price: Price) -> str | None:
        """What a price is counted in: "flops", "tokens" or "solutions"; None for a price that is not known.

        The cached price is known if it is in what the whole price is counted in.
        """
        known = [unit for unit in ("flops", "tokens") if np.isfinite(self.paid(price)[unit]).all()]
        if price == "whole":
            return known[0] if known else SOLUTIONS
        whole = self.unit("whole")
        return whole if whole in known else None

    def paid(self, price: Price) -> dict[str, Floats]:
        """Costs by a price: "solutions", "tokens" and "flops"."""
        return {unit: self.costs[column] for unit, column in columns(price).items()}

    @property
    def ns(self) -> list[int]:
        """Every N, rising."""
        return sorted({cell.n for cell in self.cells})

    def budgets(self, unit: str) -> Floats:
        """What N solutions cost a problem in the mean without reading, for every N: budgets_N."""
        return self.generated[unit].mean() * np.array(self.ns)

    def curves(self) -> dict[tuple[str, str], list[int]]:
        """(strategy, verifier) -> its cells by rising N."""
        found: dict[tuple[str, str], list[int]] = {}
        for k, cell in enumerate(self.cells):
            found.setdefault((cell.strategy, cell.verifier), []).append(k)
        return {curve: sorted(at, key=lambda k: self.cells[k].n) for curve, at in found.items()}


def samples_of(data: Recorded, columns: slice) -> Recorded:
    """Some of the solutions of each problem, by their places in the order of their ids."""
    arrays = {name: getattr(data, name) for name in (*_ARRAYS, *_YOUNG)}
    return replace(data, **{name: found[:, columns] for name, found in arrays.items() if found is not None})


def halves(data: Recorded) -> tuple[Recorded, Recorded]:
    """The first and the second half of the solutions; of an odd number the last one is left out."""
    size = data.classes_PS.shape[1] // 2
    return samples_of(data, slice(0, size)), samples_of(data, slice(size, 2 * size))


def menu(
    plain: Recorded,
    scored: Mapping[str, Recorded],
    strategies: Sequence[str],
    ns: Sequence[int],
    *,
    subsets: int,
    seed: int,
) -> Menu:
    """Every strategy at every N, with every verifier if it reads scores, on both halves.

    `plain`: the solutions; `scored`: the same with each verifier's scores. N is half of the solutions at
    most.
    """
    asked = [(s, v) for s in strategies for v in (scored if VOTES[s].reads_scores else ("",))]
    cells = tuple(Cell(strategy, verifier, n) for strategy, verifier in asked for n in ns)
    sides = {"": halves(plain), **{verifier: halves(data) for verifier, data in scored.items()}}
    accuracy = [
        [expected(sides[c.verifier][h], c.strategy, c.n, subsets=subsets, seed=seed) for c in cells]
        for h in range(2)
    ]
    costs: dict[str, Floats] = {}
    each = {v: [costs_per_solution(side, read=bool(v)) for side in both] for v, both in sides.items()}
    for column in each[""][0]:
        by_half = [np.stack([c.n * each[c.verifier][h][column] for c in cells], axis=1) for h in range(2)]
        costs[column] = np.concatenate(by_half)
    accuracy_QK = np.concatenate([np.stack(columns, axis=1) for columns in accuracy])
    solutions_QK = np.broadcast_to(np.array([float(c.n) for c in cells]), accuracy_QK.shape)
    generated = {column: np.concatenate([side[column] for side in each[""]]) for column in each[""][0]}
    generated[SOLUTIONS] = np.ones(len(accuracy_QK))
    return Menu(cells, accuracy_QK, {SOLUTIONS: solutions_QK, **costs}, generated)
