"""The figure `reliability`: whether scores are the chance of being right, for every verifier and reasoner.

Columns are data sets, rows are reasoners. Nothing is assumed about how solutions and scores came about, so it
is drawn of solutions that others sampled, too. The same with the roles of a comparison: calibration.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style, votes
from rlv.figures.accuracy_panels import in_order
from rlv.figures.bins import ENDS, FEW, METRICS, NUMBERS, WIDE, bins, draw_diagrams
from rlv.figures.panel_captions import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row for each bin of each verifier.

    Columns: dataset, reasoner, verifier, budget, bin_low, bin_high, and those of bins.py. `tables`:
    reliability and verification. `params`: datasets. Raises DataError if no verifier has read anything.
    """
    parts = []
    for dataset in params["datasets"]:
        here = tables["reliability"].filter(pl.col("dataset") == dataset)
        for reasoner, verifier in here.select("reasoner", "verifier").unique(maintain_order=True).rows():
            wanted = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
            parts.append(bins(tables, wanted, params["figure"], {}))
    if not parts:
        raise DataError(
            f"figure {params['figure']}: no scores of any verifier; name one under a reasoner's `verifiers`"
        )
    names = ["dataset", "reasoner", "verifier", "budget", "bin_low", "bin_high"]
    return pl.concat(parts).select(*names, *NUMBERS, *WIDE)


def look(verifier: str, verifiers: list[str]) -> style.Look:
    """The look of the verifier's weighted voting in the figure `votes`, by its name alone."""
    drawn = votes.look(verifier, "weighted_voting", verifiers)
    return style.Look(verifier.replace("_", " "), drawn.color, drawn.marker, "-", 1.2)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets, reasoners = in_order(data, "dataset"), in_order(data, "reasoner")
    verifiers = in_order(data, "verifier")
    panels = (
        data.filter(pl.col("dataset") == dataset, pl.col("reasoner") == reasoner)
        for reasoner in reasoners
        for dataset in datasets
    )
    looks = {verifier: look(verifier, verifiers) for verifier in verifiers}
    names = [reasoner.replace("_", " ") for reasoner in reasoners]
    return draw_diagrams(data, panels, looks, "verifier", datasets, names)


def caption(data: pl.DataFrame) -> str:
    """What to see, and how good the scores are, as reStructuredText."""
    whole = data.unique(["dataset", "reasoner", "verifier"], maintain_order=True)
    found = [
        (
            *(row[name] for name in ("dataset", "reasoner", "verifier")),
            *(number(row, [f"{metric}{end}" for end in ENDS]) for metric in METRICS),
        )
        for row in whole.iter_rows(named=True)
    ]
    few = data.filter(pl.col("few"), pl.col("solutions") > 0).height
    return fill(__file__, ".rst", few=few, enough=FEW, verifiers=found)
