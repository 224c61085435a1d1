"""The figure `sequential_parallel`: longer solutions and more of them, together (the paper's figure 1, left).

Columns are data sets; each comparison has a row of accuracy against the length budget, one line for few, some
and many solutions a problem, and under it the ratio of RL^V to the base method with the most solutions. At
its budget a solution is cut and made to answer. Left out on purpose: budgets that differ between problems
(length_selection.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.rows import compared, curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Role -> (strategy, which of the comparison's verifiers scores it; majority voting reads no scores).
LINES = {"rl_v": ("weighted_voting", "verifier"), "base": ("majority", "judge")}
NAMES = {"rl_v": "RL$^V$, weighted voting", "base": "Base RL, majority voting"}
PAPER = (1.2, 1.6)  # ratio RL^V / base when parallel and sequential compute grow together (abstract)
BAND = "#dfdfdf"
COLUMNS = ["dataset", "method", "role", "strategy", "reasoner", "verifier", "n", "budget"]
VALUES = ["accuracy", "low", "high", "tokens", "ratio", "ratio_low", "ratio_high"]


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a line (role and N) and budget, at the smallest, the middle and the largest N.

    Columns: dataset, method, role, strategy, reasoner, verifier, n, budget (tokens), accuracy, low, high
    (fractions), tokens (mean a problem, generated and read), and for RL^V ratio, ratio_low, ratio_high:
    its accuracy over the base method's at the same N and budget, paired over problems; null where the base
    method's is 0. `tables`: curves and per_problem of several budgets. `params`: comparisons, datasets,
    draws, seed. Raises DataError where a curve is missing, has one budget, or the two sides share no N.
    """
    figure = params["figure"]
    if not params["comparisons"] or not params["datasets"]:
        raise DataError(
            f"figure {figure}: no panel to draw; the study's `lengths` needs a comparison and a data set"
        )
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
                        f"figure {figure}: {reasoner!r} on {dataset!r} has budget {budgets[0]} alone; it "
                        "draws accuracy against the budget; name two or more under `lengths.budgets`"
                    )
            levels = _levels(rows, figure, dataset, method)
            drawn = pl.col("n").is_in(levels)
            ratio = compared(
                problems["rl_v"].filter(drawn),
                problems["base"].filter(drawn),
                ["n", "budget"],
                _ratio,
                "ratio",
                params,
            )
            ours = rows["rl_v"].join(ratio, on=["n", "budget"], how="left", maintain_order="left")
            base = rows["base"].with_columns(
                **{c: pl.lit(None, pl.Float64) for c in VALUES if c.startswith("ratio")}
            )
            for role, found in (("rl_v", ours), ("base", base)):
                found = found.filter(drawn).sort("n", "budget")
                parts.append(found.with_columns(method=pl.lit(method), role=pl.lit(role)))
    return pl.concat([part.select(*COLUMNS, *VALUES) for part in parts])


def _ratio(ours_K: Floats, base_K: Floats) -> Floats:
    """Quotient; NaN where the base method solves nothing (an infinite ratio says nothing)."""
    return np.divide(ours_K, base_K, out=np.full(np.shape(ours_K), np.nan), where=base_K > 0)


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
        figure, axes_RC = style.panels(2 * len(methods), len(datasets), 1.4, height_ratios=heights)
        for row, method in enumerate(methods):
            for column, dataset in enumerate(datasets):
                panel = data.filter(pl.col("dataset") == dataset, pl.col("method") == method)
                above, below = axes_RC[2 * row : 2 * row + 2, column]
                _accuracies(above, panel, looks)
                _ratios(below, panel, looks["rl_v"])
                for axes in (above, below):
                    budget_axis(axes, sorted(panel["budget"].unique().to_list()))
                above.tick_params(labelbottom=False)
            axes_RC[2 * row, 0].set_ylabel("Accuracy (%)")
            axes_RC[2 * row + 1, 0].set_ylabel("RL$^V$ / base\n" + f"(N = {data['n'].max()})")
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
    """A line a role and N; bands for the most solutions alone, the other intervals are in the CSV."""
    largest = panel["n"].max()
    for role, by_n in looks.items():
        for n, look in by_n.items():
            rows = panel.filter(pl.col("role") == role, pl.col("n") == n).sort("budget")
            x = rows["budget"].to_numpy()
            y, low, high = (100 * rows[c].to_numpy() for c in ("accuracy", "low", "high"))
            if n == largest:
                axes.fill_between(x, low, high, color=look.color, alpha=0.14, linewidth=0, zorder=1)
            style.line(axes, x, y, look)
    axes.locator_params(axis="y", nbins=6)


