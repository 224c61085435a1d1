"""All figures by name: where each is drawn, and which tables it is drawn from. Importing this loads no plots.

A figure is one module with three functions: `data(tables, params)` selects what is drawn (and becomes the
CSV), `draw(data)` makes the picture from that alone, `caption(data)` says in reStructuredText what to see and
what came out. A new figure is one module and one entry. Left out on purpose: files and the store (stage.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawing:
    """Where a figure's module is, and the tables that its `data` is given (names as in rlv/tables.py)."""

    module: str
    tables: tuple[str, ...]


FIGURES: dict[str, Drawing] = {
    "parallel_scaling": Drawing("rlv.figures.parallel_scaling", ("curves", "per_problem")),
    "strategies": Drawing("rlv.figures.strategies", ("curves", "per_problem")),
    "training_curves": Drawing("rlv.figures.training_curves", ("steps",)),
}
