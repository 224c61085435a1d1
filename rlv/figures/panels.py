"""The figure `panels`: what verifiers are worth together, and whether they err together.

Left, the share of the gap from majority voting to pass@N that the best of N closes, N the largest, by each
panel and by each member that is a verifier of its own. Right, the correlation of two members' errors. A
colour is a reasoner on a data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import resampled_means, resamples
from rlv.evaluation.ratio import ordered_interval
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.rows import curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ["part", "dataset", "reasoner", "name", "panel", "n", "value", "low", "high"]
GAP, ERRORS = "gap", "errors"
ENDS = ("correlation", "low", "high")
# Less than this, in accuracy, is no gap to have a share of.
LEAST, GAPLESS = 0.02, 1e-9
# What the left panel shows at most; worse than this is off it, and in the CSV.
SHOWN = -1.0
COLORS = (
    style.BLUE,
    style.ORANGE,
    style.GREEN,
    style.PURPLE,
    style.WINE,
    style.OLIVE,
    style.SKY,
    style.BROWN,
)


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: a row a verifier (part "gap") or a pair of members ("errors").

    Columns: COLUMNS; `panel`: whether the verifier is one; value is null without a gap. `tables`: curves,
    per_problem, members. Raises DataError if no panel was evaluated.
    """
    rows = []
    members = tables["members"].filter(pl.col("dataset").is_in(list(params["datasets"])))
    for dataset, reasoner in members.select("dataset", "reasoner").unique(maintain_order=True).rows():
        here = members.filter(pl.col("dataset") == dataset, pl.col("reasoner") == reasoner)
        known = in_order(here, "verifier")
        alone = dict.fromkeys([*here["member"], *here["other"]])
        read = set(tables["curves"].filter(dataset=dataset, reasoner=reasoner)["verifier"])
        of = {"dataset": dataset, "reasoner": reasoner}
        for name in [*known, *(member for member in alone if member in read)]:
            rows.append(
                {"part": GAP, **of, "name": name, "panel": name in known, **_gap(tables, params, of, name)}
            )
        pairs = {}
        for one, other, *numbers in here.select("member", "other", *ENDS).rows():
            named = ", ".join(sorted((one, other)))  # several panels may have both
            pairs[named] = dict(zip(("value", *ENDS[1:]), numbers, strict=True))
        plain = {"part": ERRORS, **of, "panel": False, "n": None}
        rows += [{**plain, "name": named, **numbers} for named, numbers in pairs.items()]
    if not rows:
        raise DataError(
            f"figure {params['figure']}: no panel was evaluated; list a verifier with `score: panel` under "
            "the `verifiers` of a reasoner"
        )
    kinds = {"n": pl.Int32, **dict.fromkeys(("value", "low", "high"), pl.Float64)}
    return pl.DataFrame(rows, schema_overrides=kinds).select(COLUMNS)


def _gap(
    tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any], of: Mapping[str, str], verifier: str
) -> dict[str, Any]:
    """The share of the gap at the largest N, with its interval over problems."""
    columns = []
    for strategy, scorer in (("best_of_n", verifier), ("majority", ""), ("pass_at_n", "")):
        wanted = {**of, "verifier": scorer, "strategy": strategy}
        rows = curve(tables["per_problem"], wanted, figure=params["figure"], name="per_problem")
        n = rows["n"].max()
        columns.append(rows.filter(pl.col("n") == n).sort("problem_id")["accuracy"].to_numpy())
    values_P3 = np.stack(columns, axis=1)
    found = {"n": n, "value": None, "low": None, "high": None}
    if values_P3[:, 2].mean() - values_P3[:, 1].mean() < LEAST:
        return found
    draws_D3 = resampled_means(values_P3, resamples(len(values_P3), params["draws"], params["seed"]))
    low, high = ordered_interval(_share(draws_D3))
    return found | {
        "value": float(_share(values_P3.mean(axis=0))),
        "low": low,
        "high": high,
    }


def _share(means_3: np.ndarray) -> np.ndarray:
    """NaN for a resample without a gap, which `ordered_interval` leaves out."""
    gap = means_3[..., 2] - means_3[..., 1]
    return np.where(
        gap > GAPLESS, (means_3[..., 0] - means_3[..., 1]) / np.where(gap > GAPLESS, gap, 1.0), np.nan
    )


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    groups = data.select("dataset", "reasoner").unique(maintain_order=True).rows()
    looks = {
        group: style.Look(f"{group[1]} on {group[0]}".replace("_", " "), COLORS[k % len(COLORS)], "o")
        for k, group in enumerate(groups)
    }
    longest = max(len(in_order(data.filter(part=part), "name")) for part in (GAP, ERRORS))
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(1, 2, 0.5 + longest * max(0.2, 0.075 * len(groups)))
        for axes, part in zip(axes_RC[0], (GAP, ERRORS), strict=True):
            rows = data.filter(part=part)
            names = _ordered(rows)
            for k, group in enumerate(groups):
                shift = 0.7 * ((k + 0.5) / len(groups) - 0.5)
                mine = rows.filter(dataset=group[0], reasoner=group[1]).drop_nulls("value")
                places = [names.index(name) + shift for name in mine["name"]]
                low, value, high = (mine[c].to_numpy() for c in ("low", "value", "high"))
                away = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
                color = looks[group].color
                axes.errorbar(value, places, xerr=away, fmt="o", color=color, markersize=3, linewidth=0.9)
            panels = set(rows.filter(pl.col("panel"))["name"])
            axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
            for tick, name in zip(axes.get_yticklabels(), names, strict=True):
                tick.set_fontweight("bold" if name in panels else "normal")
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.axvline(0, color=style.DARK_GREY, linewidth=0.8, linestyle=(0, (4, 2.5)), zorder=0)
        left, right = axes_RC[0, 0].get_xlim()
        axes_RC[0, 0].set_xlim(max(left, SHOWN), min(right, 1.05))
        axes_RC[0, 0].set_xlabel("Share of the gap closed")
        axes_RC[0, 1].set_xlabel("Correlation of errors")
        style.legend_below(figure, list(looks.values()), grow=True)
        seaborn.despine(figure)
    return figure


def _ordered(rows: pl.DataFrame) -> list[str]:
    """Names: panels first, each kind by its mean value, the highest on top."""
    means = rows.group_by("name", maintain_order=True).agg(pl.col("panel").any(), pl.col("value").mean())
    return means.sort(["panel", "value"], descending=True, nulls_last=True, maintain_order=True)[
        "name"
    ].to_list()


def caption(data: pl.DataFrame) -> str:
    """What to see, and the best panel and member of each reasoner, as reStructuredText."""
    found = []
    gaps = data.filter(part=GAP)
    for (dataset, reasoner), rows in gaps.group_by("dataset", "reasoner", maintain_order=True):
        best = {}
        for what, panel in (("panel", True), ("member", False)):
            known = rows.filter(pl.col("panel") == panel).drop_nulls("value").sort("value")
            best |= {what: known.row(-1, named=True)} if known.height else {}
        found.append((dataset, reasoner, best))
    return fill(__file__, ".rst", found=found)
