"""The figure `coefficient`: what more weight on verification buys, and what it costs the reasoner.

Columns are methods; under each other, against the coefficient on one logarithmic axis: the reasoner's pass@1
and its verifier's balanced accuracy. Coefficient 0 is the base method, which never learnt to verify and is
prompted as judge; it stands left of a break in the axis. Left out: what voting makes of both
(parallel_scaling.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.sides import ROUNDING, side
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order, panels
from rlv.figures.panel_captions import number, unfinished
from rlv.figures.rows import compared, curve, metric, refuse_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = {
    "pass_at_1": ("Reasoner\npass@1 (%)", 100.0),
    "balanced_accuracy": ("Verifier balanced\naccuracy (fraction)", 1.0),
}
# How the base method (coefficient 0) looks in each: as a reasoner, and as judge of its own solutions.
BASE = {
    "pass_at_1": style.LOOKS["base", "majority"],
    "balanced_accuracy": style.LOOKS["base", "weighted_voting"],
}
CHANGE = ("change", "change_low", "change_high")
COLUMNS = [
    *("dataset", "method", "coefficient", "reasoner", "verifier", "budget"),
    *("quantity", "value", "low", "high", *CHANGE, "unfinished"),
]


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row for each reasoner and quantity.

    Columns: dataset, method, coefficient, reasoner, verifier, budget, quantity, value, low, high,
    change, change_low, change_high, unfinished (the share of the reasoner's solutions that ran into their
    budget; null beside verifiers, and if it was not counted).

    Quantities, as fractions: pass_at_1, the accuracy of one solution (majority voting at N = 1), and
    balanced_accuracy of the reasoner's verifier over solutions that have an answer, null if a class of
    them is missing. The change is of pass_at_1 from the smallest coefficient of the method, paired over
    problems; null there and for verifiers.
    Sorted by coefficient. `tables`: curves, per_problem, verification. `params`: reasoners, datasets, draws,
    seed. Raises DataError if a method has fewer than two coefficients or one twice, or if the tables
    lack a number.
    """
    figure = params["figure"]
    refuse_empty(params, "reasoners")
    rows = []
    for method, entries in params["reasoners"].items():
        values = sorted(float(entry["coefficient"]) for entry in entries)
        if len(values) < 2 or len(set(values)) < len(values):
            raise DataError(
                f"figure {figure}: reasoners of {method!r} have verification coefficients {values}; it is a "
                "curve over two or more different ones; list one reasoner a coefficient"
            )
        for dataset in params["datasets"]:
            smallest = None
            for entry in sorted(entries, key=lambda entry: float(entry["coefficient"])):
                names = {"dataset": dataset, "reasoner": entry["reasoner"], "verifier": entry["verifier"]}
                label = names | {"method": method, "coefficient": float(entry["coefficient"])}
                one = _one_solution(tables["curves"], names, figure)
                wanted = {**names, "strategy": "majority"}
                problems = curve(tables["per_problem"], wanted, figure=figure, name="per_problem")
                problems = problems.filter(pl.col("n") == 1)
                if smallest is None:
                    smallest = problems
                else:
                    change = compared(problems, smallest, ["n"], np.subtract, "change", params)
                    one |= change.select(CHANGE).row(0, named=True)
                verifier = metric(tables["verification"], names, "balanced_accuracy", figure=figure)
                rows.append(label | {"quantity": "pass_at_1"} | one)
                rows.append(label | {"quantity": "balanced_accuracy"} | verifier)
    numbers = {"budget": pl.Int32, "coefficient": pl.Float64, "value": pl.Float64}
    numbers |= dict.fromkeys(("low", "high", *CHANGE, "unfinished"), pl.Float64)
    rows = [dict.fromkeys((*CHANGE, "unfinished")) | row for row in rows]
    return pl.DataFrame(rows, schema_overrides=numbers).select(COLUMNS)


def _one_solution(curves: pl.DataFrame, names: Mapping[str, str], figure: str) -> dict[str, Any]:
    """Accuracy of a single solution with its interval: the vote of one."""
    rows = curve(curves, {**names, "strategy": "majority"}, figure=figure, name="curves")
    one = rows.filter(pl.col("n") == 1)
    if one.is_empty():
        raise DataError(
            "figure {}: {reasoner!r} on {dataset!r} is not evaluated at N = 1, only at {}; add 1 to "
            "`evaluation.ns`".format(figure, rows["n"].to_list(), **names)
        )
    return one.select("budget", "low", "high", "unfinished", value="accuracy").row(0, named=True)


