"""The look of all figures: theme, sizes, colours, the names of methods, and how a picture becomes files.

A colour belongs to one role of a method and means the same in every figure; markers and dashes repeat what
colours mean, for print in grey. Sizes are final: a figure is included at its own width, a column (one panel)
or a page (more). matplotlib and seaborn load inside functions: importing this module is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

T = TypeVar("T")
COLUMN, PAGE = 3.4, 6.9  # inches
SMALL, NORMAL = 7.0, 8.0  # points
# Lines of a legend that `panels` leaves room for, and inches of a line.
LEGEND_LINES, LEGEND_LINE = 4, 0.165

# Hex values of seaborn's "colorblind" palette (Wong 2011), so that names need no import. Its brown is darker
# here (beside orange it is none), and olive and wine come from Tol's "muted" palette, made for the same eyes.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY, SKY = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#949494",
    "#56b4e9",
)
BROWN, OLIVE, WINE, INK = "#7a4a1e", "#999933", "#882255", "#222222"
DARK_GREY = "#6b6b6b"
# Of Tol's "muted" palette, and the dark red of its extension in CARTO's "Safe": for what only controls have.
INDIGO, TEAL, FOREST, ROSE, MAROON = "#332288", "#44aa99", "#117733", "#cc6677", "#661100"


@dataclass(frozen=True)
class Look:
    """How one line looks in every figure, and its name in a legend."""

    label: str
    color: str
    marker: str = "o"
    line: Any = "-"  # matplotlib's linestyle
    width: float = 1.4


# (role, strategy) -> look. Instead of a strategy also: "", the method itself while it is trained; "separate",
# weighted voting with a separate verifier, and so "chain", "confidence", "brevity" and "head"; for
# objectives, what the verifier was trained with; "selection", the budget chosen problem by problem; "fixed",
# one budget for all problems.
LOOKS: dict[tuple[str, str], Look] = {
    ("rl_v", "weighted_voting"): Look("RL$^V$, weighted voting (own scores)", BLUE, "o"),
    ("rl_v", "best_of_n"): Look("RL$^V$, best of N (own scores)", VERMILION, "D", (0, (5, 1.5))),
    ("rl_v", "majority"): Look("RL$^V$, majority voting", GREEN, "v", (0, (3, 1.2))),
    ("rl_v", "pass_at_n"): Look("RL$^V$, pass@N (upper limit)", DARK_GREY, "", (0, (4, 2.5)), 0.8),
    ("base", "majority"): Look("Base RL, majority voting", ORANGE, "s", (0, (5, 1.5))),
    ("base", "weighted_voting"): Look(
        "Base RL, weighted voting (LLM as judge)", PURPLE, "^", (0, (3, 1.2, 1, 1.2))
    ),
    ("rl_v", "separate"): Look("RL$^V$, weighted voting (separate verifier)", SKY, "P", (0, (5, 1.5))),
    ("base", "separate"): Look(
        "Base RL, weighted voting (separate verifier)", BROWN, "X", (0, (3, 1.2, 1, 1.2))
    ),
    ("base", "chain"): Look(
        "Base RL, weighted voting (judge that reasons)", INDIGO, "v", (0, (3, 1.2, 1, 1.2))
    ),
    ("base", "confidence"): Look("Base RL, weighted voting (own confidence)", TEAL, "D", (0, (5, 1.5))),
    ("base", "brevity"): Look("Base RL, weighted voting (brevity)", ROSE, "P", (0, (1, 1))),
    ("rl_v", "confidence"): Look("RL$^V$, weighted voting (own confidence)", FOREST, "D"),
    ("base", "pass_at_n"): Look("Base RL, pass@N (upper limit)", DARK_GREY, "", (0, (4, 2.5)), 0.8),
    ("cold", "majority"): Look("Cold start, majority voting", MAROON, "p", (0, (1, 1))),
    ("rl_v", "head"): Look("RL$^V$, weighted voting (head)", OLIVE, "s", (0, (5, 1.5))),
    ("rl_v", "generative"): Look("Generative Yes/No", BLUE, "o"),
    ("rl_v", "bce"): Look("Classification head (BCE)", OLIVE, "s", (0, (5, 1.5))),
    ("rl_v", "regression"): Look("Regression head", WINE, "^", (0, (3, 1.2, 1, 1.2))),
    ("rl_v", "selection"): Look("RL$^V$, length selection", INK, "*", "-"),
    ("rl_v", "fixed"): Look("RL$^V$, weighted voting, one budget for all", BLUE, "o"),
    ("base", "fixed"): Look("Base RL, majority voting, one budget for all", ORANGE, "s", (0, (5, 1.5))),
    ("base", ""): Look("Base RL", ORANGE, "", (0, (5, 1.5))),
    ("rl_v", ""): Look("RL$^V$", BLUE, ""),
}


# Scorers whose weighted voting has a look of its own.
SCORERS = ("separate", "chain", "confidence", "brevity", "head")


def look(role: str, strategy: str, scorer: str = "") -> Look:
    """The look of a curve: its strategy's, or its scorer's if that has one."""
    return LOOKS[role, scorer if scorer in SCORERS else strategy]


# In points, if it is not the theme's: the white rim eats more of these.
MARKER_SIZES = {"P": 5.0, "X": 5.0, "*": 6.5}

METHODS = {"grpo": "GRPO", "leave_one_out": "Leave-one-out PPO", "vineppo": "VinePPO"}


def shades(color: str, count: int) -> list[str]:
    """A colour in `count` steps from pale to itself (the last), for values in order, such as N."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(color)
    pale = [0.62 * (count - 1 - i) / max(count - 1, 1) for i in range(count)]
    return [to_hex((red + (1 - red) * p, green + (1 - green) * p, blue + (1 - blue) * p)) for p in pale]


