"""The figure `votes`: every vote over the solutions of every reasoner, with every verifier.

Columns are data sets, rows are reasoners. In each panel: majority voting; with each verifier weighted voting
(solid) and the best of N (dashed), in its colour; pass@N as the limit. Nothing is assumed about how
solutions and scores came about, so it is drawn of solutions that others sampled, too. Against N, or against
tokens, if these are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.evaluation.votes import VOTES
from rlv.figures import style
from rlv.figures.accuracy_panels import AGAINST, in_order, percent_axis, quoted_ns
from rlv.figures.panel_captions import points, unfinished_shares
from rlv.figures.rows import compared, curve, refuse_unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = [
    *("dataset", "reasoner", "verifier", "strategy", "n", "budget", "against", "x"),
    *("accuracy", "low", "high", "lead", "lead_low", "lead_high", "unfinished"),
]
PLAIN, SCORED = ("majority", "pass_at_n"), ("weighted_voting", "best_of_n")
NAMES = {"weighted_voting": "weighted voting", "best_of_n": "best of N"}
# Verifiers whose names say what they are look as in all other figures: names, and whose look.
ROLES = (
    (("unified",), style.look("rl_v", "weighted_voting")),
    (("judge",), style.look("base", "weighted_voting")),
    (("chain",), style.look("base", "", "chain")),
    (("free", "confidence"), style.look("base", "", "confidence")),
    (("separate",), style.look("rl_v", "", "separate")),
    (("brevity",), style.look("base", "", "brevity")),
    (("head",), style.look("rl_v", "", "head")),
)
# All others share what is left.
COLORS = (style.GREEN, style.VERMILION, style.WINE, style.BROWN, style.FOREST, style.MAROON)
MARKERS = ("o", "^", "D", "v", "P", "X", "p")


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a data set, reasoner, vote and N.

    Columns: COLUMNS. `x` is N, or the mean tokens or FLOPs a problem. lead, lead_low, lead_high: of the
    vote over majority voting of the same solutions at the same N, paired over problems; null for these two
    and for the limit. `tables`: curves and per_problem. `params`: datasets, against, draws, seed. Raises
    DataError if there is nothing to draw, several budgets, or no such cost is known.
    """
    curves = tables["curves"]
    parts = []
    for dataset in params["datasets"]:
        here = curves.filter(pl.col("dataset") == dataset)
        for reasoner in in_order(here, "reasoner"):
            for verifier, strategy in votes_in(here.filter(pl.col("reasoner") == reasoner)):
                parts.append(_curve(tables, params, dataset, reasoner, verifier, strategy))
    if not parts:
        raise DataError(
            f"figure {params['figure']}: no evaluation at all; name data sets under `evaluate_on`"
        )
    return pl.concat(parts)


def votes_in(rows: pl.DataFrame) -> list[tuple[str, str]]:
    """(verifier, strategy) of the votes in a table, plain ones first, then verifier by verifier.

    A vote that a study has asked for beside ours comes after ours.
    """
    there = rows.select("verifier", "strategy").unique(maintain_order=True).rows()
    found: list[tuple[str, str]] = [("", strategy) for strategy in PLAIN if ("", strategy) in there]
    for verifier in dict.fromkeys(verifier for verifier, _ in there if verifier):
        known = [strategy for one, strategy in there if one == verifier]
        ordered = [strategy for strategy in SCORED if strategy in known]
        found += [(verifier, s) for s in [*ordered, *(s for s in known if s not in SCORED)]]
    return found


def _curve(
    tables: Mapping[str, pl.DataFrame],
    params: Mapping[str, Any],
    dataset: str,
    reasoner: str,
    verifier: str,
    strategy: str,
) -> pl.DataFrame:
    figure, against = params["figure"], params.get("against", "n")
    wanted = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier, "strategy": strategy}
    rows = curve(tables["curves"], wanted, figure=figure, name="curves")
    refuse_unknown(rows, against, figure)
    lead = {name: pl.lit(None, pl.Float64) for name in ("lead", "lead_low", "lead_high")}
    rows = rows.with_columns(against=pl.lit(against), x=pl.col(against).cast(pl.Float64))
    if strategy in PLAIN:
        return rows.with_columns(**lead).select(COLUMNS)
    mine = curve(tables["per_problem"], wanted, figure=figure, name="per_problem")
    majority = curve(
        tables["per_problem"], {**wanted, "strategy": "majority"}, figure=figure, name="per_problem"
    )
    ahead = compared(mine, majority, ["n"], lambda ours, base: ours - base, "lead", params)
    return rows.join(ahead, "n", "left", maintain_order="left").select(COLUMNS)


def look(verifier: str, strategy: str, verifiers: list[str]) -> style.Look:
    """The look of a vote: the verifier's colour and marker; plain votes as elsewhere."""
    if strategy == "majority":
        return style.Look("Majority voting", style.ORANGE, "s", (0, (5, 1.5)))
    if strategy == "pass_at_n":
        return style.Look("pass@N (upper limit)", style.DARK_GREY, "", (0, (4, 2.5)), 0.8)
    color, marker = drawn_at(places(verifiers)[verifier])
    if strategy == "weighted_voting":
        return style.Look(f"Weighted voting, {_named(verifier)}", color, marker)
    if strategy == "best_of_n":
        return style.Look(f"Best of N, {_named(verifier)}", color, marker, (0, (3, 1.2)), 0.9)
    # By its name, so that a vote looks alike wherever it is drawn.
    dots = (0, (1, 1 + sum(map(ord, strategy)) % 4))
    return style.Look(f"{_named(strategy).capitalize()}, {_named(verifier)}", color, marker, dots, 0.9)