def places(coefficients: Sequence[float]) -> dict[float, float]:
    """Where each coefficient stands: its log10; 0 stands one and a half mean gaps left of the smallest."""
    logs = {c: math.log10(c) for c in sorted(set(coefficients)) if c > 0}
    if 0.0 not in coefficients or not logs:
        return logs or {0.0: 0.0}
    ends = list(logs.values())
    gap = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 1.0
    return {0.0: ends[0] - 1.5 * gap} | logs


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: columns are methods, rows are quantities of each data set."""
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    x_of = places(data["coefficient"].to_list())
    with style.theme():
        import seaborn

        rows = [(dataset, quantity) for dataset in datasets for quantity in QUANTITIES]
        figure, axes_RC = style.panels(len(rows), len(methods), 1.35, sharex=True, sharey="row")
        for row, (dataset, quantity) in enumerate(rows):
            label, scale = QUANTITIES[quantity]
            for column, method in enumerate(methods):
                chosen = {"dataset": dataset, "quantity": quantity, "method": method}
                panel = data.filter(*[pl.col(c) == value for c, value in chosen.items()])
                _panel(axes_RC[row, column], panel.drop_nulls("value"), x_of, scale, BASE[quantity])
                if quantity == "balanced_accuracy":
                    axes_RC[row, column].axhline(0.5, color=style.DARK_GREY, linewidth=0.8, linestyle=":")
                axes_RC[row, column].locator_params(axis="y", nbins=5)
            axes_RC[row, 0].set_ylabel(label)
        figure.align_ylabels(axes_RC[:, 0])
        width = (figure.get_figwidth() - 0.55) / len(methods) - 0.12  # of a panel, about
        for axes in axes_RC[-1]:
            axes.set_xlabel("Verification coefficient, λ")
            axes.set_xticks(list(x_of.values()), _tick_labels(x_of, width))
        for axes in axes_RC.flat:
            _limits(axes, x_of)
        names = [name if len(datasets) > 1 else "" for dataset in datasets for name in (dataset, "")]
        style.name_margins(axes_RC, [style.method_name(m) for m in methods], names)
        marked = [replace(style.LOOKS["rl_v", ""], label="RL$^V$, own verifier", marker="o")]
        if 0.0 in x_of:
            named = {"pass_at_1": "Base RL (λ = 0)", "balanced_accuracy": "Base RL (λ = 0), itself as judge"}
            marked += [replace(BASE[q], label=name, line="None") for q, name in named.items()]
        style.legend_below(figure, marked)
        seaborn.despine(figure)
    return figure


def _panel(
    axes: Axes, panel: pl.DataFrame, x_of: Mapping[float, float], scale: float, base: style.Look
) -> None:
    """Points with intervals; a solid line through the trained verifiers, a dotted one from coefficient 0."""
    x = [x_of[c] for c in panel["coefficient"]]
    value, low, high = (scale * panel[c].to_numpy() for c in ("value", "low", "high"))
    trained = [i for i, c in enumerate(panel["coefficient"]) if c > 0]
    blue = style.LOOKS["rl_v", ""].color
    axes.plot(x[:2], value[:2], color=style.GREY, linewidth=0.9, linestyle=":")
    axes.plot([x[i] for i in trained], value[trained], color=blue, linewidth=1.4)
    for i, coefficient in enumerate(panel["coefficient"]):
        color, marker = (blue, "o") if coefficient > 0 else (base.color, base.marker)
        axes.plot([x[i]] * 2, [low[i], high[i]], color=color, linewidth=1.2)
        style.line(axes, [x[i]], [value[i]], style.Look("", color, marker), markersize=4.2)


def _limits(axes: Axes, x_of: Mapping[float, float]) -> None:
    """Room at both ends, and two strokes through the axis where it jumps to coefficient 0."""
    ends = list(x_of.values())
    margin = 0.06 * max(ends[-1] - ends[0], 1.0)
    axes.set_xlim(ends[0] - margin, ends[-1] + margin)
    if 0.0 in x_of and len(ends) > 1:
        middle, apart = (ends[0] + ends[1]) / 2, 0.012 * (ends[-1] - ends[0])
        axes.plot(
            [middle - apart, middle + apart],
            [0, 0],
            transform=axes.get_xaxis_transform(),
            marker=[(-1, -2), (1, 2)],
            markersize=6,
            linestyle="none",
            color=".3",
            clip_on=False,
            label="_break",
        )


def _tick_labels(x_of: Mapping[float, float], width: float) -> list[str]:
    """A coefficient's digits under its tick, left out if they would touch the last ones shown.

    `width`: of the panel, in inches.
    """
    ends = list(x_of.values())
    inch = width / max(ends[-1] - ends[0], 1e-9) / 1.12
    labels, free_from = [], -math.inf
    for coefficient, x in x_of.items():
        text = f"{coefficient:g}"
        half = sum(0.016 if letter == "." else 0.031 for letter in text)  # at 7 points
        start = (x - ends[0]) * inch - half
        labels.append(text if start >= free_from else "")
        if start >= free_from:
            free_from = start + 2 * half + 0.05
    return labels


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    found = []
    for method, dataset, panel in panels(data):
        one = panel.filter(pl.col("quantity") == "pass_at_1").sort("coefficient")
        scored = panel.filter(pl.col("quantity") == "balanced_accuracy").drop_nulls("value")
        accuracy = None if scored.is_empty() else _extremes(scored, 1, ".3f", "")
        pass_at_1 = _extremes(one, 100, ".1f", " %")
        found.append((method, dataset, pass_at_1, _change(one), accuracy, unfinished(one)))
    tested = sorted(data["coefficient"].unique().to_list())
    return fill(__file__, ".rst", tested=tested, panels=found)


def _extremes(rows: pl.DataFrame, scale: float, form: str, unit: str) -> dict[str, Any]:
    """Highest and lowest value with their intervals, and the coefficients at which they are."""
    ordered = rows.sort("value", descending=True, maintain_order=True)
    top, bottom = ordered.row(0, named=True), ordered.row(-1, named=True)
    highest, lowest = (number(row, form=form, scale=scale, unit=unit) for row in (top, bottom))
    return {
        "same": top["value"] - bottom["value"] <= ROUNDING,
        **{"highest": highest, "at_highest": top["coefficient"]},
        **{"lowest": lowest, "at_lowest": bottom["coefficient"]},
    }


def _change(one: pl.DataFrame) -> dict[str, Any]:
    """By how much pass@1 changes from the smallest coefficient to the largest, and whether it is decided."""
    first, last = one.row(0, named=True), one.row(-1, named=True)
    return {
        **{"start": first["coefficient"], "end": last["coefficient"]},
        "points": number(last, CHANGE, "+.1f", 100),
        "side": side(last["change_low"], last["change_high"]),
    }
