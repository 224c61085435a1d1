"""The figure `objectives`: what the verifier is trained with, one training run an objective.

Columns are data sets; each method has a row of accuracy against N or cost, and under it a row of verifier
quality. One line an objective: weighted voting with its own scores, and thin majority voting of the same
reasoner, which reads no scores and shows how much of a difference is the reasoner's. Left out: how
much the verification objective weighs (coefficient.py) and separate verifiers (unified_vs_separate.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import VOTED, style
from rlv.figures.accuracy_panels import (
    AGAINST,
    Curve,
    Measured,
    in_order,
    measured,
    paired_lead,
    panels,
    percent_axis,
    quoted_ns,
)
from rlv.figures.panel_captions import at, number, points, tally, unfinished
from rlv.figures.rows import metric, refuse_empty, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = "generative"
CURVES = (Curve("rl_v", "weighted_voting", "own"), Curve("rl_v", "majority"))
METRICS = {"balanced_accuracy": "Balanced\naccuracy", "auroc": "AUROC"}
COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "method", "objective", "reasoner", "verifier", "quantity"), pl.String),
    **{"n": pl.Int32, "budget": pl.Int32, "against": pl.String},
    **dict.fromkeys(("x", "value", "low", "high", "lead", "lead_low", "lead_high", "unfinished"), pl.Float64),
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn, one row a point; quantity is a vote (accuracy at each n) or a verifier's metric.

    Metrics are of solutions that have an answer.

    Columns: dataset, method, objective, reasoner, verifier, quantity, n (null for metrics), budget, against,
    x (N, or mean tokens or FLOPs a problem, generated and read; null for metrics), value, low, high
    (fractions), and lead, lead_low, lead_high: accuracy of the generative objective (of the first one, if
    none is generative) less this one's by the same vote at the same N or cost, paired over problems as in
    `accuracy_panels.select`; null for the reference itself and for metrics. unfinished is as there, and null
    for metrics. The reference comes first.
    `tables`: curves, per_problem, verification. `params`: reasoners, datasets, against, draws, seed. Raises
    DataError if a method has fewer than two objectives or one twice, or if the tables lack a curve or a
    metric.
    """
    figure = params["figure"]
    refuse_empty(params, "reasoners")
    parts = []
    for method, entries in params["reasoners"].items():
        ordered = _ordered(method, entries, figure)
        for dataset in params["datasets"]:
            here = {name: tables[name].filter(pl.col("dataset") == dataset) for name in VOTED}
            first: dict[Curve, Measured] = {}
            for entry in ordered:
                names = {"dataset": dataset, "reasoner": entry["reasoner"], "verifier": entry["verifier"]}
                label = names | {"method": method, "objective": entry["objective"]}
                own = {"rl_v": entry["reasoner"], "verifier": entry["verifier"]}
                for curve in CURVES:
                    found = measured(here, params, dataset, curve, own)
                    rows = found.rows
                    if curve in first:
                        rows = rows.with_columns(paired_lead(first[curve], found, params, dataset))
                    first.setdefault(curve, found)
                    rows = rows.rename({"accuracy": "value", "strategy": "quantity"})
                    parts.append(tidy(rows, label, COLUMNS))
                for name in METRICS:
                    row = metric(tables["verification"], names, name, figure=figure)
                    row |= {"quantity": name, "against": params.get("against", "n")}
                    parts.append(tidy(pl.DataFrame([row]), label, COLUMNS))
    return pl.concat(parts)


def _ordered(method: str, entries: Sequence[Mapping[str, Any]], figure: str) -> list[Mapping[str, Any]]:
    """The reference first, the others as the study lists them."""
    objectives = [entry["objective"] for entry in entries]
    if len(entries) < 2 or len(set(objectives)) < len(objectives):
        raise DataError(
            f"figure {figure}: reasoners of {method!r} have verification objectives {objectives}; it "
            "compares two or more different ones; list one reasoner an objective"
        )
    return sorted(entries, key=lambda entry: entry["objective"] != REFERENCE)


