"""The figure `sequential_parallel`: longer solutions and more of them, together (the paper's figure 1, left).

Columns are data sets; each comparison has a row of accuracy against the length budget, or against what it
costs, one line for few, some and many solutions a problem, and under it the ratio of RL^V to the base method
with the most solutions, at the same budget. At its budget a solution is cut and made to answer. Left
out on purpose: budgets that differ between problems (length_selection.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.prices import COSTS
from rlv.evaluation.ratio import ratio
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import AGAINST, in_order, panels, percent_axis, same_points
from rlv.figures.panel_captions import number
from rlv.figures.rows import curve, refuse_empty, refuse_unknown, same_problems
from rlv.figures.sides import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Role -> (strategy, which of the comparison's verifiers scores it; majority voting reads no scores).
LINES = {"rl_v": ("weighted_voting", "verifier"), "base": ("majority", "judge")}
NAMES = {"rl_v": "RL$^V$, weighted voting", "base": "Base RL, majority voting"}
PAPER = (1.2, 1.6)  # ratio RL^V / base when parallel and sequential compute grow together (abstract)
BAND = "#dfdfdf"
# Drawn if an interval has no upper end.
ARROW: dict[str, Any] = {
    **{"marker": 6, "markersize": 5, "linestyle": "none", "clip_on": False, "label": "_unbounded"}
}
COLUMNS = ["dataset", "method", "role", "strategy", "reasoner", "verifier", "n", "budget", "against", "x"]
RATIO = ["ratio", "ratio_low", "ratio_high"]
VALUES = ["accuracy", "low", "high", *COSTS, *RATIO]


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a line (role and N) and budget, at the smallest, the middle and the largest N.

    Columns: dataset, method, role, strategy, reasoner, verifier, n, budget (tokens), against, x (the budget,
    or mean tokens or FLOPs a problem at it), accuracy, low, high (fractions), COSTS (mean a problem,
    generated and read), and for RL^V ratio, ratio_low, ratio_high: its accuracy over the base method's at the
    same N and budget, paired over problems as in `rlv.evaluation.ratio`, whose ends may be infinite; null
    if the base method's accuracy is 0 or it lacks the budget.
    `tables`: curves and per_problem of several budgets. `params`: comparisons, datasets, against, draws,
    seed. Raises DataError if a curve is missing, has one budget, or the two sides share no N or problems.
    """
    figure = params["figure"]
    refuse_empty(params, "lengths")
    against = params.get("against", "n")
    axis = "budget" if against == "n" else against
    parts = []
    for method, comparison in params["comparisons"].items():
        for dataset in params["datasets"]:
            rows, problems = {}, {}
            for role, (strategy, scorer) in LINES.items():
                reasoner = comparison[role]
                wanted = {"dataset": dataset, "reasoner": reasoner, "verifier": comparison[scorer]}
                wanted |= {"strategy": strategy}
                for name, found in (("curves", rows), ("per_problem", problems)):
                    found[role] = curve(tables[name], wanted, figure=figure, name=name, budgets=True)
                budgets = rows[role]["budget"].unique().to_list()
                if len(budgets) < 2:
                    raise DataError(
                        f"figure {figure}: {reasoner!r} on {dataset!r} has only budget {budgets[0]}; it "
                        "draws accuracy against the budget; name two or more under `lengths.budgets`"
                    )
            levels = _levels(rows, figure, dataset, method)
            sides = ((comparison[role], problems[role]["problem_id"]) for role in LINES)
            same_problems(figure, dataset, *sides)
            for role in LINES:
                found = rows[role].filter(pl.col("n").is_in(levels)).sort("n", "budget")
                refuse_unknown(found, axis, figure)
                found = found.with_columns(
                    method=pl.lit(method),
                    role=pl.lit(role),
                    against=pl.lit(against),
                    x=pl.col(axis).cast(pl.Float64),
                )
                rows[role] = found
            parts += [_with_ratios(rows, problems, n, params) for n in levels]
            nothing = [pl.lit(None, pl.Float64).alias(name) for name in RATIO]
            parts.append(rows["base"].with_columns(nothing))
    return pl.concat([part.select(*COLUMNS, *VALUES) for part in parts])


