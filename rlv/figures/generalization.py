"""The figure `generalization`: parallel_scaling on data sets that RL was not trained on.

Columns are data sets, such as harder problems than any that RL trained on (easy-to-hard), and problems of
another domain. Curves and leads as in parallel_scaling. The study names the data sets that are hard
or out of domain.
"""

from __future__ import annotations

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures.accuracy_panels import in_order, quoted_ns
from rlv.figures.panel_captions import about, tallies
from rlv.figures.parallel_scaling import RIVALS, data, draw

__all__ = ["caption", "data", "draw"]


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    found = [
        (name, tallies(data.filter(pl.col("dataset") == name), RIVALS, ns))
        for name in in_order(data, "dataset")
    ]
    return fill(__file__, ".rst", found=found, **about(data, RIVALS))
