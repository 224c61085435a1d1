"""Accuracy against N or cost, one panel a data set (columns) and method (rows): what several figures share.

The first curve of a figure is the one it is about; every other one carries by how much the first is ahead of
it, paired problem by problem (the same problems, the same resamples), which overlapping bands cannot show.
Against N that is at the same N; against tokens or FLOPs, at the same cost, read off the first curve between
its measured points. Left out: which curves a figure has and what its caption states of them (the figure's
module), and what captions share (panel_captions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats, interval, resampled_means, resamples
from rlv.evaluation.prices import COSTS
from rlv.evaluation.votes import VOTES
from rlv.figures import style
from rlv.figures.rows import curve as rows_of
from rlv.figures.rows import refuse_empty, refuse_unknown, same_problems

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = [
    *("dataset", "method", "role", "scorer", "strategy", "reasoner", "verifier", "replicas"),
    *("n", "budget", "against", "x", "accuracy", "low", "high", "lead", "lead_low", "lead_high"),
    "unfinished",
]
# What x is, by `params["against"]`: the column of the curves table, and the axis.
AGAINST = {
    "n": "Solutions per problem, N",
    "tokens": "Tokens per problem",
    "flops": "FLOPs per problem",
    "tokens_new": "Tokens per problem,\nkeys and values kept",
    "flops_new": "FLOPs per problem,\nkeys and values kept",
}


# Roles that no training changes.
UNTRAINED = ("start", "cold")


@dataclass(frozen=True)
class Curve:
    """One line of every panel: whose solutions, and how they become an answer.

    `role`: "base" or "rl_v", which are trained, "start" or "cold", which are not.

    `scorer`: "own", the unified verifier; else the comparison's key of a verifier, such as "judge" or
    "separate"; None for votes without scores.
    """

    role: str
    strategy: str
    scorer: str | None = None

    def source(self, comparison: Mapping[str, Any]) -> tuple[list[str], str]:
        """(reasoners, verifier) of this curve in a comparison: all training seeds of the reasoner.

        A start is not trained: it stands beside every seed of the others.
        """
        replicas = comparison.get("replicas") or {}
        names = replicas.get(self.role) or [comparison[self.role]]
        if self.role in UNTRAINED:
            names = names * max([1, *map(len, replicas.values())])
        if self.scorer is None or not VOTES[self.strategy].reads_scores:
            return names, ""
        return names, comparison["verifier" if self.scorer == "own" else self.scorer]


@dataclass(frozen=True)
class Measured:
    """One curve: a row an N, and its accuracies problem by problem, accuracy_QN with Q = R x P rows."""

    label: str
    replicas: int
    problems: list[str]
    rows: pl.DataFrame
    accuracy_QN: Floats


def select(
    tables: Mapping[str, pl.DataFrame],
    params: Mapping[str, Any],
    curves: Sequence[Curve],
    *,
    of_limits: bool = False,
) -> pl.DataFrame:
    """The rows that are drawn, panel by panel and curve by curve, with N ascending.

    Columns: COLUMNS. `x` is N, or the mean tokens or FLOPs a problem (generated, and read by the verifier).
    With "_new" of those read only the ones that are left if sampling's keys and values are kept.
    Accuracy, low and high are fractions, as measured; if a comparison has several training seeds
    (`replicas`), accuracy and x are means over them and the interval is over problems and seeds. lead,
    lead_low, lead_high: accuracy of the first curve less this one's, with the paired 95 % interval. Against
    N at the same N; otherwise at the cost of this row, the first curve's accuracy interpolated linearly in
    log2 cost (costs taken as known). Null outside the first curve's range, for the first curve itself, and
    for pass@N, which is a limit and no rival, unless the figure is `of_limits`. Interval ends come from
    `params` draws and seed. `unfinished`: the share of the reasoner's solutions that ran into their budget;
    null if it was not counted.

    Raises DataError naming the panel and curve that the tables lack, or whose cost is not known.
    """
    refuse_empty(params)
    parts = []
    for dataset in params["datasets"]:
        here = {name: tables[name].filter(pl.col("dataset") == dataset) for name in ("curves", "per_problem")}
        for method, comparison in params["comparisons"].items():
            first: Measured | None = None
            for curve in curves:
                found = measured(here, params, dataset, curve, comparison)
                rows = found.rows.with_columns(
                    method=pl.lit(method),
                    role=pl.lit(curve.role),
                    scorer=pl.lit(curve.scorer or ""),
                    dataset=pl.lit(dataset),
                )
                if first is None or (VOTES[curve.strategy].limit and not of_limits):
                    lead = [pl.lit(None, pl.Float64).alias(c) for c in ("lead", "lead_low", "lead_high")]
                else:
                    lead = paired_lead(first, found, params, dataset)
                parts.append(rows.with_columns(lead).select(COLUMNS))
                first = first or found
    drawn = pl.concat(parts)
    # Panels row by row, as they stand on the page.
    order = {method: i for i, method in enumerate(params["comparisons"])}
    return drawn.sort(pl.col("method").replace_strict(order), maintain_order=True)


def measured(
    here: Mapping[str, pl.DataFrame],
    params: Mapping[str, Any],
    dataset: str,
    curve: Curve,
    comparison: Mapping[str, Any],
) -> Measured:
    """One curve of one panel, over all training seeds.

    Raises DataError if the seeds were evaluated on different problems or N, or a table lacks some of the N.
    """
    reasoners, verifier = curve.source(comparison)
    seeds = []
    for reasoner in reasoners:
        wanted = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
        wanted |= {"strategy": curve.strategy}
        seeds.append([rows_of(here[name], wanted, figure=params["figure"], name=name) for name in here])
    against = params.get("against", "n")
    rows, wide = seeds[0][0].sort("n"), _wide(seeds[0][1])
    ns, problems = rows["n"].to_list(), wide["problem_id"].to_list()
    accuracy_QN = wide.drop("problem_id").to_numpy()
    for reasoner, (other, long) in zip(reasoners[1:], seeds[1:], strict=True):
        again = _wide(long)
        if again["problem_id"].to_list() != problems or again.columns != wide.columns:
            raise DataError(
                f"figure {params['figure']}: {reasoner!r} and {reasoners[0]!r} are seeds of one method, but "
                f"on {dataset!r} they are not evaluated on the same problems and N; evaluate both alike"
            )
        accuracy_QN = np.concatenate([accuracy_QN, again.drop("problem_id").to_numpy()])
        rows = pl.concat([rows, other.sort("n")])
    refuse_unknown(rows, against, params["figure"])
    if len(reasoners) > 1:
        counts = resamples(len(problems), params["draws"], params["seed"], len(reasoners))
        # A resample that extrapolates over few seeds may leave what an accuracy can be.
        low, high = (np.clip(end, 0.0, 1.0) for end in interval(resampled_means(accuracy_QN, counts)))
        rows = rows.group_by("n", maintain_order=True).agg(
            pl.first("budget", "strategy", "verifier"), pl.mean("accuracy", *COSTS, "unfinished")
        )
        rows = rows.with_columns(low=pl.Series(low), high=pl.Series(high))
    if wide.columns[1:] != [str(n) for n in ns]:
        raise DataError(
            f"figure {params['figure']}: {reasoners[0]!r} on {dataset!r} by {curve.strategy} has N = {ns} "
            f"in curves, {', '.join(wide.columns[1:])} in per_problem; make that evaluation again"
        )
    rows = rows.with_columns(
        reasoner=pl.lit(reasoners[0]),
        replicas=pl.lit(len(reasoners), pl.Int32),
        against=pl.lit(against),
        x=pl.col(against).cast(pl.Float64),
    )
    return Measured(reasoners[0], len(reasoners), problems, rows, accuracy_QN)


def _wide(long: pl.DataFrame) -> pl.DataFrame:
    """A row a problem, a column an N, both ascending."""
    return long.sort("n").pivot(on="n", index="problem_id", values="accuracy").sort("problem_id")


def paired_lead(first: Measured, other: Measured, params: Mapping[str, Any], dataset: str) -> list[pl.Series]:
    """By how much the first curve is ahead at each of the other one's points, paired over problems.

    Raises DataError if the two have different problems or numbers of training seeds.
    """
    same_problems(params["figure"], dataset, *((side.label, side.problems) for side in (first, other)))
    if first.replicas != other.replicas:
        raise DataError(
            f"figure {params['figure']}: {first.label!r} has {first.replicas} training seeds, "
            f"{other.label!r} {other.replicas}; a paired lead needs as many of both; train the missing ones"
        )
    x_K, x_J = first.rows["x"].to_numpy(), other.rows["x"].to_numpy()
    exact = params.get("against", "n") == "n"
    weights_KJ = same_points(x_K, x_J) if exact else interpolation(x_K, x_J)
    ahead_QJ = first.accuracy_QN @ weights_KJ - other.accuracy_QN
    counts = resamples(len(first.problems), params["draws"], params["seed"], first.replicas)
    low_J, high_J = interval(resampled_means(ahead_QJ, counts))
    values = {"lead": ahead_QJ.mean(axis=0), "lead_low": low_J, "lead_high": high_J}
    return [pl.Series(name, value_J).fill_nan(None) for name, value_J in values.items()]


def same_points(x_K: Floats, x_J: Floats) -> Floats:
    """Weights weights_KJ that take values at the x_J from those at the x_K; NaN if there is no such x."""
    weights_KJ = (x_K[:, None] == x_J).astype(np.float64)
    weights_KJ[:, weights_KJ.sum(axis=0) == 0] = np.nan
    return weights_KJ


def interpolation(x_K: Floats, x_J: Floats) -> Floats:
    """Weights weights_KJ of linear interpolation in log2 x from ascending x_K to x_J; NaN outside x_K."""
    at_K, at_J = np.log2(x_K), np.log2(x_J)
    # A whole curve scaled by one factor may miss its own ends by rounding.
    inside_J = (at_J >= at_K[0] - 1e-9) & (at_J <= at_K[-1] + 1e-9)
    basis_KK = np.eye(len(at_K))
    weights_KJ = np.stack([np.interp(at_J, at_K, unit_K) for unit_K in basis_KK])
    weights_KJ[:, ~inside_J] = np.nan
    return weights_KJ


def draw_panels(
    data: pl.DataFrame,
    named: Callable[[str], str] = style.method_name,
    *,
    look: Callable[[str, str, str], style.Look] = style.look,
    bands: Collection[tuple[str, str, str]] | None = None,
    height: float | None = None,
) -> Figure:
    """The picture of what `select` returned: columns are data sets, rows are methods, accuracy in %.

    `look`: of a curve (role, strategy, scorer). `bands`: the curves whose intervals are drawn; None: all
    but limits. `height`: of a panel, in inches.
    """
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    ns = sorted(data["n"].unique().to_list())
    against = data["against"][0]
    with style.theme():
        import seaborn

        # Three methods share a page with their caption.
        height = height or (1.9 if len(methods) < 3 else 1.7)
        figure, axes_RC = style.panels(len(methods), len(datasets), height, sharex="col", sharey="col")
        crowded = len(ns) * len(datasets) > 20
        for axes, (_, dataset, panel) in zip(axes_RC.flat, panels(data), strict=True):
            # The first curve is solid and lies below the dashed ones: if two coincide, both are seen.
            for key in curve_keys(panel):
                # A limit is no method: it lies below the others, and its interval is in the CSV.
                how: dict[str, Any] = {"zorder": 1.5} if VOTES[key[1]].limit else {}
                if VOTES[key[1]].limit if bands is None else key not in bands:
                    how["band"] = 0
                style.banded(axes, of_curve(panel, *key).sort("n"), look(*key), **how)
            if against == "n":
                style.count_axis(axes, ns, every=2 if crowded else 1)
            else:
                style.cost_axis(axes, data.filter(pl.col("dataset") == dataset)["x"].to_list())
        for axes in axes_RC[0]:
            percent_axis(axes)  # shared by the column
        for axes in axes_RC[-1]:
            axes.set_xlabel(AGAINST[against])
        for axes in axes_RC[:, 0]:
            axes.set_ylabel("Accuracy (%)")
        style.name_margins(axes_RC, datasets, [named(m) for m in methods])
        style.legend_below(figure, [look(*key) for key in curve_keys(data)])
        seaborn.despine(figure)
    return figure


def percent_axis(axes: Any) -> None:
    """Room for what is drawn and no number below 0 or beyond 100 %."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -2.0), min(high, 102.0))
    axes.locator_params(axis="y", nbins=6)