def _with_ratios(
    rows: Mapping[str, pl.DataFrame], problems: Mapping[str, pl.DataFrame], n: int, params: Mapping[str, Any]
) -> pl.DataFrame:
    """RL^V's rows at one N with their ratios to the base method's at the same budget."""
    ours, base = (rows[role].filter(pl.col("n") == n) for role in ("rl_v", "base"))
    weights_KJ = same_points(*(one["budget"].to_numpy() for one in (base, ours)))
    above_PJ = _by_problem(problems["rl_v"], ours, n, params["figure"])
    below_PJ = _by_problem(problems["base"], base, n, params["figure"]) @ weights_KJ
    found = [
        ratio(*pair, params["draws"], params["seed"]) for pair in zip(above_PJ.T, below_PJ.T, strict=True)
    ]
    # If the base method solves nothing there is no ratio, and no interval of one.
    known = [None if np.isnan(e.value) else (e.value, e.low, e.high) for e in found]
    numbers = zip(*[one or (None, None, None) for one in known], strict=True)
    columns = [pl.Series(name, list(v), pl.Float64) for name, v in zip(RATIO, numbers, strict=True)]
    return ours.with_columns(columns)


def _by_problem(long: pl.DataFrame, rows: pl.DataFrame, n: int, figure: str) -> Floats:
    """Accuracies at one N, values_PK: problems by their ids, budgets in the order of `rows`."""
    budgets = [str(budget) for budget in rows["budget"]]
    chosen = long.filter(pl.col("n") == n)
    wide = chosen.pivot(on="budget", index="problem_id", values="accuracy").sort("problem_id")
    if set(wide.columns[1:]) != set(budgets) or wide.null_count().to_numpy().any():
        raise DataError(
            f"figure {figure}: {long['reasoner'][0]!r} on {long['dataset'][0]!r} does not have every problem "
            f"at N = {n} and budgets {', '.join(budgets)} in per_problem; evaluate again"
        )
    return wide.select(budgets).to_numpy()


