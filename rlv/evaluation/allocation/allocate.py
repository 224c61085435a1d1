"""All tables of an allocation: one reasoner on one data set, every strategy of every verifier.

frontier     every cell, and the curves of choices: by each way to tell difficulty, and by none
allocation   what is chosen at each price in each bin
winners      which strategy is the most accurate in each bin, at each budget
savings      what equal accuracy costs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.allocation import TABLES
from rlv.evaluation.allocation.bins import told_bins
from rlv.evaluation.allocation.cells import menu
from rlv.evaluation.allocation.choice import price_grid
from rlv.evaluation.allocation.curves import Choices, Priced, choice_curves
from rlv.evaluation.allocation.rows import cell_rows, choice_rows, curve_rows
from rlv.evaluation.allocation.savings import over_bins, over_choice, over_majority
from rlv.evaluation.allocation.surface import faster_row, surface, surface_rows
from rlv.evaluation.allocation.winners import winner_rows
from rlv.evaluation.bootstrap import all_and_resamples, resampled_means
from rlv.evaluation.curves import typed
from rlv.evaluation.prices import COLUMNS
from rlv.evaluation.recorded import Recorded, recorded
from rlv.evaluation.tallies import Floats
from rlv.evaluation.votes import VOTES


@dataclass(frozen=True)
class Settings:
    """How cells are chosen. `probe`: solutions that are looked at to tell how hard a problem is."""

    ns: Sequence[int]
    strategies: Sequence[str]
    difficulties: Sequence[str]
    bins: int
    folds: int
    probe: int
    subsets: int
    draws: int
    seed: int


def allocate(
    solutions: pl.DataFrame,
    scores: Mapping[str, pl.DataFrame],
    levels: Mapping[str, int | None],
    settings: Settings,
    *,
    dataset: str,
    reasoner: str,
    verdicts: Mapping[str, pl.DataFrame] | None = None,
) -> dict[str, pl.DataFrame]:
    """The tables by name (TABLES; schemas in rlv/tables). `scores`: by verifier; `levels`: by problem.

    `verdicts`: by those of the verifiers that have several of each solution; with any, also `surface`.

    Difficulty is predicted by the first verifier. Raises DataError as `recorded` does, for solutions at
    several budgets, and for fewer than four of a problem.
    """
    where = f"solutions of {reasoner!r} on {dataset!r}"
    plain = _recorded(solutions, None, where)
    problems, recorded_size = plain.classes_PS.shape
    ns = [n for n in settings.ns if n <= recorded_size // 2]
    if not ns or ns[-1] < 2:
        raise DataError(
            f"{where}: {recorded_size} of a problem and N = {list(settings.ns)}; an allocation needs 4 "
            "solutions and N = 2; sample more, or leave this reasoner out"
        )
    scored = {v: _recorded(solutions, table, f"{where} scored by {v!r}") for v, table in scores.items()}
    offered = menu(plain, scored, settings.strategies, ns, subsets=settings.subsets, seed=settings.seed)
    levels_P = np.array([levels.get(i) for i in plain.problem_ids], dtype=np.float64)
    sorting = next(iter(scored.values()), plain)
    told = told_bins(sorting, levels_P, settings.difficulties, settings.bins, settings.probe)
    counts_DP = all_and_resamples(problems, settings.draws, settings.seed)
    folds_P = np.random.default_rng([settings.seed, problems, 1]).permutation(problems) % settings.folds
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for price in COLUMNS:
        unit = offered.unit(price)
        if unit is None:
            continue
        cost_QK = offered.paid(price)[unit]
        grid_L = price_grid(offered.accuracy_QK, cost_QK)
        priced = Priced(offered, price, unit, grid_L, np.tile(folds_P, 2), np.tile(counts_DP, 2))
        curves = choice_curves(priced, told, settings.seed)
        accuracy_DK, cost_DK = (
            resampled_means(value_QK, priced.weights_DQ) for value_QK in (offered.accuracy_QK, cost_QK)
        )
        label = {"dataset": dataset, "reasoner": reasoner, "price": price, "unit": unit}
        found = {
            "frontier": cell_rows(offered, price, accuracy_DK, cost_DK) + curve_rows(curves, grid_L),
            "allocation": choice_rows(priced, told),
            "winners": winner_rows(priced, told),
            "savings": _savings(priced, accuracy_DK, cost_DK, curves),
        }
        for table, made in found.items():
            rows[table] += [label | row for row in made]
    for verifier, said in (verdicts or {}).items():
        label = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
        surfaces, faster = _judged(scored[verifier], said, settings, ns, offered.unit("whole"))
        rows.setdefault("surface", []).extend(label | row for row in surfaces)
        rows["savings"] += [label | row for row in faster]
    return {table: typed(pl.DataFrame(made, infer_schema_length=None), table) for table, made in rows.items()}


def _recorded(solutions: pl.DataFrame, scores: pl.DataFrame | None, where: str) -> Recorded:
    found = recorded(solutions, scores, where=where)
    if len(found) != 1:
        raise DataError(f"{where}: budgets {[data.budget for data in found]}; an allocation is of one budget")
    return found[0]


def _savings(
    priced: Priced, accuracy_DK: Floats, cost_DK: Floats, curves: Mapping[str, Choices]
) -> list[dict[str, Any]]:
    """What equal accuracy costs: the best of N, one choice, and votes with a verifier, beside others."""
    offered = priced.menu
    choices = {binning: (choice.cost_DL, choice.accuracy_DL) for binning, choice in curves.items()}
    lines = {vote: (cost_DK[:, cells], accuracy_DK[:, cells]) for vote, cells in offered.curves().items()}
    majority = lines.get(("majority", ""))
    rows = []
    for (strategy, verifier), line in lines.items():
        found = over_choice(line, choices, offered.ns) if strategy == "best_of_n" else []
        if verifier and majority is not None:
            found += over_majority(line, majority, offered.ns)
        rows += [{"strategy": strategy, "verifier": verifier, "binning": ""} | row for row in found]
    shared = over_bins(choices, offered.budgets(priced.unit), offered.ns)
    return rows + [{"strategy": "", "verifier": ""} | row for row in shared]


def _judged(
    data: Recorded, verdicts: pl.DataFrame, settings: Settings, ns: Sequence[int], unit: str | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `surface` of one judge, by every vote that reads scores; of `savings` if costs are known."""
    rows, faster = [], []
    for strategy in (name for name in settings.strategies if VOTES[name].reads_scores):
        sampling = {"subsets": settings.subsets, "seed": settings.seed}
        found = surface(data, verdicts, strategy, ns, **sampling)
        rows += surface_rows(found, {"strategy": strategy}, settings.draws, settings.seed)
        if unit in ("flops", "tokens") and min(len(found.ns), len(found.vs)) > 1:
            row = faster_row(found, unit, settings.draws, settings.seed)
            faster.append({"price": "whole", "unit": unit, "strategy": strategy, "binning": ""} | row)
    return rows, faster