def in_order(data: pl.DataFrame, column: str) -> list[str]:
    """The values of a column in the order in which they first appear."""
    return data[column].unique(maintain_order=True).to_list()


def panels(data: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """(name of the method, data set, rows) of each panel, row by row as they are on the page."""
    for method in in_order(data, "method"):
        for dataset in in_order(data, "dataset"):
            panel = data.filter(pl.col("method") == method, pl.col("dataset") == dataset)
            yield style.method_name(method), dataset, panel


def curve_keys(data: pl.DataFrame) -> list[tuple[str, str, str]]:
    """(role, strategy, scorer) of the curves, in the order in which they first appear."""
    return data.select("role", "strategy", "scorer").unique(maintain_order=True).rows()  # pyright: ignore[reportReturnType]


def of_curve(data: pl.DataFrame, role: str, strategy: str, scorer: str = "") -> pl.DataFrame:
    """The rows of one curve, as named by `curve_keys`."""
    return data.filter(pl.col("role") == role, pl.col("strategy") == strategy, pl.col("scorer") == scorer)


def training_seeds(params: Mapping[str, Any]) -> dict[str, int]:
    """How many training seeds the RL^V reasoner of each comparison has."""
    chosen = params["comparisons"].items()
    return {method: len((c.get("replicas") or {}).get("rl_v") or [c["rl_v"]]) for method, c in chosen}


def quoted_ns(data: pl.DataFrame) -> list[int]:
    """The N that captions quote, by a fixed rule: the middle one of the measured ones, and the largest."""
    ns = np.array(sorted(data["n"].unique().to_list()))
    return sorted({int(ns[len(ns) // 2]), int(ns[-1])})
