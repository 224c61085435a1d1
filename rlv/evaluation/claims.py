"""The scoreboard: every claim of the paper as a number of this study, with an interval and a verdict.

A claim is a function from Evidence (tables of one data set, and the pairs of methods to compare) to rows of
the claims table; CLAIMS names them. A new claim is one function and one entry. Nothing here is typed in but
the paper's own values and the bars that they set. Left out on purpose: printing, and any tuning of the votes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, Floats, paired
from rlv.evaluation.efficiency import efficiency as efficiency_ratios
from rlv.evaluation.votes import NEEDS_SCORES

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"


@dataclass(frozen=True)
class Pair:
    """A base RL method and the same method with verification, who scores its own solutions."""

    base: str
    unified: str
    verifier: str = "unified"
    start: str | None = None  # untrained reasoner that both started from


@dataclass(frozen=True)
class Evidence:
    """What claims are computed from: one data set, at one budget."""

    dataset: str
    pairs: tuple[Pair, ...]
    per_problem: pl.DataFrame  # of all reasoners and verifiers; other data sets may be in it
    overhead: pl.DataFrame | None = None
    verification: pl.DataFrame | None = None  # of the same data sets
    draws: int = 1000
    seed: int = 0


def scoreboard(evidence: Evidence, claims: Sequence[str] | None = None) -> pl.DataFrame:
    """The claims table: one row a claim and pair. Claims default to all whose tables are there.

    Raises DataError for an unknown claim, and where the tables lack what a claim compares.
    """
    absent = {
        "overhead": evidence.overhead is None,
        "verifier_accuracy": evidence.verification is None,
        "rl_gain": any(pair.start is None for pair in evidence.pairs),
    }
    names = [n for n in CLAIMS if not absent.get(n)] if claims is None else claims
    for name in names:
        if name not in CLAIMS:
            raise DataError(f"claims: unknown claim {name!r}; known: {', '.join(CLAIMS)}")
    return tables.frame("claims", [row for name in names for row in CLAIMS[name](evidence)])


def verdict(low: float, high: float, bar: float, direction: str) -> str:
    """Whether an interval lies on the claim's side of the bar ("above" or "below"; the bar itself is on it).

    Undecided where the interval straddles the bar or an end is undefined.
    """
    if direction not in ("above", "below"):
        raise ValueError(f"direction {direction!r}; known: above, below")
    if np.isnan(low) or np.isnan(high):
        return UNDECIDED
    if direction == "below":
        low, high, bar = -high, -low, -bar
    if low >= bar:
        return REPRODUCED
    return NOT_REPRODUCED if high < bar else UNDECIDED


def math_gain(evidence: Evidence) -> list[dict]:
    """Relative gain in percent: weighted voting at the largest common N over one sample of the base method.

    In `detail`: the same in points, and the gap in points to the base method's best strategy (pass@N is none)
    at the same N. All paired over problems. Paper: abstract, "over 20 %".
    """
    rows = []
    for pair in evidence.pairs:
        n = _common_ns(evidence, pair)[-1]
        ours = _accuracy(evidence, pair.unified, pair.verifier, "weighted_voting", [n])
        single = _accuracy(evidence, pair.base, "", "majority", [1])
        (verifier, strategy), best = _best_strategy(evidence, pair.base, n)
        values_PK = _aligned({"ours": ours, "single": single, "best": best}, evidence, pair)

        def estimate(function: Callable[[Floats], Floats], values_PK: Floats = values_PK) -> Estimate:
            return paired(values_PK, function, draws=evidence.draws, seed=evidence.seed)

        gain = estimate(lambda m: 100 * (m[..., 0] / m[..., 1] - 1))
        points = estimate(lambda m: 100 * (m[..., 0] - m[..., 1]))
        gap = estimate(lambda m: 100 * (m[..., 0] - m[..., 2]))
        accuracy = 100 * values_PK.mean(axis=0)
        named = strategy + (f" with {verifier}" if verifier else "")
        detail = (
            f"{accuracy[0]:.1f} % at N = {n} against {accuracy[1]:.1f} % at N = 1: "
            f"{_spread(points, '+.1f')} points; {_spread(gap, '+.1f')} points over the base method's best "
            f"at N = {n} ({named}, {accuracy[2]:.1f} %)"
        )
        statement = (
            f"Relative gain (%) of {pair.unified}, weighted voting at N = {n}, over {pair.base} at N = 1 "
            f"on {evidence.dataset}"
        )
        rows.append(_row("math_gain", statement, "over 20 %", gain, 20.0, "above", detail))
    return rows


def efficiency(evidence: Evidence) -> list[dict]:
    """Fewer solutions for the base method's majority accuracy: median of N_ref / N over N_ref of 2 and more.

    The range over N_ref, the ratios from measured N alone and what was never reached are in `detail`.
    Paper: abstract, "8-32x".
    """
    rows = []
    for pair in evidence.pairs:
        ns = _common_ns(evidence, pair)
        ours = _accuracy(evidence, pair.unified, pair.verifier, "weighted_voting", ns)
        base = _accuracy(evidence, pair.base, "", "majority", ns)
        values_PK = _aligned({"ours": ours, "base": base}, evidence, pair)
        found = efficiency_ratios(
            values_PK[:, : len(ns)], values_PK[:, len(ns) :], ns, draws=evidence.draws, seed=evidence.seed
        )
        late = [r for r in found.ratios if r.n_ref >= 2]
        each = ", ".join(f"{r.n_ref}: {_spread(r.ratio, '.1f') if r.reached else 'never'}" for r in late)
        detail = (
            f"range {found.lowest:.1f} to {found.highest:.1f} over N_ref; by N_ref {each}; N interpolated in "
            f"log2 N, median from measured N alone {np.median([r.measured for r in late]):.1f}; never "
            f"reached within {ns[-1]} counts as 0 ({np.mean([r.censored for r in late]):.0%} of resamples)"
        )
        statement = (
            f"N_ref / N (median over N_ref) at which {pair.unified}, weighted voting, reaches {pair.base}, "
            f"majority voting at N_ref, on {evidence.dataset}"
        )
        rows.append(_row("efficiency", statement, "8-32x", found.median, 8.0, "above", detail))
    return rows


def overhead(evidence: Evidence) -> list[dict]:
    """Cost of a training step with the verification objective over one without: seconds, and tokens.

    Seconds are those of sampling and updating. Ratio of totals, paired by repeat and resampled over repeats;
    one repeat has no interval and decides nothing. Paper: abstract, "without significant overhead".
    """
    if evidence.overhead is None:
        raise DataError(
            "claims: the overhead claim needs the overhead table; measure it or leave the claim out"
        )
    cost = evidence.overhead.with_columns(seconds=pl.col("seconds_sample") + pl.col("seconds_update"))
    sides = {name: cost.filter(pl.col("objective") == name).sort("repeat") for name in ("rl_v", "rl")}
    repeats = sides["rl"]["repeat"].to_list()
    others = sides["rl_v"]["repeat"].to_list()
    if not repeats or repeats != others or len(set(repeats)) != len(repeats):
        raise DataError(
            f"claims: the overhead table has repeats {repeats} of 'rl' and {others} of 'rl_v'; "
            "every repeat needs one row of each"
        )
    rows = []
    for unit in ("seconds", "tokens"):
        values_PK = np.stack(
            [sides[name][unit].to_numpy().astype(np.float64) for name in ("rl_v", "rl")], axis=1
        )
        ratio = paired(values_PK, lambda m: m[..., 0] / m[..., 1], draws=evidence.draws, seed=evidence.seed)
        if len(repeats) == 1:
            ratio = Estimate(ratio.value, float("nan"), float("nan"))
        with_v, without = values_PK.mean(axis=0)
        statement = f"{unit.capitalize()} of a training step with the verification objective over one without"
        detail = (
            f"{with_v:.4g} against {without:.4g} {unit} a step, {len(repeats)} repeats on the same rollouts"
        )
        rows.append(_row("overhead", statement, "no significant overhead", ratio, 1.10, "below", detail))
    return rows


def early_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting over the base method's majority voting with few votes, N = 4 and 8.

    Where test-time compute is scarce a value function must pay first (paper, figure on parallel scaling).
    """
    rows = []
    for pair in evidence.pairs:
        for n in (n for n in _common_ns(evidence, pair) if n in EARLY_NS):
            ours = _accuracy(evidence, pair.unified, pair.verifier, "weighted_voting", [n])
            base = _accuracy(evidence, pair.base, "", "majority", [n])
            statement = (
                f"Points of {pair.unified}, weighted voting, over {pair.base}, majority voting, at N = {n} "
                f"on {evidence.dataset}"
            )
            rows.append(_gain("early_gain", statement, "higher at every N", ours, base, evidence, pair))
    return rows