def _ratios(axes: Axes, panel: pl.DataFrame, looks: Mapping[int, style.Look]) -> None:
    """The ratio at the largest N with its interval; the paper's range in grey, no gain as a dotted line."""
    rows = panel.filter(pl.col("role") == "rl_v", pl.col("n") == panel["n"].max())
    rows = rows.drop_nulls("ratio").sort("budget")
    axes.axhspan(*PAPER, color=BAND, linewidth=0, zorder=0.5)
    axes.axhline(1.0, color=style.DARK_GREY, linewidth=0.8, linestyle=":")
    if not rows.is_empty():
        look = looks[int(rows["n"][0])]
        x = rows["budget"].to_numpy()
        axes.vlines(x, rows["ratio_low"].to_numpy(), rows["ratio_high"].to_numpy(), color=look.color)
        style.line(axes, x, rows["ratio"].to_numpy(), look)
    highest = rows["ratio_high"].max()
    if highest is not None and float(highest) > 3:  # pyright: ignore[reportArgumentType]
        # A base method that solves next to nothing at the shortest budget would flatten the others.
        from matplotlib.ticker import LogLocator

        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_locator(LogLocator(base=2, numticks=7))
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.locator_params(axis="y", nbins=4)


def budget_axis(axes: Axes, budgets: Sequence[int]) -> None:
    """A tick at each budget; logarithmic where the budgets span more than a factor of eight."""
    if max(budgets) > 8 * min(budgets):
        style.count_axis(axes, budgets, every=2 if len(budgets) > 8 else 1)
        return
    margin = 0.05 * max(max(budgets) - min(budgets), 1)
    axes.set_xlim(min(budgets) - margin, max(budgets) + margin)
    every = -(-len(budgets) // 8)
    axes.set_xticks(list(budgets), [str(b) if i % every == 0 else "" for i, b in enumerate(budgets)])


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    most = int(data["n"].max())  # pyright: ignore[reportArgumentType]
    top = data.filter(pl.col("role") == "rl_v", pl.col("n") == most).drop_nulls("ratio")
    ahead = top.filter(pl.col("ratio_low") > 1).height
    behind = top.filter(pl.col("ratio_high") < 1).height
    inside = top.filter(pl.col("ratio").is_between(*PAPER)).height
    lines = [
        "Accuracy against the length budget of a solution, with few, some and many solutions N a problem: ",
        "weighted voting of RL\\ :sup:`V` with its own scores (blue) and majority voting of the base method ",
        "(orange), pale for few and full for many; at its budget a solution is cut and made to answer. ",
        f"Bands are 95 % intervals over problems, drawn for N = {most}. Under it, the ratio of the two at N ",
        f"= {most} (the dotted line is equality, the grey band the paper's range). The paper reports ",
        f"{PAPER[0]:g} to {PAPER[1]:g} times the performance when parallel and sequential compute grow ",
        "together. To see: whether accuracy grows with the budget at all, and whether the lead of ",
        "RL\\ :sup:`V` lasts or grows with it. ",
        f"Here, over {top.height} budgets and panels at N = {most}, RL\\ :sup:`V` is ahead in {ahead}, ",
        f"behind in {behind}, undecided (the interval holds 1) in {top.height - ahead - behind}; the ratio ",
        f"lies in the paper's range in {inside}. Ratios by budget with paired 95 % intervals:\n\n",
    ]
    for method in in_order(data, "method"):
        for dataset in in_order(data, "dataset"):
            panel = data.filter(pl.col("method") == method, pl.col("dataset") == dataset)
            ours = panel.filter(pl.col("role") == "rl_v", pl.col("n") == panel["n"].max()).sort("budget")
            ratios = ", ".join(f"{row['budget']} tokens {_times(row)}" for row in ours.iter_rows(named=True))
            lines.append(
                f"* {style.method_name(method)} on ``{dataset}``: {ratios}; from the smallest to the largest "
                f"budget {_growth(panel, 'rl_v', 'RL' + chr(92) + ' :sup:`V`')} and "
                f"{_growth(panel, 'base', 'the base method')}.\n"
            )
    return "".join(lines)


def _times(row: Mapping[str, Any]) -> str:
    """`1.23 [1.10, 1.41]`."""
    if row["ratio"] is None:
        return "undefined (the base method solves nothing)"
    return "{ratio:.2f} [{ratio_low:.2f}, {ratio_high:.2f}]".format(**row)


def _growth(panel: pl.DataFrame, role: str, name: str) -> str:
    """From which accuracy to which a role goes at its largest N."""
    chosen = panel.filter(pl.col("role") == role, pl.col("n") == panel["n"].max()).sort("budget")
    first, last = (100 * chosen["accuracy"][i] for i in (0, -1))
    return f"{name} goes from {first:.1f} to {last:.1f} %"
