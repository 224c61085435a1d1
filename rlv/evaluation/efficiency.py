"""How many fewer solutions one curve needs to be as accurate as another: N_ref / N, with intervals.

For every N_ref of the reference curve, N is the smallest number of solutions at which the other curve reaches
the reference's accuracy. Between two measured N accuracy is taken as linear in log2 N; `measured` is the same
number without interpolation, at the N that were measured. A curve that is there at its first N (1 in every
study) gets that N, never less. Accuracy that is never reached within the measured N is censored: its N is
infinite and its ratio 0, which counts against the claim, and the share of such resamples is reported.

With prices (tokens or FLOPs a solution) the same becomes a ratio of what was paid: N_ref solutions of the
reference over N of the other curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlv.errors import DataError
from rlv.evaluation.bootstrap import (
    Estimate,
    Floats,
    interval,
    problem_count,
    resampled_means,
    resamples,
)

# Means of the same accuracies in another order differ by this at most; two curves at 100 % are equal.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Ratio:
    """N_ref / N at one N_ref, or what they cost."""

    n_ref: int
    ratio: Estimate  # 0 if the accuracy was never reached
    measured: float  # the same from only the measured N
    censored: float  # share of resamples that never reached it
    reached: bool  # whether the curve itself, not a resample, reached it
    itself: float  # N_ref over what the reference needs itself: above 1 if it went flat or fell before


@dataclass(frozen=True)
class Efficiency:
    """All ratios, and their median over N_ref of 2 and more (one solution cannot be saved from one)."""

    ratios: tuple[Ratio, ...]
    median: Estimate
    lowest: float  # of the ratios that the median is over
    highest: float


def efficiency(
    curve_PN: Floats,
    reference_PN: Floats,
    ns: Sequence[int],
    *,
    prices_P2: Floats | None = None,
    draws: int = 1000,
    seed: int = 0,
    replicates: int = 1,
) -> Efficiency:
    """Ratios of solutions needed, from accuracies of the same P problems at the same N (ascending).

    With replicates (training seeds) rows are R x P, replicate by replicate. `prices_P2` holds what a solution
    of the curve and one of the reference costs on each problem: ratios are then of costs, and the reference
    pays for no more solutions than it needs itself (a curve that goes flat or falls reached its accuracy
    earlier), so that a curve against itself is 1. Without prices it pays for N_ref, as the paper has it.
    Raises DataError if the N do not ascend, do not match the arrays, or hold none of 2 or more.
    """
    if list(ns) != sorted(set(ns)) or not curve_PN.shape == reference_PN.shape == (len(curve_PN), len(ns)):
        raise DataError(
            f"efficiency: N = {list(ns)} with curves of shapes {curve_PN.shape} and {reference_PN.shape}; "
            "both curves need one column for each of ascending N"
        )
    late = np.array(ns) >= 2
    if not late.any():
        raise DataError(f"efficiency: N = {list(ns)}; at least one N of 2 or more is needed")
    counts_DP = resamples(problem_count(len(curve_PN), replicates), draws, seed, replicates)
    curve_DN = _with_mean(curve_PN, counts_DP)
    reference_DN = _with_mean(reference_PN, counts_DP)
    n_refs = np.array(ns, dtype=np.float64)
    relative_D1 = np.ones((draws + 1, 1))
    if prices_P2 is not None:
        prices_D2 = _with_mean(prices_P2, counts_DP)
        # A resample that extrapolates over seeds must not make a solution free, or worse.
        prices_D2 = np.maximum(prices_D2, 0.05 * prices_D2[:1])
        relative_D1 = prices_D2[:, 1:] / prices_D2[:, :1]
    own_DN = needed(reference_DN, reference_DN, ns)
    paid_DN = np.broadcast_to(n_refs, own_DN.shape) if prices_P2 is None else own_DN
    ratio_DN = relative_D1 * paid_DN / needed(curve_DN, reference_DN, ns)
    steps = {"ns": ns, "interpolate": False}
    paid_N = n_refs if prices_P2 is None else needed(reference_DN[:1], reference_DN[:1], **steps)[0]
    measured_N = relative_D1[0] * paid_N / needed(curve_DN[:1], reference_DN[:1], **steps)[0]
    low_N, high_N = interval(ratio_DN[1:])
    ratios = tuple(
        Ratio(
            n_ref=n_ref,
            ratio=Estimate(float(ratio_DN[0, i]), float(low_N[i]), float(high_N[i])),
            measured=float(measured_N[i]),
            censored=float((ratio_DN[1:, i] == 0).mean()),
            reached=bool(ratio_DN[0, i] > 0),
            itself=float(n_ref / own_DN[0, i]),
        )
        for i, n_ref in enumerate(ns)
    )
    median_D = np.median(ratio_DN[:, late], axis=1)
    low, high = interval(median_D[1:])
    counted = ratio_DN[0, late]
    return Efficiency(
        ratios=ratios,
        median=Estimate(float(median_D[0]), float(low), float(high)),
        lowest=float(counted.min()),
        highest=float(counted.max()),
    )


def needed(curve_DN: Floats, targets_DM: Floats, ns: Sequence[int], *, interpolate: bool = True) -> Floats:
    """Smallest N at which each curve reaches each target: needed_DM, infinite if it never does.

    Linear in log2 N between measured N, or only the measured N with `interpolate=False`.
    """
    reached_DMN = curve_DN[:, None, :] >= targets_DM[:, :, None] - ROUNDING
    at_DM = reached_DMN.argmax(axis=2)
    log_N = np.log2(np.array(ns, dtype=np.float64))
    result_DM = log_N[at_DM]
    if interpolate:
        before_DM = np.maximum(at_DM - 1, 0)
        here_DM = np.take_along_axis(curve_DN, at_DM, axis=1)
        there_DM = np.take_along_axis(curve_DN, before_DM, axis=1)
        # Inside, the curve was below the target one N before, so the step is upwards and never flat.
        inside_DM = (at_DM > 0) & reached_DMN.any(axis=2)
        share_DM = np.divide(
            here_DM - targets_DM, here_DM - there_DM, out=np.zeros_like(result_DM), where=inside_DM
        )
        result_DM = result_DM - np.clip(share_DM, 0, 1) * (log_N[at_DM] - log_N[before_DM])
    return np.where(reached_DMN.any(axis=2), np.exp2(result_DM), np.inf)


def _with_mean(values_PN: Floats, counts_DP: Floats) -> Floats:
    """The plain means first, then those of every resample."""
    return np.concatenate([values_PN.mean(axis=0)[None], resampled_means(values_PN, counts_DP)])
