"""Accuracy against N, one panel a data set (columns) and method (rows): what several figures have in common.

The first curve of a figure is the one it is about; every other one carries by how much the first is ahead of
it, paired problem by problem (the same problems, the same resamples), which overlapping bands cannot show.
Left out on purpose: which curves a figure has and what it says about them (the figure's module).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import interval, resampled_means, resamples
from rlv.evaluation.votes import NEEDS_SCORES
from rlv.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY = ["dataset", "reasoner", "verifier", "strategy", "n", "budget"]
LEAD = {"n": pl.Int32(), "lead": pl.Float64(), "lead_low": pl.Float64(), "lead_high": pl.Float64()}


@dataclass(frozen=True)
class Curve:
    """One line of every panel: whose solutions ("base" or "rl_v") and how they become an answer."""

    role: str
    strategy: str

    def source(self, comparison: Mapping[str, str]) -> tuple[str, str]:
        """(reasoner, verifier) of this curve in a comparison."""
        scorer = comparison["verifier" if self.role == "rl_v" else "judge"]
        return comparison[self.role], scorer if self.strategy in NEEDS_SCORES else ""


def select(
    tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any], curves: Sequence[Curve]
) -> pl.DataFrame:
    """The rows that are drawn, panel by panel and curve by curve, with N ascending.

    Columns: dataset, method, role, strategy, reasoner, verifier, n, budget, accuracy, low, high (fractions,
    as measured), and lead, lead_low, lead_high: accuracy of the first curve less this one's at the same N,
    with its paired 95 % interval; null for the first curve itself and for pass@N, which is a limit and no
    rival. Interval ends come from `params` draws and seed.
    Raises DataError naming the panel and curve that the tables lack.
    """
    if not params["comparisons"] or not params["datasets"]:
        raise DataError(f"figure {params['figure']}: no panel to draw; it needs a comparison and a data set")
    parts = []
    for method, comparison in params["comparisons"].items():
        for dataset in params["datasets"]:
            first: pl.DataFrame | None = None
            for curve in curves:
                reasoner, verifier = curve.source(comparison)
                wanted = {
                    "dataset": dataset,
                    "reasoner": reasoner,
                    "verifier": verifier,
                    "strategy": curve.strategy,
                }
                rows = _one_curve(tables["curves"], wanted, params["figure"], "curves").sort("n")
                problems = _one_curve(tables["per_problem"], wanted, params["figure"], "per_problem")
                rows = rows.with_columns(method=pl.lit(method), role=pl.lit(curve.role))
                if first is None or curve.strategy == "pass_at_n":
                    lead = pl.DataFrame(schema=LEAD)
                else:
                    lead = _lead(first, problems, wanted, params)
                parts.append(rows.join(lead, on="n", how="left", maintain_order="left"))
                first = problems if first is None else first
    columns = ["dataset", "method", "role", "strategy", "reasoner", "verifier", "n", "budget"]
    return pl.concat(parts).select(*columns, "accuracy", "low", "high", "lead", "lead_low", "lead_high")


def _one_curve(table: pl.DataFrame, wanted: Mapping[str, str], figure: str, name: str) -> pl.DataFrame:
    """The rows of one curve, once each: strategies without scores come with every verifier's evaluation."""
    key = [*KEY, "problem_id"] if "problem_id" in table.columns else KEY
    rows = table.filter(*[pl.col(column) == value for column, value in wanted.items()])
    rows = rows.unique(key, maintain_order=True)
    curve = "{reasoner!r} on {dataset!r} by {strategy}, verifier {verifier!r}".format(**wanted)
    where = f"figure {figure}: {curve}: the {name} table"
    if rows.is_empty():
        there = table.filter(pl.col("dataset") == wanted["dataset"], pl.col("reasoner") == wanted["reasoner"])
        found = there.select("strategy", "verifier").unique().sort("strategy", "verifier").rows()
        listed = ", ".join(f"{s} with {v!r}" if v else s for s, v in found) or "nothing"
        raise DataError(
            f"{where} has no such rows; for this reasoner there it has {listed}; evaluate what is missing"
        )
    budgets = rows["budget"].unique().sort().to_list()
    if len(budgets) > 1:
        raise DataError(f"{where} has budgets {budgets}; this figure draws one; evaluate at one budget")
    return rows


