"""The figure `accuracy_table`: every reasoner and verifier on every data set, in numbers and as a dot plot.

One row a data set, reasoner and verifier. The picture shows pass@1, majority and weighted voting of each row;
`files` leaves the whole table beside it as Markdown, LaTeX and HTML (table_text.py). Left out:
numbers of solutions between one and the largest (parallel_scaling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.evaluation.verifier_metrics import ANSWERED
from rlv.evaluation.votes import VOTES
from rlv.figures import style, table_text
from rlv.figures.accuracy_panels import in_order
from rlv.figures.panel_captions import number, unfinished_shares
from rlv.figures.rows import compared, curve
from rlv.figures.sides import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Column of the table -> the vote that fills it; pass@1 is the vote of one solution.
VOTE_COLUMNS = {
    "pass_at_1": "majority",
    "majority": "majority",
    "weighted_voting": "weighted_voting",
    "best_of_n": "best_of_n",
    "pass_at_n": "pass_at_n",
}
METRICS = ("balanced_accuracy", "auroc")
Looks = Mapping[str, style.Look]
ENDS = ("", "_low", "_high")
GAIN = ("gain", "gain_low", "gain_high")
LABELS = ["dataset", "reasoner", "verifier", "role", "scorer", "n", "budget", "budgets", "unfinished"]


# Role -> scorer -> the comparison's key of that verifier, as far as they have a look (style.py).
SCORERS = {
    "base": {name: name for name in ("judge", "separate", "chain", "confidence", "brevity")},
    "rl_v": {"own": "verifier", "separate": "separate", "confidence": "confidence"},
    "cold": {},
}
# Column -> how far down from the middle of its row it is drawn, in rows.
MARKS = {"pass_at_1": -0.24, "majority": 0.0, "weighted_voting": 0.24}
# Where nothing is compared every row is alike, and only the votes differ.
ALONE = {
    "pass_at_1": style.Look("One solution, pass@1", style.GREY, "d"),
    "majority": style.Look("Majority voting", style.ORANGE, "s"),
    "weighted_voting": style.Look("Weighted voting", style.BLUE, "o"),
}
# What has no look of its own in other figures is grey: single solutions, and reasoners outside comparisons.
PLAIN = {
    "pass_at_1": style.Look("One solution, pass@1", style.GREY, "d"),
    "majority": style.Look("Other reasoners, majority voting", style.GREY, "p"),
    "weighted_voting": style.Look("Other verifiers, weighted voting", style.GREY, "h"),
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """The table: one row a data set, reasoner and verifier ("" if none read the reasoner's solutions).

    Columns: dataset, reasoner, verifier, role ("base", "rl_v", "cold") and scorer ("own", "judge", "separate"
    or a control) that the two have in a comparison ("" if in none), n (the largest N that all rows of the
    data set have), budget (the largest if there are several), budgets (how many there are), unfinished (the
    share of the reasoner's solutions that ran into that budget; null if it was not counted), for each of
    pass_at_1, majority, weighted_voting, best_of_n, pass_at_n, balanced_accuracy, auroc (fractions; the last
    two of solutions that have an answer) its value, `_low` and `_high`, and gain, gain_low, gain_high:
    weighted voting less majority voting of the same solutions, paired over problems; null if there is no
    verifier or the metric is undefined. Data sets in the order of `params` datasets (all, if there are none),
    rows in the order of the tables. `tables`: curves, per_problem, verification. `params`: comparisons,
    datasets, draws, seed.
    Raises DataError if there are no rows or a reasoner is not evaluated at N = 1.
    """
    figure = params["figure"]
    curves = tables["curves"]
    datasets = list(params.get("datasets") or in_order(curves, "dataset"))
    parts = []
    for dataset in datasets:
        mine = curves.filter(pl.col("dataset") == dataset)
        if mine.is_empty():
            there = ", ".join(in_order(curves, "dataset")) or "none"
            raise DataError(
                f"figure {figure}: no evaluation on {dataset!r}, there are some on {there}; put it into the "
                "`evaluate_on` of a reasoner or out of the figure's `datasets`"
            )
        rows = _dataset_rows(mine, tables["verification"], dataset, figure)
        parts += [row | _roles(row, params) | _gain(row, tables["per_problem"], params) for row in rows]
    if not parts:
        raise DataError(f"figure {figure}: no evaluation at all; name data sets under `evaluate_on`")
    numbers = [f"{column}{end}" for column in (*VOTE_COLUMNS, *METRICS) for end in ENDS]
    numbers += GAIN
    schema = {
        "n": pl.Int32,
        "budget": pl.Int32,
        "budgets": pl.Int32,
        "unfinished": pl.Float64,
    } | dict.fromkeys(numbers, pl.Float64)
    return pl.DataFrame(parts, schema_overrides=schema).select(*LABELS, *numbers)


def _dataset_rows(
    curves: pl.DataFrame, verification: pl.DataFrame, dataset: str, figure: str
) -> list[dict[str, Any]]:
    """The rows of one data set, at the largest N that all its reasoners have."""
    chosen = {}  # reasoner -> its curves at its largest budget, how many budgets it has
    for reasoner in in_order(curves, "reasoner"):
        mine = curves.filter(pl.col("reasoner") == reasoner)
        chosen[reasoner] = (
            mine.filter(pl.col("budget") == mine["budget"].max()),
            mine["budget"].n_unique(),
        )
        if 1 not in mine["n"]:
            raise DataError(
                f"figure {figure}: {reasoner!r} on {dataset!r} is not evaluated at N = 1, only at "
                f"{sorted(mine['n'].unique())}; add 1 to `evaluation.ns`"
            )
    n = max(set.intersection(*(set(mine["n"]) for mine, _ in chosen.values())))
    metrics = verification.filter(pl.col("dataset") == dataset)
    rows = []
    for reasoner, (mine, budgets) in chosen.items():
        verifiers = [v for v in in_order(mine, "verifier") if v] or [""]
        for verifier in verifiers:
            row = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier, "n": n}
            row |= {"budget": mine["budget"][0], "budgets": budgets, "unfinished": mine["unfinished"][0]}
            for column, strategy in VOTE_COLUMNS.items():
                at = 1 if column == "pass_at_1" else n
                scorer = verifier if VOTES[strategy].reads_scores else ""
                found = mine.filter(
                    pl.col("strategy") == strategy, pl.col("n") == at, pl.col("verifier") == scorer
                )
                row |= _numbers(column, found.rename({"accuracy": "value"}))
            for name in METRICS:
                found = metrics.filter(
                    pl.col("reasoner") == reasoner,
                    pl.col("verifier") == verifier,
                    pl.col("metric") == name,
                    pl.col("over") == ANSWERED,
                    pl.col("budget") == mine["budget"][0],
                )
                row |= _numbers(name, found)
            rows.append(row)
    return rows


def _roles(row: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, str]:
    """{"role", "scorer"} of a row's reasoner and verifier in the first comparison that has the reasoner."""
    for comparison in (params.get("comparisons") or {}).values():
        for role in ("base", "rl_v", "cold"):
            names = (comparison.get("replicas") or {}).get(role) or [comparison.get(role)]
            if row["reasoner"] not in names:
                continue
            named = {scorer: comparison.get(key) for scorer, key in SCORERS[role].items()}
            scorers = [scorer for scorer, name in named.items() if name and name == row["verifier"]]
            return {"role": role, "scorer": scorers[0] if scorers else ""}
    return {"role": "", "scorer": ""}


def _gain(
    row: Mapping[str, Any], per_problem: pl.DataFrame, params: Mapping[str, Any]
) -> dict[str, float | None]:
    """{"gain", "gain_low", "gain_high"} of a row, nulls if it has no verifier."""
    if row["weighted_voting"] is None or row["majority"] is None:
        return dict.fromkeys(GAIN)
    wanted = {key: row[key] for key in ("dataset", "reasoner", "verifier")}
    here = per_problem.filter(pl.col("n") == row["n"], pl.col("budget") == row["budget"])
    weighted, majority = (
        curve(here, {**wanted, "strategy": s}, figure=params["figure"], name="per_problem")
        for s in ("weighted_voting", "majority")
    )
    return compared(weighted, majority, ["n"], np.subtract, "gain", params).select(GAIN).row(0, named=True)


def _numbers(column: str, found: pl.DataFrame) -> dict[str, float | None]:
    """{column, column_low, column_high} of the first row, nulls if there is none."""
    values = found.select("value", "low", "high").row(0) if found.height else (None, None, None)
    return {f"{column}{end}": value for end, value in zip(ENDS, values, strict=True)}


def files(data: pl.DataFrame) -> dict[str, str]:
    """The table as text, by suffix: HTML, Markdown and a LaTeX fragment (package booktabs)."""
    return {suffix: fill(__file__, suffix, **table_text.values(data)) for suffix in (".html", ".md", ".tex")}


def draw(data: pl.DataFrame) -> Figure:
    """A dot plot of `data`: rows are reasoners with their verifiers, columns are data sets, accuracy in %."""
    datasets = in_order(data, "dataset")
    named = data.select("reasoner", "verifier").unique(maintain_order=True)
    # Rows of one reasoner stay together, also if a data set has a verifier that the first one lacks.
    first = {reasoner: i for i, reasoner in enumerate(in_order(named, "reasoner"))}
    entries = sorted(named.rows(), key=lambda entry: first[entry[0]])
    with style.theme():
        import seaborn
        from matplotlib.figure import Figure

        width = max(style.PAGE, 2.4 + 1.5 * len(datasets))
        plain = PLAIN if (data["role"] != "").any() else ALONE
        looks = _looks(data, plain)
        height = 0.19 * len(entries) + 0.17 * -(-len(looks) // 2) + 0.8
        figure = Figure(figsize=(width, height), layout="constrained")
        axes_RC = figure.subplots(1, len(datasets), squeeze=False, sharey=True)
        for axes, dataset in zip(axes_RC[0], datasets, strict=True):
            _dots(axes, data.filter(pl.col("dataset") == dataset), entries, plain)
            sizes = data.filter(pl.col("dataset") == dataset)["n"]
            axes.set_title(dataset)
            axes.set_xlabel(f"Accuracy (%), N = {sizes[0]}")
            axes.locator_params(axis="x", nbins=5)
        axes = axes_RC[0, 0]
        axes.set_yticks(range(len(entries)), [_row_name(*entry) for entry in entries])
        axes.set_ylim(len(entries) - 0.4, -0.6)
        for axes in axes_RC[0]:
            axes.tick_params(axis="y", length=0)
        style.legend_below(figure, looks)
        seaborn.despine(figure, left=True)
    return figure


def _dots(axes: Axes, rows: pl.DataFrame, entries: list[tuple[str, str]], plain: Looks) -> None:
    """Marks with their intervals; every other row is shaded, so that the eye keeps to its row."""
    for i in range(0, len(entries), 2):
        axes.axhspan(i - 0.5, i + 0.5, color=".955", linewidth=0, zorder=0)
    axes.grid(visible=False, axis="y")
    for column, shift in MARKS.items():
        known = rows.drop_nulls(column)
        for look, part in _by_look(known, column, plain).items():
            y = [entries.index(key) + shift for key in part.select("reasoner", "verifier").rows()]
            x, low, high = (100 * part[f"{column}{end}"].to_numpy() for end in ENDS)
            axes.hlines(y, low, high, color=look.color, linewidth=0.9)
            style.line(axes, x, y, replace(look, line="None"), markersize=3.4, markeredgewidth=0.4)


def _look(column: str, role: str, scorer: str, plain: Looks) -> style.Look:
    """The look that a mark has in all figures; if it has none, that of `plain`."""
    if column == "pass_at_1" or not role or (column == "weighted_voting" and not scorer):
        return plain[column]
    return style.look(role, column, scorer if column == "weighted_voting" else "")


def _by_look(known: pl.DataFrame, column: str, plain: Looks) -> dict[style.Look, pl.DataFrame]:
    """The rows in which a column is known, by the look that they have."""
    looks = [_look(column, role, scorer, plain) for role, scorer in known.select("role", "scorer").rows()]
    return {one: known.filter([look == one for look in looks]) for one in dict.fromkeys(looks)}


def _looks(data: pl.DataFrame, plain: Looks) -> list[style.Look]:
    """The looks of all marks that are drawn, column by column, as a legend has them: without lines."""
    found = [look for column in MARKS for look in _by_look(data.drop_nulls(column), column, plain)]
    found.sort(key=lambda look: look in list(PLAIN.values())[1:])  # what is grey for want of a role: last
    return [replace(look, line="None") for look in found]


def _row_name(reasoner: str, verifier: str) -> str:
    return f"{reasoner} + {verifier}" if verifier else reasoner


def caption(data: pl.DataFrame) -> str:
    """What the paper tabulates, what to see, and the best row of each data set, as reStructuredText."""
    several = data.filter(pl.col("budgets") > 1).select("dataset", "reasoner", "budget")
    highest = []
    for dataset in in_order(data, "dataset"):
        rows = data.filter(pl.col("dataset") == dataset)
        votes = [_best(rows, column, ".1f", 100, " %") for column in ("weighted_voting", "pass_at_1")]
        highest.append((dataset, rows["n"][0], *votes, _best(rows, "balanced_accuracy")))
    parts = data.drop_nulls("unfinished").partition_by("dataset", maintain_order=True)
    return fill(
        __file__,
        ".rst",
        unfinished=[(part["dataset"][0], unfinished_shares(part)) for part in parts],
        compared=bool((data["role"] != "").any()),
        sides=counted(data, "gain"),
        largest=several.unique(maintain_order=True).rows(),
        highest=highest,
    )


def _best(rows: pl.DataFrame, column: str, *form: Any) -> dict[str, str] | None:
    """The row with the highest number: {"number", "reasoner", "verifier"}; one solution has no verifier."""
    known = rows.drop_nulls(column).sort(column, descending=True, maintain_order=True)
    if known.is_empty():
        return None
    row = known.row(0, named=True)
    names = {"reasoner": row["reasoner"], "verifier": "" if column == "pass_at_1" else row["verifier"]}
    return {"number": number(row, [f"{column}{end}" for end in ENDS], *form)} | names