def rl_gain(evidence: Evidence) -> list[dict]:
    """Points of one sample of the base RL method over one of the model that it started from."""
    rows = []
    for pair in evidence.pairs:
        if pair.start is None:
            raise DataError(f"claims: rl_gain of {pair.base!r} needs the reasoner that it started from")
        trained = _accuracy(evidence, pair.base, "", "majority", [1])
        start = _accuracy(evidence, pair.start, "", "majority", [1])
        statement = f"Points of {pair.base} over {pair.start} at N = 1 on {evidence.dataset}"
        rows.append(_gain("rl_gain", statement, "not stated", trained, start, evidence, pair))
    return rows


def verifier_accuracy(evidence: Evidence) -> list[dict]:
    """Balanced accuracy of the unified verifier on its own solutions; in `detail` AUROC and calibration."""
    if evidence.verification is None:
        raise DataError("claims: verifier_accuracy needs the verification table")
    rows = []
    for pair in evidence.pairs:
        found = evidence.verification.filter(
            (pl.col("dataset") == evidence.dataset)
            & (pl.col("reasoner") == pair.unified)
            & (pl.col("verifier") == pair.verifier)
        )
        metrics = {row["metric"]: Estimate(row["value"], row["low"], row["high"]) for row in found.to_dicts()}
        if "balanced_accuracy" not in metrics:
            raise DataError(f"claims: no balanced accuracy of {pair.verifier!r} for {pair.unified!r}")
        detail = "; ".join(f"{name} {_spread(metrics[name], '.3f')}" for name in sorted(metrics))
        statement = f"Balanced accuracy of {pair.unified} as a verifier of itself on {evidence.dataset}"
        number = metrics["balanced_accuracy"]
        rows.append(_row("verifier_accuracy", statement, "not stated", number, 0.9, "above", detail))
    return rows


