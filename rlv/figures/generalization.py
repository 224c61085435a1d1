"""The figure `generalization`: parallel_scaling on data sets that RL was not trained on.

Columns are data sets, such as harder problems than any that RL trained on (easy-to-hard), and problems of
another domain. Curves and leads as in parallel_scaling. Left out on purpose: which data sets are hard or out
of domain; the study names them.
"""

from __future__ import annotations

import polars as pl

from rlv.figures.accuracy_panels import in_order, quoted_ns
from rlv.figures.panel_captions import axes_sentence, leads, no_number, panel_list, same, tallies
from rlv.figures.parallel_scaling import RIVALS, data, draw

__all__ = ["caption", "data", "draw"]


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    names = in_order(data, "dataset")
    found = [
        f"On ``{name}`` weighted voting is, {tallies(data.filter(pl.col('dataset') == name), RIVALS, ns)}. "
        for name in names
    ]
    listed = ", ".join(f"``{name}``" for name in names)
    return "".join(
        [
            axes_sentence(data),
            f"The columns are data sets that RL was not trained on: {listed}. The paper reports ",
            "strong generalization of RL\\ :sup:`V` both from easy to hard problems (MATH\\ :sup:`2`, each ",
            "problem combining two skills of MATH) and out of domain (the physics part of GPQA-Diamond). To ",
            "see: whether the gap between weighted voting with RL\\ :sup:`V`'s own scores (blue) and, at ",
            f"{same(data)}, the base method by majority voting (orange) or as its own judge (purple) is ",
            "still there, and how much pass@N (dashed grey) leaves to any choice: where it is low, ",
            "solutions are missing and not a better verifier. ",
            *found,
            f"Its lead in percentage points with paired 95 % intervals{no_number(data)}:\n\n",
            panel_list(data, lambda panel: leads(panel, RIVALS, ns)),
        ]
    )