def places(verifiers: Sequence[str]) -> dict[str, int]:
    """Each verifier's place among all looks, for `drawn_at`: its role's, or one of its own behind these.

    A role is told by the name ("judge"), or by what it begins with ("separate_grpo"); if several verifiers
    have a role, the first looks like it.
    """
    found: dict[str, int] = {}
    for verifier in verifiers:
        for place, (names, _) in enumerate(ROLES):
            if any(f"{verifier}_".startswith(f"{name}_") for name in names) and place not in found.values():
                found[verifier] = place
    others = [verifier for verifier in dict.fromkeys(verifiers) if verifier not in found]
    return {**found, **{verifier: len(ROLES) + i for i, verifier in enumerate(others)}}


def drawn_at(place: int) -> tuple[str, str]:
    """Colour and marker of a verifier, by its place in `places`."""
    if place < len(ROLES):
        return ROLES[place][1].color, ROLES[place][1].marker
    # After all colours these come once more, each with the marker of another.
    around, of = divmod(place - len(ROLES), len(COLORS))
    return COLORS[of], MARKERS[(of + around) % len(MARKERS)]


def _named(verifier: str) -> str:
    return verifier.replace("_", " ")


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets, reasoners = in_order(data, "dataset"), in_order(data, "reasoner")
    verifiers = [v for v in in_order(data, "verifier") if v]
    ns = sorted(data["n"].unique().to_list())
    with style.theme():
        import seaborn

        height = 2.6 if len(reasoners) == 1 else 1.9
        figure, axes_RC = style.panels(len(reasoners), len(datasets), height, sharex="col", sharey="col")
        for row, reasoner in enumerate(reasoners):
            for column, dataset in enumerate(datasets):
                axes = axes_RC[row, column]
                panel = data.filter(pl.col("dataset") == dataset, pl.col("reasoner") == reasoner)
                _panel(axes, panel, verifiers, ns)
        for axes in axes_RC[0]:
            percent_axis(axes)
        for axes in axes_RC[-1]:
            axes.set_xlabel(AGAINST[data["against"][0]])
        for axes in axes_RC[:, 0]:
            axes.set_ylabel("Accuracy (%)")
        style.name_margins(axes_RC, datasets, [_named(reasoner) for reasoner in reasoners])
        style.legend_below(figure, [look(*vote, verifiers) for vote in votes_in(data)], grow=True)
        seaborn.despine(figure)
    return figure


def _panel(axes: Any, panel: pl.DataFrame, verifiers: list[str], ns: list[int]) -> None:
    for verifier, strategy in panel.select("verifier", "strategy").unique(maintain_order=True).rows():
        rows = panel.filter(pl.col("verifier") == verifier, pl.col("strategy") == strategy).sort("n")
        # The intervals of the votes that captions are about; those of the others are in the CSV.
        band = 0.16 if strategy in ("majority", "weighted_voting") else 0.0
        how: dict[str, Any] = {"zorder": 1.5} if VOTES[strategy].limit else {}
        style.banded(axes, rows, look(verifier, strategy, verifiers), band=band, **how)
    if panel.is_empty():
        return
    if panel["against"][0] == "n":
        style.count_axis(axes, ns, every=1 if len(ns) < 8 else 2)
    else:
        style.cost_axis(axes, panel["x"].to_list())


def caption(data: pl.DataFrame) -> str:
    """What to see, and what each verifier is worth, as reStructuredText."""
    ns = quoted_ns(data)
    found = []
    for (dataset, reasoner), panel in data.group_by("dataset", "reasoner", maintain_order=True):
        votes = [
            (
                f"{NAMES.get(strategy, strategy)} with ``{verifier}``",
                [(n, _lead(panel, verifier, strategy, n)) for n in ns],
            )
            for verifier, strategy in panel.select("verifier", "strategy").unique(maintain_order=True).rows()
            if verifier
        ]
        found.append((dataset, reasoner, _ends(panel), votes, unfinished_shares(panel)))
    return fill(__file__, ".rst", against=data["against"][0], panels=found, ns=ns)


def _lead(panel: pl.DataFrame, verifier: str, strategy: str, n: int) -> str:
    of = (pl.col("verifier") == verifier, pl.col("strategy") == strategy, pl.col("n") == n)
    rows = panel.filter(*of)
    return "no number" if rows.is_empty() else points(rows.row(0, named=True))


def _ends(panel: pl.DataFrame) -> dict[str, str]:
    """Accuracy in % of one solution, and of majority voting and pass@N at the largest N."""
    plain = {
        (strategy, n): f"{100 * accuracy:.1f}"
        for strategy, n, accuracy in panel.filter(pl.col("verifier") == "")
        .select("strategy", "n", "accuracy")
        .rows()
    }
    n = int(panel["n"].max())  # pyright: ignore[reportArgumentType]
    return {
        "n": str(n),
        "one": plain.get(("majority", 1), "unknown"),
        "majority": plain["majority", n],
        "limit": plain["pass_at_n", n],
    }
