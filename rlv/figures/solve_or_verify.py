"""The figure `solve_or_verify`: accuracy with N solutions and V verdicts of each, by a judge that reasons.

One panel a data set (columns) and a reasoner with its judge (rows). Colour is accuracy of weighted voting
(of the first vote that reads scores, if a study has not that one); lines join equal costs; the path is the
best N and V at every budget (Singhi et al. 2025, figure 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.frontier import ROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFERRED = "weighted_voting"
BUDGETS = 24


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: the rows of the table surface of one vote. `tables`: surface. `params`: datasets.

    Raises DataError if there is nothing to draw, or no judge has several numbers of verdicts.
    """
    found = tables["surface"].filter(pl.col("dataset").is_in(params["datasets"]))
    if found["n"].n_unique() < 2 or found["v"].n_unique() < 2:
        raise DataError(
            f"figure {params['figure']}: expected several N and V on {', '.join(params['datasets'])}, found "
            f"N = {sorted(set(found['n']))}, V = {sorted(set(found['v']))}; raise `draws` of the judge"
        )
    votes = in_order(found, "strategy")
    one = found.filter(strategy=PREFERRED if PREFERRED in votes else votes[0])
    order = {dataset: i for i, dataset in enumerate(params["datasets"])}
    return one.sort(pl.col("dataset").replace_strict(order), maintain_order=True)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets = in_order(data, "dataset")
    judged = data.select("reasoner", "verifier").unique(maintain_order=True).rows()
    with style.theme():
        figure, axes_RC = style.panels(len(judged), len(datasets), min(2.3, ROWS / len(judged)))
        for axes_C, (reasoner, verifier) in zip(axes_RC, judged, strict=True):
            for axes, dataset in zip(axes_C, datasets, strict=True):
                _panel(axes, data.filter(dataset=dataset, reasoner=reasoner, verifier=verifier))
            axes_C[0].set_ylabel("Verdicts a solution, V")
        for axes in axes_RC[-1]:
            axes.set_xlabel("Solutions per problem, N")
        names = [f"{reasoner}\n{verifier}".replace("_", " ") for reasoner, verifier in judged]
        style.name_margins(axes_RC, datasets, names)
        looks = [
            style.Look("Best N and V at a budget", style.INK, "o", "-"),
            style.Look("Equal cost", style.INK, "", (0, (2, 2)), 0.7),
        ]
        style.legend_below(figure, looks)
    return figure


def _panel(axes: Axes, panel: pl.DataFrame) -> None:
    """A cell of colour each N and V with its accuracy in percent, on axes of their ranks."""
    from matplotlib.colors import LinearSegmentedColormap

    if panel.is_empty():
        axes.set_axis_off()
        return
    ns, vs = sorted(set(panel["n"])), sorted(set(panel["v"]))
    grid = panel.sort("v", "n")
    accuracy_VN = 100 * grid["accuracy"].to_numpy().reshape(len(vs), len(ns))
    axes.imshow(
        accuracy_VN,
        origin="lower",
        aspect="auto",
        cmap=LinearSegmentedColormap.from_list("", style.shades(style.BLUE, 9)),
    )
    middle = (accuracy_VN.min() + accuracy_VN.max()) / 2
    for (j, i), value in np.ndenumerate(accuracy_VN):
        color = "white" if value > middle else style.INK
        axes.text(i + 0.3, j, f"{value:.0f}", ha="center", va="center", color=color, fontsize=style.SMALL)
    cost_VN = _costs(grid).reshape(len(vs), len(ns))
    if np.isfinite(cost_VN).all():
        axes.contour(
            np.log2(cost_VN), levels=6, colors=style.INK, linewidths=0.7, linestyles="dashed", alpha=0.6
        )
        path = best(panel)
        axes.plot([ns.index(n) for n, _ in path], [vs.index(v) for _, v in path], color=style.INK, marker="o")
    axes.set_xticks(range(len(ns)), [str(n) for n in ns])
    axes.set_yticks(range(len(vs)), [str(v) for v in vs])
    axes.grid(visible=False)


def _costs(rows: pl.DataFrame) -> np.ndarray:
    """FLOPs of each row; tokens if they are not known of all, else NaN."""
    column = "tokens" if rows["flops"].null_count() else "flops"
    return rows[column].fill_null(np.nan).to_numpy()


def best(panel: pl.DataFrame) -> list[tuple[int, int]]:
    """The most accurate N and V of those that a budget affords, from the cheapest to the dearest."""
    costs, accuracies = _costs(panel), panel["accuracy"].to_numpy()
    cells, found = panel.select("n", "v").rows(), []
    for budget in np.geomspace(costs.min(), costs.max(), BUDGETS):
        affordable = np.flatnonzero(costs <= budget * (1 + 1e-9))
        at = min(affordable, key=lambda k: (-round(accuracies[k], 12), costs[k]))
        if not found or found[-1] != cells[at]:
            found.append(cells[at])
    return found


def caption(data: pl.DataFrame) -> str:
    """What to see, and the best numbers at the dearest budget, as reStructuredText."""
    found = []
    keys = data.select("dataset", "reasoner", "verifier").unique(maintain_order=True).rows()
    for dataset, reasoner, verifier in keys:
        panel = data.filter(dataset=dataset, reasoner=reasoner, verifier=verifier)
        path = best(panel) if np.isfinite(_costs(panel)).all() else []
        found.append((dataset, reasoner, verifier, path))
    return fill(__file__, ".rst", panels=found)
