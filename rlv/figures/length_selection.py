"""The figure `length_selection`: length chosen problem by problem (the paper's figure 1, right).

Columns are numbers of solutions N, rows are data sets and comparisons. The budget of a problem is raised
until the verifier is confident enough in the voted answer; the threshold is swept, which gives accuracy
against mean length. Beside it, the same budget for all problems: RL^V by weighted voting, the base method by
majority voting. Length is the mean number of tokens generated for a solution, for all three. Left out:
fewer and fewer solutions (sequential_parallel.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import all_and_resamples, interval, resampled_means
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.sides import ROUNDING, side
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import panels
from rlv.figures.panel_captions import points
from rlv.figures.rows import curve, refuse_empty, tidy
from rlv.figures.sides import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ("selection", "fixed", "base_fixed")
LOOKS = {
    "selection": style.LOOKS["rl_v", "selection"],
    "fixed": style.LOOKS["rl_v", "fixed"],
    "base_fixed": style.LOOKS["base", "fixed"],
}
COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "method", "series", "reasoner", "verifier"), pl.String),
    **{"n": pl.Int32, "threshold": pl.Float64, "budget": pl.Int32},
    **dict.fromkeys(("length", "length_low", "length_high", "accuracy", "low", "high"), pl.Float64),
    **dict.fromkeys(("tokens", "confident", "lead", "lead_low", "lead_high"), pl.Float64),
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn, at the middle and the largest N: one row a threshold (selection) or budget (fixed).

    Columns: dataset, method, series ("selection", "fixed": RL^V; "base_fixed"), reasoner, verifier, n,
    threshold (null for fixed), budget (null for selection), length, length_low, length_high (mean tokens
    generated for a solution at the budget where its problem stopped; no interval if the budget is fixed),
    accuracy, low, high (fractions), tokens (mean a problem, generated and read at every budget gone through),
    confident (fraction of problems that passed the threshold) and lead, lead_low, lead_high: accuracy of the
    selection less RL^V's at fixed budgets and the same mean length, between two budgets as a mixture of both
    gives it, paired over problems.
    `tables`: selection, selection_per_problem, curves, per_problem of several budgets. `params`: comparisons,
    datasets, draws, seed. Raises DataError if a curve is missing or the selection has no N that the votes
    have.
    """
    figure = params["figure"]
    refuse_empty(params, "lengths")
    parts = []
    for method, comparison in params["comparisons"].items():
        for dataset in params["datasets"]:
            swept, fixed, base = _sources(tables, dataset, comparison, figure)
            shared = sorted(set(swept["n"]) & set(fixed["n"]) & set(base["n"]))
            if not shared:
                raise DataError(
                    f"figure {figure}: comparison {method!r} on {dataset!r}: selection at N = "
                    f"{sorted(set(swept['n']))}, votes of RL^V at {sorted(set(fixed['n']))} and of the base "
                    f"method at {sorted(set(base['n']))}, none in common; evaluate all at the same N"
                )
            for n in sorted({shared[len(shared) // 2], shared[-1]}):
                at = [rows.filter(pl.col("n") == n) for rows in (swept, fixed, base)]
                lead = _lead(tables, at[0], n, params)
                at[0] = at[0].join(lead, on="threshold", how="left", maintain_order="left")
                parts += [
                    tidy(rows, {"method": method, "series": series}, COLUMNS)
                    for rows, series in zip(at, SERIES, strict=True)
                ]
    return pl.concat(parts)


def _sources(
    tables: Mapping[str, pl.DataFrame], dataset: str, comparison: Mapping[str, str], figure: str
) -> list[pl.DataFrame]:
    """Rows of the sweep and of both fixed series of one panel row, all with mean lengths.

    Majority voting reads nothing: its tokens are those generated, n solutions of the mean length.
    """
    found = []
    ours = {"dataset": dataset, "reasoner": comparison["rl_v"], "verifier": comparison["verifier"]}
    base = {"dataset": dataset, "reasoner": comparison["base"], "verifier": comparison["judge"]}
    for name, wanted in (
        ("selection", ours),
        ("curves", {**ours, "strategy": "weighted_voting"}),
        ("curves", {**base, "strategy": "majority"}),
    ):
        rows = curve(tables[name], wanted, figure=figure, name=name, budgets=True)
        if name == "curves":
            votes = {**wanted, "strategy": "majority"}
            generated = curve(tables[name], votes, figure=figure, name=name, budgets=True)
            length = generated.select("budget", "n", length=pl.col("tokens") / pl.col("n"))
            rows = rows.join(length, on=["budget", "n"], how="left", maintain_order="left")
        found.append(rows)
    return found


def _lead(
    tables: Mapping[str, pl.DataFrame], swept: pl.DataFrame, n: int, params: Mapping[str, Any]
) -> pl.DataFrame:
    """threshold, lead, lead_low, lead_high: the sweep against fixed budgets at the same mean length.

    Accuracy of fixed budgets between two of them is linear in the mean length: what a coin that sends some
    problems to one budget and the others to the other one gives.
    """
    figure = params["figure"]
    names = {c: swept[c][0] for c in ("dataset", "reasoner", "verifier")}
    found = []
    for name, wanted, key in (
        ("selection_per_problem", names, "threshold"),
        ("per_problem", {**names, "strategy": "weighted_voting"}, "budget"),
        ("per_problem", {**names, "strategy": "majority"}, "budget"),
    ):
        rows = curve(tables[name], wanted, figure=figure, name=name, budgets=True)
        found.append(rows.filter(pl.col("n") == n).sort(key, "problem_id"))
    thresholds = found[0]["threshold"].unique().sort()
    problems = found[0]["problem_id"].n_unique()
    values_PK = [
        rows[column].to_numpy().reshape(-1, problems).T / scale
        for rows, column, scale in (
            (found[0], "accuracy", 1),
            (found[0], "length", 1),
            (found[1], "accuracy", 1),
            (found[2], "tokens", n),  # majority voting reads nothing: n solutions of the mean length
        )
    ]
    counts_DP = all_and_resamples(problems, params["draws"], params["seed"])
    accuracy_DK, length_DK, fixed_DB, at_DB = (resampled_means(values, counts_DP) for values in values_PK)
    every_DKB = (*accuracy_DK.shape, at_DB.shape[1])
    at_DKB, fixed_DKB = (np.broadcast_to(means[:, None], every_DKB) for means in (at_DB, fixed_DB))
    lead_DK = accuracy_DK - accuracy_at(length_DK, at_DKB, fixed_DKB)
    low_K, high_K = interval(lead_DK[1:])
    numbers = {"lead": lead_DK[0], "lead_low": low_K, "lead_high": high_K}
    return pl.DataFrame({"threshold": thresholds, **numbers})


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: a row a comparison and data set, a column an N."""
    panels = data.partition_by("method", "dataset", maintain_order=True)
    columns = max(len(_ns(part)) for part in panels)
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(len(panels), columns, 1.9, sharex=True, sharey="row")
        drawn = [
            (axes, part.filter(pl.col("n") == n))
            for axes_C, part in zip(axes_RC, panels, strict=True)
            for axes, n in zip(axes_C, _ns(part), strict=False)
        ]
        for axes, panel in drawn:
            for series in reversed(SERIES):
                rows = panel.filter(pl.col("series") == series).sort("length", "threshold")
                # Markers at an accuracy of 0 stay whole.
                style.banded(axes, rows, LOOKS[series], x="length", band=0.13, clip_on=False)
            axes.set_title(f"N = {panel['n'][0]}")
            axes.locator_params(axis="y", nbins=6)
            axes.margins(y=0.12)  # room for thresholds above the highest point
        # What can be labelled depends on the limits, which are final only when all rows are drawn.
        for axes, panel in drawn:
            axes.set_ylim(bottom=max(axes.get_ylim()[0], 0.0))
            _thresholds(axes, panel.filter(pl.col("series") == "selection").sort("threshold"))
        titles = [axes.get_title() for axes in axes_RC[0]]
        if len({tuple(_ns(part)) for part in panels}) == 1:
            for axes in axes_RC[1:].flat:
                axes.set_title("")
        for axes in axes_RC[:, 0]:
            axes.set_ylabel("Accuracy (%)")
        for axes in axes_RC[-1]:
            axes.set_xlabel("Mean length (tokens a solution)")
        names = [f"{style.method_name(part['method'][0])}\n{part['dataset'][0]}" for part in panels]
        style.name_margins(axes_RC, titles, names)
        style.legend_below(figure, [LOOKS[series] for series in SERIES])
        seaborn.despine(figure)
    return figure


def _ns(part: pl.DataFrame) -> list[int]:
    return sorted(part["n"].unique().to_list())


def _thresholds(axes: Axes, swept: pl.DataFrame) -> None:
    """Thresholds beside some points of the sweep: the ends first, then those in between that have room."""
    (x_low, x_high), (y_low, y_high) = axes.get_xlim(), axes.get_ylim()
    points = swept.select("threshold", "length", "accuracy").rows()
    middle = len(points) // 2
    order = [0, len(points) - 1, middle, *range(1, len(points) - 1)]
    taken: list[tuple[float, float]] = []
    for i in dict.fromkeys(order):
        threshold, length, accuracy = points[i]
        at = ((length - x_low) / (x_high - x_low), (100 * accuracy - y_low) / (y_high - y_low))
        if any(abs(at[0] - x) < 0.13 and abs(at[1] - y) < 0.13 for x, y in taken):
            continue
        taken.append(at)
        axes.annotate(
            f"{threshold:g}",
            (length, 100 * accuracy),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL,
            color=LOOKS["selection"].color,
        )


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    found = [
        (*names, [_found(panel.filter(pl.col("n") == n), n) for n in _ns(panel)])
        for *names, panel in panels(data)
    ]
    return fill(__file__, ".rst", points=points, panels=found)


def _found(panel: pl.DataFrame, n: int) -> dict[str, Any]:
    """The best fixed budget, the shortest selection that is as good, and the lead of the middle threshold.

    The middle threshold is chosen by rule, as in the claim; the one that is furthest ahead is there only if
    it is ahead of that.
    """
    fixed = panel.filter(pl.col("series") == "fixed").sort("accuracy", "length", descending=[True, False])
    swept = panel.filter(pl.col("series") == "selection").sort("length", "threshold")
    best = fixed.row(0, named=True)
    enough = swept.filter(pl.col("accuracy") >= best["accuracy"])
    middle = swept.sort("threshold").row(swept.height // 2, named=True)
    top = swept.sort("lead", descending=True, maintain_order=True).row(0, named=True)
    ahead = side(top["lead_low"], top["lead_high"]) == "ahead" and top["lead"] > middle["lead"] + ROUNDING
    return {
        "n": n,
        "best": best,
        "enough": None if enough.is_empty() else enough.row(0, named=True),
        "closest": swept.sort("accuracy", descending=True, maintain_order=True).row(0, named=True),
        "middle": middle,
        "furthest": top if ahead else None,
        "swept": swept.height,
        "sides": counted(swept),
    }
