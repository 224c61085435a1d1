"""Solve or verify: accuracy and cost of N solutions with V verdicts of each (Singhi et al. 2025, 2504.01005).

A solution's score is the mean of V verdicts of a judge that reasons; those without an answer are skipped, and
a solution without any scores 0.5. Of K recorded verdicts every block of V counts, so V are the divisors of K
and every V sees every verdict (the authors take the first V). Costs are what was generated and read: N
solutions, each read once and judged in V chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import all_and_resamples, interval, resampled_means, resamples
from rlv.evaluation.curves import expected
from rlv.evaluation.recorded import KEY, Recorded
from rlv.evaluation.tallies import Floats

# The score of a solution without any verdict, as the chain score has it (rlv/scoring/chains.py).
UNDECIDED = 0.5
# Budgets at which the best cell is looked for, from the cheapest cell to the dearest.
BUDGETS = 24


@dataclass(frozen=True)
class Surface:
    """accuracy_PNV and what it costs: tokens_PNV, flops_PNV."""

    ns: tuple[int, ...]
    vs: tuple[int, ...]
    accuracy_PNV: Floats
    tokens_PNV: Floats
    flops_PNV: Floats


def block_scores(verdicts_PSK: Floats, size: int) -> Floats:
    """The scores of every block of `size` verdicts: scores_PSB. Missing verdicts are NaN."""
    problems, samples, draws = verdicts_PSK.shape
    if draws % size:
        raise ValueError(f"blocks of {size} of {draws} verdicts; the number must be a divisor")
    blocks_PSBV = verdicts_PSK.reshape(problems, samples, draws // size, size)
    known_PSB = (~np.isnan(blocks_PSBV)).sum(axis=3)
    summed_PSB = np.nansum(blocks_PSBV, axis=3)
    return np.where(known_PSB > 0, summed_PSB / np.maximum(known_PSB, 1), UNDECIDED)


def divisors(number: int) -> list[int]:
    """All divisors, rising."""
    return [v for v in range(1, number + 1) if number % v == 0]


def accuracy_surface(
    data: Recorded, verdicts_PSK: Floats, strategy: str, ns: Sequence[int], *, subsets: int, seed: int
) -> Floats:
    """Accuracy of a vote with N solutions and V verdicts of each, V the divisors of K: accuracy_PNV."""
    columns = []
    for v in divisors(verdicts_PSK.shape[2]):
        scores_PSB = block_scores(verdicts_PSK, v)
        by_block = [
            [
                expected(replace(data, scores_PS=scores_PS), strategy, n, subsets=subsets, seed=seed)
                for n in ns
            ]
            for scores_PS in np.moveaxis(scores_PSB, 2, 0)
        ]
        columns.append(np.mean(by_block, axis=0).T)
    return np.stack(columns, axis=2)


def surface(
    data: Recorded, verdicts: pl.DataFrame, strategy: str, ns: Sequence[int], *, subsets: int, seed: int
) -> Surface:
    """Accuracy and costs at every N and V. Raises DataError unless every solution has as many verdicts."""
    problems, samples = data.classes_PS.shape
    ordered = verdicts.sort(*KEY, "draw")
    draws = len(ordered) // (problems * samples)
    same = ordered.group_by("problem_id", maintain_order=True).len()
    if len(ordered) != problems * samples * draws or same["problem_id"].to_list() != data.problem_ids:
        raise DataError(
            f"verdicts: {len(ordered)} of {problems} problems with {samples} solutions each; every solution "
            "needs as many, of the same problems; score them again"
        )

    def means(column: str, every: int) -> Floats:
        """The mean over a problem's solutions (and draws), mean_P."""
        found = ordered[column].to_numpy().astype(np.float64).reshape(problems, samples, draws)
        return found[:, :, ::every].mean(axis=(1, 2))

    vs, sizes_N = np.array(divisors(draws)), np.array(ns, dtype=np.float64)[:, None]
    costs = []
    for generated_PS, read, chain in (
        (data.tokens_PS, "n_tokens_read", "n_tokens"),
        (data.flops_PS, "flops_read", "flops"),
    ):
        solution_P = generated_PS.mean(axis=1) + means(read, draws)
        costs.append(sizes_N * (solution_P[:, None, None] + vs * means(chain, 1)[:, None, None]))
    said = ordered["verdict"].to_numpy().astype(np.float64).reshape(problems, samples, draws)
    accuracy_PNV = accuracy_surface(data, said, strategy, ns, subsets=subsets, seed=seed)
    return Surface(tuple(ns), tuple(int(v) for v in vs), accuracy_PNV, *costs)


def exponents(accuracy_DNV: Floats, cost_DNV: Floats, ns: Sequence[int], vs: Sequence[int]) -> Floats:
    """How the best N and the best V grow with compute C: slopes of their logarithms over ln C, slope_D2.

    At each of BUDGETS costs the most accurate cell counts that it affords, of equal ones the cheapest.
    """
    slopes = []
    log_n, log_v = (np.log(grid.ravel()) for grid in np.meshgrid(ns, vs, indexing="ij"))
    for accuracy_NV, cost_NV in zip(accuracy_DNV, cost_DNV, strict=True):
        accuracy_K, cost_K = accuracy_NV.ravel(), cost_NV.ravel()
        budgets = np.geomspace(cost_K.min(), cost_K.max(), BUDGETS)
        order_K = np.lexsort((cost_K, -np.round(accuracy_K, 12)))
        best = [next(k for k in order_K if cost_K[k] <= budget * (1 + 1e-9)) for budget in budgets]
        slopes.append([np.polyfit(np.log(budgets), log[best], 1)[0] for log in (log_n, log_v)])
    return np.array(slopes)


def surface_rows(found: Surface, label: dict[str, Any], draws: int, seed: int) -> list[dict[str, Any]]:
    """Rows of the table `surface`."""
    counts_DP = resamples(len(found.accuracy_PNV), draws, seed)
    rows = []
    for i, n in enumerate(found.ns):
        low_V, high_V = interval(resampled_means(found.accuracy_PNV[:, i], counts_DP))
        means = [
            array[:, i].mean(axis=0) for array in (found.accuracy_PNV, found.tokens_PNV, found.flops_PNV)
        ]
        for j, v in enumerate(found.vs):
            values = {
                name: mean_V[j] for name, mean_V in zip(("accuracy", "tokens", "flops"), means, strict=True)
            }
            rows.append(label | {"n": n, "v": v, "low": low_V[j], "high": high_V[j]} | values)
    return rows


def faster_row(found: Surface, unit: str, draws: int, seed: int) -> dict[str, Any]:
    """The row of `savings` about which of the two numbers grows faster with compute."""
    counts_DP = all_and_resamples(len(found.accuracy_PNV), draws, seed)
    cost_PNV = found.flops_PNV if unit == "flops" else found.tokens_PNV
    shape = (len(counts_DP), len(found.ns), len(found.vs))
    accuracy_DNV, cost_DNV = (
        resampled_means(array.reshape(len(array), -1), counts_DP).reshape(shape)
        for array in (found.accuracy_PNV, cost_PNV)
    )
    slope_D2 = exponents(accuracy_DNV, cost_DNV, found.ns, found.vs)
    ahead_D = slope_D2[:, 0] - slope_D2[:, 1]
    low, high = interval(ahead_D[1:])
    return {"what": "solve_faster", "n": None, "ratio": ahead_D[0], "low": float(low), "high": float(high)}