def _levels(rows: Mapping[str, pl.DataFrame], figure: str, dataset: str, method: str) -> list[int]:
    """The smallest, the middle and the largest N that both sides have."""
    ns_ours, ns_base = (sorted(rows[role]["n"].unique().to_list()) for role in ("rl_v", "base"))
    common = [n for n in ns_ours if n in ns_base]
    if not common:
        raise DataError(
            f"figure {figure}: comparison {method!r} on {dataset!r}: RL^V has N = {ns_ours}, the base method "
            f"N = {ns_base}, none in common; evaluate both at the same N"
        )
    return sorted({common[0], common[len(common) // 2], common[-1]})


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: for each comparison a row of accuracies and a row of ratios."""
    against = data["against"][0]
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    looks = {
        role: style.count_looks(
            style.LOOKS[role, strategy],
            sorted(data.filter(pl.col("role") == role)["n"].unique().to_list()),
            NAMES[role],
        )
        for role, (strategy, _) in LINES.items()
    }
    with style.theme():
        import seaborn

        heights = [1.9, 0.9] * len(methods)
        height = 1.4 if against == "n" else 1.6  # two axes to label
        figure, axes_RC = style.panels(2 * len(methods), len(datasets), height, height_ratios=heights)
        for (above, below), (_, _, panel) in style.pairs(axes_RC, panels(data)):
            _accuracies(above, panel, looks)
            _ratios(below, panel, looks["rl_v"])
            budgets = sorted(panel["budget"].unique().to_list())
            budget_axis(below, budgets)
            if against == "n":
                budget_axis(above, budgets)
                above.tick_params(labelbottom=False)
            else:
                style.cost_axis(above, panel["x"].to_list())
                above.set_xlabel(AGAINST[against])
        labels = ["Accuracy (%)", f"RL$^V$ / base\n(N = {data['n'].max()})"] * len(methods)
        for axes, label in zip(axes_RC[:, 0], labels, strict=True):
            axes.set_ylabel(label)
        figure.align_ylabels(axes_RC[:, 0])
        for axes in axes_RC[-1]:
            axes.set_xlabel("Length budget (tokens)")
        rows = [name for method in methods for name in (style.method_name(method), "")]
        style.name_margins(axes_RC, datasets, rows)
        paper = style.Look(f"Ratio in the paper, {PAPER[0]:g} to {PAPER[1]:g}", BAND, "", "-", 6)
        style.legend_below(figure, [*looks["rl_v"].values(), paper, *looks["base"].values()])
        seaborn.despine(figure)
    return figure


def _accuracies(axes: Axes, panel: pl.DataFrame, looks: Mapping[str, Mapping[int, style.Look]]) -> None:
    """A line a role and N; bands only for the most solutions, the other intervals are in the CSV."""
    largest = panel["n"].max()
    for role, by_n in looks.items():
        for n, look in by_n.items():
            rows = panel.filter(pl.col("role") == role, pl.col("n") == n).sort("budget")
            style.banded(axes, rows, look, band=0.14 if n == largest else 0)
    percent_axis(axes)


def _ratios(axes: Axes, panel: pl.DataFrame, looks: Mapping[int, style.Look]) -> None:
    """The ratio at the largest N with its interval; the paper's range in grey, no gain as a dotted line."""
    rows = panel.filter(pl.col("role") == "rl_v", pl.col("n") == panel["n"].max())
    rows = rows.drop_nulls("ratio").sort("budget")
    axes.axhspan(*PAPER, color=BAND, linewidth=0, zorder=0.5)
    axes.axhline(1.0, color=style.DARK_GREY, linewidth=0.8, linestyle=":")
    if rows.is_empty():
        axes.locator_params(axis="y", nbins=4)
        return
    look = looks[int(rows["n"][0])]
    x, y, low, high = (rows[c].to_numpy() for c in ("budget", *RATIO))
    unbounded = np.isinf(high)
    highest = max(y.max(), high[~unbounded].max(initial=1.0))
    if highest > 3 or unbounded.any():
        # A base method that solves next to nothing at the shortest budget would flatten the others.
        from matplotlib.ticker import LogLocator

        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_locator(LogLocator(base=2, numticks=4))  # labels stay apart in a low panel
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        # A ratio of 0 lies at the lower edge: infinitely far down on this axis.
        bottom = min([1.0, *low[low > 0], *y[y > 0]]) / 1.25
        axes.set_ylim(bottom, 1.25 * highest)
    else:
        axes.locator_params(axis="y", nbins=4)
        bottom = 0.0
    low, y = np.maximum(low, bottom), np.maximum(y, bottom)
    axes.vlines(x, np.minimum(low, 1.25 * highest), np.minimum(high, 1.25 * highest), color=look.color)
    style.line(axes, x, y, look)
    if unbounded.any():
        axes.plot(x[unbounded], np.full(unbounded.sum(), 1.25 * highest), color=look.color, **ARROW)


def budget_axis(axes: Axes, budgets: Sequence[int]) -> None:
    """A tick at each budget; logarithmic if the budgets span more than a factor of eight."""
    if max(budgets) > 8 * min(budgets):
        style.count_axis(axes, budgets, every=2 if len(budgets) > 8 else 1)
        return
    margin = 0.05 * max(max(budgets) - min(budgets), 1)
    axes.set_xlim(min(budgets) - margin, max(budgets) + margin)
    every = -(-len(budgets) // 8)
    axes.set_xticks(list(budgets), [str(b) if i % every == 0 else "" for i, b in enumerate(budgets)])


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    top = data.filter(pl.col("role") == "rl_v", pl.col("n") == data["n"].max()).drop_nulls("ratio")
    found = []
    for method, dataset, panel in panels(data):
        largest = panel.filter(pl.col("n") == panel["n"].max()).sort("budget")
        ours, base = (largest.filter(pl.col("role") == role) for role in LINES)
        ratios = [(row["budget"], _times(row, base)) for row in ours.iter_rows(named=True)]
        found.append((method, dataset, ratios, _growth(ours), _growth(base)))
    return fill(
        __file__,
        ".rst",
        against=data["against"][0],
        paper=PAPER,
        most=data["n"].max(),
        unbounded=top["ratio_high"].is_infinite().any(),
        sides=counted(top, "ratio", 1.0),
        inside=top.filter(pl.col("ratio").is_between(*PAPER)).height,
        panels=found,
    )


def _times(row: Mapping[str, Any], base: pl.DataFrame) -> str:
    """`1.23 [1.10, 1.41]`, or why there is no ratio."""
    if row["ratio"] is not None:
        return number(row, RATIO, ".2f")
    return "undefined (the base method solves nothing)" if row["budget"] in base["budget"] else "no number"


def _growth(rows: pl.DataFrame) -> str:
    """From which accuracy to which a role goes, with budgets ascending."""
    return f"{100 * rows['accuracy'][0]:.1f} to {100 * rows['accuracy'][-1]:.1f} %"