def _lead(
    first: pl.DataFrame, other: pl.DataFrame, wanted: Mapping[str, str], params: Mapping[str, Any]
) -> pl.DataFrame:
    """By how much the first curve is ahead of the other one at each common N, paired over problems."""
    pairs = first.join(other, on=["problem_id", "n"], how="inner", suffix="_other")
    odd = set(first["problem_id"]).symmetric_difference(other["problem_id"])
    if odd:
        raise DataError(
            f"figure {params['figure']}: problem {min(odd)!r} of {wanted['dataset']!r} is evaluated for only "
            f"one of {first['reasoner'][0]!r} and {wanted['reasoner']!r}; {len(odd)} such problems; evaluate "
            "both on the same set"
        )
    if pairs.is_empty():
        return pl.DataFrame(schema=LEAD)
    pairs = pairs.with_columns(ahead=pl.col("accuracy") - pl.col("accuracy_other"))
    wide = (
        pairs.sort("n")
        .pivot(on="n", index="problem_id", values="ahead")
        .sort("problem_id")
        .drop("problem_id")
    )
    ahead_PN = wide.to_numpy()
    low_N, high_N = interval(
        resampled_means(ahead_PN, resamples(len(ahead_PN), params["draws"], params["seed"]))
    )
    ns = [int(n) for n in wide.columns]
    rows = {"n": ns, "lead": ahead_PN.mean(axis=0), "lead_low": low_N, "lead_high": high_N}
    return pl.DataFrame(rows, schema=LEAD)


def draw_panels(data: pl.DataFrame, named: Callable[[str], str] = style.method_name) -> Figure:
    """The picture of what `select` returned: columns are data sets, rows are methods, accuracy in %."""
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    ns = sorted(data["n"].unique().to_list())
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(len(methods), len(datasets), 1.9, sharex=True, sharey="col")
        crowded = len(ns) * len(datasets) > 20
        for row, method in enumerate(methods):
            for column, dataset in enumerate(datasets):
                axes = axes_RC[row, column]
                panel = data.filter(pl.col("dataset") == dataset, pl.col("method") == method)
                # The first curve is solid and lies below the dashed ones: where two coincide, both are seen.
                for role, strategy in curve_keys(panel):
                    rows = panel.filter(pl.col("role") == role, pl.col("strategy") == strategy).sort("n")
                    look = style.LOOKS[role, strategy]
                    x = rows["n"].to_numpy()
                    y, low, high = (100 * rows[c].to_numpy() for c in ("accuracy", "low", "high"))
                    if (
                        strategy == "pass_at_n"
                    ):  # a limit, not a method: below the others, interval in the CSV
                        style.line(axes, x, y, look, zorder=1.5)
                    else:
                        axes.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0, zorder=1)
                        style.line(axes, x, y, look)
                style.count_axis(axes, ns, every=2 if crowded else 1)
        for axes in axes_RC[0]:
            _percent_axis(axes)
        for axes in axes_RC[-1]:
            axes.set_xlabel("Solutions per problem, N")
        for axes in axes_RC[:, 0]:
            axes.set_ylabel("Accuracy (%)")
        style.name_margins(axes_RC, datasets, [named(m) for m in methods])
        style.legend_below(figure, [style.LOOKS[key] for key in curve_keys(data)])
        seaborn.despine(figure)
    return figure


def _percent_axis(axes: Any) -> None:
    """Room for what is drawn and no number beyond 100 %."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -2.0), min(high, 102.0))
    axes.locator_params(axis="y", nbins=6)


def in_order(data: pl.DataFrame, column: str) -> list[str]:
    """The values of a column in the order in which they first appear."""
    return data[column].unique(maintain_order=True).to_list()


def curve_keys(data: pl.DataFrame) -> list[tuple[str, str]]:
    """(role, strategy) of the curves, in the order in which they first appear."""
    return data.select("role", "strategy").unique(maintain_order=True).rows()  # pyright: ignore[reportReturnType]


def quoted_ns(data: pl.DataFrame) -> list[int]:
    """The N that captions quote, by a fixed rule: the middle one of the measured ones, and the largest."""
    ns = np.array(sorted(data["n"].unique().to_list()))
    return sorted({int(ns[len(ns) // 2]), int(ns[-1])})


def lead_over(data: pl.DataFrame, role: str, strategy: str, n: int) -> pl.DataFrame:
    """The rows of one rival at one N, one a panel: by how much it is behind the figure's first curve."""
    return data.filter(pl.col("role") == role, pl.col("strategy") == strategy, pl.col("n") == n)


def points(row: Mapping[str, Any]) -> str:
    """`+12.3 [8.1, 16.5]`: a lead in percentage points with its interval."""
    if row["lead"] is None:
        return "not measured"
    return f"{100 * row['lead']:+.1f} [{100 * row['lead_low']:+.1f}, {100 * row['lead_high']:+.1f}]"


def tally(rows: pl.DataFrame) -> str:
    """In how many panels the interval of the lead excludes zero, and on which side."""
    known = rows.drop_nulls("lead")
    ahead = known.filter(pl.col("lead_low") > 0).height
    behind = known.filter(pl.col("lead_high") < 0).height
    open_ = known.height - ahead - behind
    panels = f"{known.height} panel{'s' if known.height != 1 else ''}"
    return f"ahead in {ahead} of {panels}, behind in {behind}, undecided (the interval holds 0) in {open_}"
