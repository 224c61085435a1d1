"""The figure `first_errors`: F1 of the first wrong step, by verifier and by kind of error.

Columns are data sets. Nothing but a table of step labels is behind it (rlv/evaluation/first_errors.py), so
ProcessBench's own numbers would be drawn alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.first_errors import ALL, CHANCE, FIXED, TUNED
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.votes import MARKERS, drawn_at, places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEY = ("dataset", "reasoner", "verifier", "rule", "threshold", "kind", "wrong", "right")
NUMBERS = ("accuracy_wrong", "accuracy_right", "f1", "f1_low", "f1_high")
# Kinds with fewer solutions are not drawn; they are in the CSV of the table.
FEW = 20


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row for each verifier (and chance), threshold and kind of error.

    `tables`: first_errors. `params`: datasets. Raises DataError if no steps were compared there.
    """
    here = tables["first_errors"].filter(
        pl.col("dataset").is_in(list(params["datasets"])),
        pl.col("rule").is_in([FIXED, TUNED, CHANCE]),
        pl.col("wrong") >= FEW,
    )
    if here.is_empty():
        raise DataError(
            f"figure {params['figure']}: no {FEW} solutions with an error of one kind on "
            f"{', '.join(params['datasets'])}; name data sets and readers in `first_errors`"
        )
    return here.select(*KEY, *NUMBERS)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets = in_order(data, "dataset")
    kinds = [ALL, *sorted(kind for kind in in_order(data, "kind") if kind != ALL)]
    looks = _looks(data)
    with style.theme():
        figure, axes_RC = style.panels(1, len(datasets), 2.1, sharey=True)
        for axes, dataset in zip(axes_RC.flat, datasets, strict=True):
            _panel(axes, data.filter(dataset=dataset), kinds, looks)
            axes.set_title(dataset.replace("_", " "))
        highest = data.select(pl.max_horizontal(pl.col("f1_high", "f1")).max()).item() or 1.0
        axes_RC[0, 0].set_ylim(0, min(1.0, 1.1 * highest))
        axes_RC[0, 0].set_ylabel("F1 of the first wrong step")
        handles, labels = axes_RC[0, 0].get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        columns = min(2 * len(datasets), len(unique))
        figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=columns)
    return figure


def _looks(data: pl.DataFrame) -> dict[tuple[str, str], style.Look]:
    """Of each (reasoner, verifier): the verifier's colour, and its marker, or another if that is taken."""
    readers = data.filter(pl.col("verifier") != "").select("reasoner", "verifier").unique(maintain_order=True)
    place = places(readers["verifier"].to_list())
    looks: dict[tuple[str, str], style.Look] = {}
    for number, (reasoner, verifier) in enumerate(readers.rows()):
        label = f"{reasoner}, {verifier}".replace("_", " ")
        color, marker = drawn_at(place[verifier])
        taken = {look.marker for look in looks.values()}
        left = [one for one in (marker, *MARKERS) if one not in taken]
        looks[reasoner, verifier] = style.Look(
            label, color, left[0] if left else MARKERS[number % len(MARKERS)]
        )
    return looks


def _counts(data: pl.DataFrame, kind: str) -> str:
    """How many solutions have an error of a kind, a line a reasoner (all of its readers read the same)."""
    of = dict(data.filter(kind=kind).select("reasoner", "wrong").iter_rows())
    return "\n".join(f"{of[name]:,}" if name in of else f"<{FEW}" for name in in_order(data, "reasoner"))


def _panel(
    axes: Axes, data: pl.DataFrame, kinds: list[str], looks: Mapping[tuple[str, str], style.Look]
) -> None:
    step = 0.7 / max(len(looks), 1)
    for number, ((reasoner, verifier), look) in enumerate(looks.items()):
        mine = data.filter(reasoner=reasoner, verifier=verifier)
        best = TUNED if (mine["rule"] == TUNED).any() else FIXED
        shift = (number - (len(looks) - 1) / 2) * step
        for rule in dict.fromkeys((best, FIXED)):
            rows = mine.filter(rule=rule)
            x = [kinds.index(kind) + shift for kind in rows["kind"]]
            f1 = rows["f1"].to_numpy()
            ends = [f1 - rows["f1_low"].to_numpy(), rows["f1_high"].to_numpy() - f1]
            filled = rule == best
            axes.errorbar(
                x,
                f1,
                ends if filled else None,
                fmt=look.marker,
                color=look.color,
                mfc=look.color if filled else "white",
                ms=4.5 if filled else 3.5,
                elinewidth=1.2,
                clip_on=False,
                zorder=3 if filled else 4,
                label=look.label if filled else "",
            )
            if not filled:  # once in the legend, for all verifiers
                axes.plot([], [], "o", color=style.INK, mfc="white", ms=3.5, label="the same below 1/2")
        chance = data.filter(reasoner=reasoner, rule=CHANCE)
        for kind, value in chance.select("kind", "f1").rows():
            place = kinds.index(kind) + shift
            axes.hlines(
                value, place - step / 2, place + step / 2, color=style.GREY, lw=1.2, label="by chance"
            )
    axes.set_xticks(range(len(kinds)), [f"{kind}\n{_counts(data, kind)}" for kind in kinds])
    reasoners = [reasoner.replace("_", " ") for reasoner in in_order(data, "reasoner")]
    axes.set_xlabel(f"kind of first error\n(solutions of {', then '.join(reasoners)})")
    axes.grid(visible=False, axis="x")


def caption(data: pl.DataFrame) -> str:
    """What to see, and what came out, as reStructuredText."""
    rows = data.filter(kind=ALL)
    found = [
        (row, f"{row['f1']:.2f} [{row['f1_low']:.2f}, {row['f1_high']:.2f}]")
        for row in rows.drop_nulls("f1").iter_rows(named=True)
    ]
    return fill(__file__, ".rst", found=found, chosen=(data["rule"] == TUNED).any(), few=FEW)