def objective_look(objective: str) -> style.Look:
    """An objective's look; one of a user's own is grey, under its own name."""
    other = style.Look(objective.replace("_", " "), style.DARK_GREY, "X", (0, (1, 1)))
    return style.LOOKS.get(("rl_v", objective), other)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: for each method a row of curves and a row of verifier quality."""
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    ns = sorted(data["n"].drop_nulls().unique().to_list())
    against = data["against"][0]
    with style.theme():
        import seaborn

        heights = [1.9, 1.3] * len(methods)
        figure, axes_RC = style.panels(2 * len(methods), len(datasets), 1.6, height_ratios=heights)
        for (above, below), (_, _, panel) in style.pairs(axes_RC, panels(data)):
            _curves(above, panel)
            if against == "n":
                style.count_axis(above, ns, every=2 if len(ns) * len(datasets) > 20 else 1)
            else:
                style.cost_axis(above, panel["x"].drop_nulls().to_list())
            above.set_xlabel(AGAINST[against])
            _metrics(below, panel)
        for row, method in enumerate(methods):
            # Verifiers are compared across data sets too: one scale for the row, with room for chance.
            quality = data.filter(pl.col("method") == method, pl.col("quantity").is_in(list(METRICS)))
            floor = _least(quality)
            for axes in axes_RC[2 * row + 1]:
                axes.set_ylim(floor, 1 + 0.06 * (1 - floor))
            axes_RC[2 * row, 0].set_ylabel("Accuracy (%)")
            axes_RC[2 * row + 1, 0].set_ylabel("Verifier\n(fraction)")
            figure.align_ylabels(axes_RC[:, 0])
        rows = [name for method in methods for name in (style.verified_name(method), "")]
        style.name_margins(axes_RC, datasets, rows)
        thin = style.Look("thin: majority voting, same reasoner", style.DARK_GREY, "", "-", 0.7)
        style.legend_below(figure, [*map(objective_look, in_order(data, "objective")), thin])
        seaborn.despine(figure)
    return figure


def _curves(axes: Axes, panel: pl.DataFrame) -> None:
    """Weighted voting with its band, and majority voting as a thin line, of every objective."""
    for objective in in_order(panel, "objective"):
        look = objective_look(objective)
        for curve in CURVES:
            chosen = (pl.col("objective") == objective) & (pl.col("quantity") == curve.strategy)
            rows = panel.filter(chosen).sort("n")
            if curve.strategy == "majority":
                thin = replace(look, marker="", width=0.7)
                style.banded(axes, rows, thin, y="value", band=0, alpha=0.8, zorder=1.5)
            else:
                style.banded(axes, rows, look, y="value", band=0.1)
    percent_axis(axes)


def _metrics(axes: Axes, panel: pl.DataFrame) -> None:
    """A point with its interval for each metric and objective, side by side."""
    objectives = in_order(panel, "objective")
    for i, objective in enumerate(objectives):
        look = objective_look(objective)
        rows = panel.filter(pl.col("objective") == objective).drop_nulls("value")
        for place, name in enumerate(METRICS):
            for point in rows.filter(pl.col("quantity") == name).iter_rows(named=True):
                x = place + 0.22 * (i - (len(objectives) - 1) / 2)
                axes.plot([x, x], [point["low"], point["high"]], color=look.color, linewidth=1.2)
                style.line(axes, [x], [point["value"]], look)
    axes.axhline(0.5, color=style.DARK_GREY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(METRICS)), list(METRICS.values()))
    axes.set_xlim(-0.6, len(METRICS) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.locator_params(axis="y", nbins=5)


def _least(quality: pl.DataFrame) -> float:
    """Where the axis of verifier quality begins: below every interval, below chance if one comes near."""
    least = quality["low"].min()
    least = 0.5 if least is None else float(least)  # pyright: ignore[reportArgumentType]
    return max(0.0, min(least, 0.5) - 0.05 if least < 0.62 else least - 0.05)


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data.drop_nulls("n"))
    reference, *others = in_order(data, "objective")
    weighted = data.filter(pl.col("quantity") == "weighted_voting")
    results = [
        (_named(other), at(data, n), tally(weighted.filter(pl.col("objective") == other, pl.col("n") == n)))
        for other in others
        for n in ns
    ]
    found = []
    for method, dataset, panel in panels(data):
        objectives = in_order(panel, "objective")
        leads = [(_named(other), _leads(panel, other, ns)) for other in objectives[1:]]
        quality = [(_named(one), *_quality(panel, one)) for one in objectives]
        found.append((method, dataset, leads, quality, unfinished(panel)))
    against = data["against"][0]
    return fill(__file__, ".rst", against=against, reference=_named(reference), results=results, panels=found)


def _named(objective: str) -> str:
    """An objective in the middle of a sentence."""
    names = {
        "generative": "generative verifier",
        "bce": "BCE head",
        "regression": "regression head",
    }
    return names.get(objective, f"{objective.replace('_', ' ')} objective")


def _leads(panel: pl.DataFrame, objective: str, ns: list[int]) -> str:
    """The reference's leads at the quoted N, by weighted and by majority voting; "" if not measured."""
    said = []
    for n in ns:
        rows = panel.filter(pl.col("objective") == objective, pl.col("n") == n)
        weighted, majority = (
            [points(row) for row in rows.filter(pl.col("quantity") == strategy).iter_rows(named=True)]
            for strategy in (curve.strategy for curve in CURVES)
        )
        if weighted and majority:
            said.append(f"{at(panel, n)} {weighted[0]} (by majority voting {majority[0]})")
    return ", ".join(said)


def _quality(panel: pl.DataFrame, objective: str) -> list[str]:
    """Balanced accuracy and AUROC with their intervals, undefined if a class is missing."""
    rows = panel.filter(pl.col("objective") == objective)
    return [number(rows.filter(pl.col("quantity") == name).row(0, named=True)) for name in METRICS]