def count_looks(look: Look, ns: Sequence[int], name: str) -> dict[int, Look]:
    """One look each N: the role's colour from pale (few) to full (many) with its own marker.

    `name` is how the legend calls the role, e.g. "RL$^V$": "RL$^V$, N = 8".
    """
    markers = ("o", "s", "^", "D", "v", "P", "X", "*")
    return {
        n: replace(look, label=f"{name}, N = {n}", color=color, marker=markers[i % len(markers)])
        for i, (n, color) in enumerate(zip(ns, shades(look.color, len(ns)), strict=True))
    }


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
    """Draw one line in its look; a white rim keeps markers apart at crossings."""
    axes.plot(x, y, **(_drawn(look) | more))


def pairs(axes_RC: Any, panels: Iterable[T]) -> Iterator[tuple[tuple[Axes, Axes], T]]:
    """((upper, lower), panel) row by row, of panels that are two axes each, one above the other."""
    return zip(zip(axes_RC[::2].flat, axes_RC[1::2].flat, strict=True), panels, strict=True)


def banded(
    axes: Axes,
    rows: pl.DataFrame,
    look: Look,
    *,
    x: str = "x",
    y: str = "accuracy",
    band: float = 0.16,
    **more: Any,
) -> None:
    """Draw the fractions of the column `y` as a line in %, and their interval (low, high) as a band.

    `band`: its opacity, 0 for none. `more`: of the line, as matplotlib has it.
    """
    at = rows[x].to_numpy()
    value, low, high = (100 * rows[column].to_numpy() for column in (y, "low", "high"))
    if band:
        axes.fill_between(at, low, high, color=look.color, alpha=band, linewidth=0, zorder=1)
    line(axes, at, value, look, **more)


def _drawn(look: Look) -> dict[str, Any]:
    """A look as matplotlib's settings of a line, on a panel and in a legend alike."""
    drawn = {"color": look.color, "linestyle": look.line, "linewidth": look.width, "label": look.label}
    rim = {"markeredgecolor": "white", "markeredgewidth": 0.5}
    size = {"markersize": MARKER_SIZES[look.marker]} if look.marker in MARKER_SIZES else {}
    return {**drawn, **rim, **size, "marker": look.marker or "None"}


def legend_below(figure: Figure, looks: Sequence[Look], *, grow: bool = False) -> None:
    """Draw one legend for all panels, under them, never over data: two columns, one if the figure is narrow.

    Three short names share one line of a page. `grow`: the figure gets room for lines beyond the first few,
    for which `panels` has some; else long legends are at the cost of the panels.
    """
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_drawn(look)) for look in looks]
    longest = max((len(look.label) for look in looks), default=0)
    if figure.get_figwidth() < PAGE:
        columns = 1 if longest > 15 else 2
    else:
        columns = 3 if len(looks) == 3 and longest <= 28 else 2
    if grow:
        beyond = max(0, math.ceil(len(looks) / columns) - LEGEND_LINES)
        figure.set_figheight(figure.get_figheight() + LEGEND_LINE * beyond)
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
            multialignment="center",
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


def cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """A log axis for tokens or FLOPs, with a few round numbers (1, 2, 5 times powers of ten, or the like)."""
    low, high = min(costs), max(costs)
    margin = 2 ** (0.04 * max(1.0, math.log2(high / low)))
    low, high = low / margin, high * margin
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def within(steps: Sequence[int]) -> list[float]:
        return [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]

    choices = [within(steps) for steps in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,))]
    ticks = next((ticks for ticks in choices if len(ticks) <= 5), choices[-1]) or [min(costs)]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [si(t) for t in ticks])
    axes.set_xticks(within(range(1, 10)), [], minor=True)
    axes.tick_params(axis="x", which="minor", length=1.5, width=0.5)
    axes.set_xlim(low, high)


def si(value: float) -> str:
    """`950`, `1.2k`, `30k`, `4.5M`, `2G`, ...: two digits below ten, whole numbers above."""
    prefixes = ("", "k", "M", "G", "T", "P", "E")
    power = 0
    while round(value, 0) >= 1000 and power < len(prefixes) - 1:
        value, power = value / 1000, power + 1
    digits = f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
    return digits + prefixes[power]


def save(figure: Figure, stem: Path) -> None:
    """Write `<stem>.pdf` and `<stem>.png` (200 dpi), without dates: the same picture gives the same bytes."""
    with theme():
        # Laid out once for both files, not once and a trial drawing for each: half the time.
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
        figure.savefig(stem.with_suffix(".png"), dpi=200, metadata={"Software": None})
