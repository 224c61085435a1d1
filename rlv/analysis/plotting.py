"""The figure `votes` of graded samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from rlv.analysis.curves import DATASET, evaluated
from rlv.analysis.grading import Graded
from rlv.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    *graded: Graded,
    against: str = "n",
    ns: Sequence[int] | None = None,
    votes: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
) -> Figure:
    """Accuracy of every vote against N, a row of panels for each of `graded`; a matplotlib figure.

    `against`: "n", or "tokens", which the samples must have. `votes`: more of them, as in `rlv.curves`.
    `figure.savefig("votes.pdf")` writes it. Raises DataError if there is nothing to draw, or tokens are not
    known.
    """
    from rlv.figures import votes as figure  # it loads a library for plots

    if not graded:
        raise DataError("plot: nothing to draw; graded samples would do")
    found = [evaluated(one, ns=ns, votes=votes, draws=draws, seed=seed) for one in graded]
    tables = {
        "curves": pl.concat([one.curves for one in found]),
        "per_problem": pl.concat([one.per_problem for one in found]),
    }
    params = {"figure": "votes", "datasets": [DATASET], "against": against, "draws": draws, "seed": seed}
    return figure.draw(figure.data(tables, params))