# Few votes: what a sampling budget of a real model affords.
EARLY_NS = (4, 8)

CLAIMS: dict[str, Callable[[Evidence], list[dict]]] = {
    "math_gain": math_gain,
    "early_gain": early_gain,
    "efficiency": efficiency,
    "overhead": overhead,
    "rl_gain": rl_gain,
    "verifier_accuracy": verifier_accuracy,
}


def _gain(
    name: str,
    statement: str,
    paper: str,
    ours: pl.DataFrame,
    base: pl.DataFrame,
    evidence: Evidence,
    pair: Pair,
) -> dict:
    """The row of a difference in points, paired over problems, with 0 as the bar."""
    values_PK = _aligned({"ours": ours, "base": base}, evidence, pair)
    gain = paired(
        values_PK, lambda m: 100 * (m[..., 0] - m[..., 1]), draws=evidence.draws, seed=evidence.seed
    )
    above, below = 100 * values_PK.mean(axis=0)
    return _row(name, statement, paper, gain, 0.0, "above", f"{above:.1f} % against {below:.1f} %")


def _row(
    name: str, statement: str, paper: str, ours: Estimate, bar: float, direction: str, detail: str
) -> dict:
    numbers = {"ours": ours.value, "low": ours.low, "high": ours.high}
    return (
        {"id": name, "statement": statement, "paper": paper, "bar": bar, "detail": detail}
        | {key: value if np.isfinite(value) else None for key, value in numbers.items()}
        | {"verdict": verdict(ours.low, ours.high, bar, direction)}
    )


