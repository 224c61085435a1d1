"""One look for all figures: theme, sizes, colours, the names of methods, and how a picture becomes files.

A colour belongs to one role of a method and means the same in every figure; markers and dashes repeat what
colours say, for print in grey. Sizes are final: a figure is included at its own width, a column (one panel)
or a page (more). matplotlib and seaborn load inside functions: importing this module is free.
Left out on purpose: what is drawn (one module a figure).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

COLUMN, PAGE = 3.4, 6.9  # inches
SMALL, NORMAL = 7.0, 8.0  # points

# Hex values of seaborn's "colorblind" palette (Wong 2011), so that names need no import.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#949494",
)
DARK_GREY = "#6b6b6b"


@dataclass(frozen=True)
class Look:
    """How one line looks in every figure, and its name in a legend."""

    label: str
    color: str
    marker: str = "o"
    line: Any = "-"  # matplotlib's linestyle
    width: float = 1.4


# (role, strategy) -> look; the strategy "" is the method itself, while it is trained.
LOOKS: dict[tuple[str, str], Look] = {
    ("rl_v", "weighted_voting"): Look("RL$^V$, weighted voting (own scores)", BLUE, "o"),
    ("rl_v", "best_of_n"): Look("RL$^V$, best of N (own scores)", VERMILION, "D", (0, (5, 1.5))),
    ("rl_v", "majority"): Look("RL$^V$, majority voting", GREEN, "v", (0, (3, 1.2))),
    ("rl_v", "pass_at_n"): Look("RL$^V$, pass@N (upper limit)", DARK_GREY, "", (0, (4, 2.5)), 0.8),
    ("base", "majority"): Look("Base RL, majority voting", ORANGE, "s", (0, (5, 1.5))),
    ("base", "weighted_voting"): Look(
        "Base RL, weighted voting (LLM as judge)", PURPLE, "^", (0, (3, 1.2, 1, 1.2))
    ),
    ("base", ""): Look("Base RL", ORANGE, "", (0, (5, 1.5))),
    ("rl_v", ""): Look("RL$^V$", BLUE, ""),
}

METHODS = {"grpo": "GRPO", "leave_one_out": "Leave-one-out PPO", "vineppo": "VinePPO"}


def method_name(method: str) -> str:
    """A comparison's name for people; names of a user's own are shown as they are, without underscores."""
    return METHODS.get(method, method.replace("_", " "))


def verified_name(method: str) -> str:
    """The method with verification, as mathtext."""
    return f"{method_name(method)}$^V$"


@contextmanager
def theme() -> Iterator[None]:
    """Our settings on top of matplotlib's defaults for the block; the caller's own come back after it."""
    import matplotlib
    import seaborn

    own: dict[str, Any] = {
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
        "font.size": SMALL,
        "axes.labelsize": NORMAL,
        "axes.titlesize": NORMAL,
        "axes.titleweight": "bold",
        "axes.linewidth": 0.7,
        "axes.edgecolor": ".3",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": ".9",
        "grid.linewidth": 0.6,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.pad": 2.5,
        "ytick.major.pad": 2.5,
        "legend.fontsize": SMALL + 0.5,
        "legend.frameon": False,
        "lines.markersize": 3.8,
        "pdf.fonttype": 42,  # text stays text: searchable, and editable by a journal
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # no picture depends on a user's matplotlibrc
        layers: list[Any] = [seaborn.plotting_context("paper"), seaborn.axes_style("ticks"), own]
        for layer in layers:
            matplotlib.rcParams.update(layer)
        yield


def panels(rows: int, columns: int, height: float, **shared: Any) -> tuple[Figure, Any]:
    """A figure of rows x columns panels, each `height` inches, and its axes_RC; two columns fill a page.

    `shared` goes to matplotlib's `subplots` (sharex, sharey). Call inside `theme()`.
    """
    from matplotlib.figure import Figure

    width = COLUMN if columns == 1 else max(PAGE, 2.0 * columns)
    figure = Figure(figsize=(width, rows * height + 0.9), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def line(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look, **more: Any) -> None:
    """One line in its look; a white rim keeps markers apart where lines cross."""
    axes.plot(
        x,
        y,
        color=look.color,
        linestyle=look.line,
        linewidth=look.width,
        markeredgecolor="white",
        markeredgewidth=0.5,
        **{"label": look.label, "marker": look.marker or "None", **more},
    )


def legend_below(figure: Figure, looks: Sequence[Look]) -> None:
    """One legend for all panels, under them, never over data: two columns, one where the figure is narrow."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=look.color,
            marker=look.marker or "None",
            linestyle=look.line,
            linewidth=look.width,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=look.label,
        )
        for look in looks
    ]
    columns = 1 if figure.get_figwidth() < PAGE and any(len(look.label) > 15 for look in looks) else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2)


def name_margins(axes_RC: Any, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Names of columns above the first row, names of rows at the right of the last column."""
    for axes, name in zip(axes_RC[0], columns, strict=True):
        axes.set_title(name)
    for axes, name in zip(axes_RC[:, -1], rows, strict=True):
        axes.annotate(
            name,
            xy=(1.0, 0.5),
            xycoords="axes fraction",
            xytext=(7, 0),
            textcoords="offset points",
            rotation=270,
            ha="left",
            va="center",
            fontsize=NORMAL,
            fontweight="bold",
        )


def count_axis(axes: Axes, ns: Sequence[int], *, every: int = 1) -> None:
    """A log2 axis with a tick at each measured count, each `every`-th labelled from the first on."""
    axes.set_xscale("log", base=2)
    shown = {n for i, n in enumerate(ns) if i % every == 0}
    axes.set_xticks(list(ns), [str(n) if n in shown else "" for n in ns])
    axes.set_xticks([], minor=True)
    margin = 2 ** (0.04 * max(1.0, math.log2(max(ns) / min(ns))))
    axes.set_xlim(min(ns) / margin, max(ns) * margin)


def save(figure: Figure, stem: Path) -> None:
    """Write `<stem>.pdf` and `<stem>.png` (200 dpi), without dates: the same picture gives the same bytes."""
    with theme():
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200, metadata={"Software": None})