def _spread(estimate: Estimate, form: str) -> str:
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _rows_of(evidence: Evidence, reasoner: str) -> pl.DataFrame:
    """A reasoner's rows on the data set, once each (votes without scores may come with every verifier)."""
    rows = evidence.per_problem.filter(
        (pl.col("dataset") == evidence.dataset) & (pl.col("reasoner") == reasoner)
    ).unique(["problem_id", "verifier", "strategy", "n", "budget"], maintain_order=True)
    budgets = rows["budget"].unique().sort().to_list()
    if len(budgets) != 1:
        raise DataError(
            f"claims: {reasoner!r} on {evidence.dataset!r} has budgets {budgets} in the per_problem table; "
            "exactly one is needed"
        )
    return rows


def _ns(rows: pl.DataFrame, verifier: str, strategy: str) -> set[int]:
    return set(
        rows.filter((pl.col("verifier") == verifier) & (pl.col("strategy") == strategy))["n"].to_list()
    )


def _common_ns(evidence: Evidence, pair: Pair) -> list[int]:
    """The N at which both sides of a pair were evaluated, ascending."""
    ours = _ns(_rows_of(evidence, pair.unified), pair.verifier, "weighted_voting")
    base = _ns(_rows_of(evidence, pair.base), "", "majority")
    if not ours & base:
        raise DataError(
            f"claims: {pair.unified!r} (weighted_voting, verifier {pair.verifier!r}) has N = {sorted(ours)} "
            f"on {evidence.dataset!r} and {pair.base!r} (majority) N = {sorted(base)}; a common N is needed"
        )
    return sorted(ours & base)


def _accuracy(
    evidence: Evidence, reasoner: str, verifier: str, strategy: str, ns: Sequence[int]
) -> pl.DataFrame:
    """Accuracy of each problem, one column an N, in the order of the problems' ids."""
    rows = _rows_of(evidence, reasoner).filter(
        (pl.col("verifier") == verifier) & (pl.col("strategy") == strategy) & pl.col("n").is_in(list(ns))
    )
    wide = rows.pivot(on="n", index="problem_id", values="accuracy").sort("problem_id")
    missing = [n for n in ns if str(n) not in wide.columns or wide[str(n)].null_count()]
    if missing:
        raise DataError(
            f"claims: {reasoner!r} on {evidence.dataset!r} lacks {strategy} (verifier {verifier!r}) at N = "
            f"{missing[0]} for some problem; evaluate it there"
        )
    return wide.select("problem_id", *[str(n) for n in ns])


def _best_strategy(evidence: Evidence, reasoner: str, n: int) -> tuple[tuple[str, str], pl.DataFrame]:
    """The base method's most accurate vote at N, with any verifier it was scored by."""
    known = ["majority", *sorted(NEEDS_SCORES)]
    rows = _rows_of(evidence, reasoner).filter((pl.col("n") == n) & pl.col("strategy").is_in(known))
    means = rows.group_by("verifier", "strategy").agg(pl.col("accuracy").mean())
    verifier, strategy, _ = means.sort(
        ["accuracy", "strategy", "verifier"], descending=[True, False, False]
    ).row(0)
    return (verifier, strategy), _accuracy(evidence, reasoner, verifier, strategy, [n])


def _aligned(sides: dict[str, pl.DataFrame], evidence: Evidence, pair: Pair) -> Floats:
    """The columns of all sides next to each other, problem by problem: values_PK."""
    first, *rest = sides.values()
    for other in rest:
        odd = set(first["problem_id"]) ^ set(other["problem_id"])
        if odd:
            raise DataError(
                f"claims: problem {min(odd)!r} of {evidence.dataset!r} is evaluated for only one of "
                f"{pair.base!r} and {pair.unified!r}; {len(odd)} such problems; evaluate both on the same set"
            )
    return np.concatenate([side.drop("problem_id").to_numpy() for side in sides.values()], axis=1)
