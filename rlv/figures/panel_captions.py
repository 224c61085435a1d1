"""Phrases that the captions of accuracy panels share, about what `accuracy_panels.select` returned.

Their sentences are in panel_captions.rst.jinja. Left out: what a figure asks and what the paper found (the
figure's own template).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, of_curve, panels, quoted_ns
from rlv.figures.sides import counted

SAME = {
    "n": "the same N",
    "tokens": "equal tokens",
    "flops": "equal FLOPs",
    "tokens_new": "equal tokens with keys and values kept",
    "flops_new": "equal FLOPs with keys and values kept",
}
UNIT = {"n": "solutions", **dict.fromkeys(("tokens", "tokens_new"), "tokens")}
UNIT |= dict.fromkeys(("flops", "flops_new"), "FLOPs")


def about(data: pl.DataFrame, rivals: Mapping[str, Curve], ns: Sequence[int] | None = None) -> dict[str, Any]:
    """What the template of a figure of accuracy panels is filled with: its axes, its tallies, and its leads.

    `ns`: the quoted N, by default those of `quoted_ns`. `panels`: (method, data set, leads at these and
    unfinished solutions) of each panel.
    """
    ns = quoted_ns(data) if ns is None else ns
    against = data["against"][0]
    return {
        "against": against,
        "seeds": int(data["replicas"].max()),  # pyright: ignore[reportArgumentType]
        "same": SAME[against],
        "tallies": tallies(data, rivals, ns),
        "panels": [(*names, leads(panel, rivals, ns) + unfinished(panel)) for *names, panel in panels(data)],
    }


def at(data: pl.DataFrame, n: int) -> str:
    """Where a lead is quoted: at N, or at the cost that the rival has at N."""
    against = data["against"][0]
    return f"at N = {n}" if against == "n" else f"at {SAME[against]} (the other's at N = {n})"


def lead_over(data: pl.DataFrame, rival: Curve, n: int) -> pl.DataFrame:
    """The rows of one rival at one N, one a panel: by how much it is behind the figure's first curve."""
    return of_curve(data, rival.role, rival.strategy, rival.scorer or "").filter(pl.col("n") == n)


def points(row: Mapping[str, Any]) -> str:
    """`+12.3 [8.1, 16.5]`: a lead in percentage points with its interval."""
    if row["lead"] is None:  # the first curve was not measured there
        return "no number"
    return f"{100 * row['lead']:+.1f} [{100 * row['lead_low']:+.1f}, {100 * row['lead_high']:+.1f}]"


def number(
    row: Mapping[str, Any],
    names: Sequence[str] = ("value", "low", "high"),
    form: str = ".3f",
    scale: float = 1.0,
    unit: str = "",
) -> str:
    """`0.081 [0.070, 0.093]`: a number with its interval if defined, from the columns `names` of a row.

    A metric of very few problems can be defined when no resample of them is.
    """
    value, low, high = (row[name] for name in names)
    if value is None:
        return "undefined"
    ends = "" if low is None or high is None else f" [{_end(low, form, scale)}, {_end(high, form, scale)}]"
    return f"{scale * value:{form}}{unit}{ends}"


def _end(value: float, form: str, scale: float) -> str:
    return "unbounded" if math.isinf(value) else f"{scale * value:{form}}"


def tally(rows: pl.DataFrame) -> str:
    """In how many panels the interval of the lead lies beside zero, and on which side."""
    found = counted(rows)
    if not found.all:
        return "not measured there in any panel"
    said = f"ahead in {found.ahead} of {found.all} panel{'s' if found.all != 1 else ''}"
    said += f", behind in {found.behind}" if found.behind else ""
    return said + (f", undecided (the interval holds 0) in {found.undecided}" if found.undecided else "")


def tallies(data: pl.DataFrame, rivals: Mapping[str, Curve], ns: Sequence[int]) -> str:
    """Every rival at every quoted N: `against majority voting at N = 8, ahead in ...; against ...`."""
    return "; ".join(
        f"against {name} {at(data, n)}, {tally(lead_over(data, rival, n))}"
        for name, rival in rivals.items()
        for n in ns
    )


def leads(panel: pl.DataFrame, rivals: Mapping[str, Curve], ns: Sequence[int]) -> str:
    """For each N: `at N = 8 +12.3 [8.1, 16.5] over majority voting, +9.9 [...] over the judge`."""
    said = []
    for n in ns:
        over = [
            f"{points(row)} over {name}"
            for name, rival in rivals.items()
            for row in lead_over(panel, rival, n).iter_rows(named=True)
        ]
        said.append(f"{at(panel, n)} {', '.join(over)}")
    return "; ".join(said)


def unfinished(panel: pl.DataFrame) -> str:
    """What a caption adds to accuracies: the share of unfinished solutions; empty if not counted."""
    said = unfinished_shares(panel)
    return f"; unfinished solutions: {said}" if said else ""


def unfinished_shares(rows: pl.DataFrame) -> str:
    """`3.1 % of ``grpo``, ...`: the shares of solutions that ran into their budget, by reasoner."""
    known = rows.drop_nulls("unfinished").unique("reasoner", maintain_order=True)
    shares = known.select("reasoner", "unfinished").rows()
    return ", ".join(f"{100 * share:.1f} % of ``{name}``" for name, share in shares)


def enough(panel: pl.DataFrame, ours: Curve, base: Curve, name: str) -> str:
    """How much of ours reaches what a rival (by `name`) reaches at its largest N."""
    against = panel["against"][0]
    mine = of_curve(panel, ours.role, ours.strategy, ours.scorer or "").sort("n")
    target = of_curve(panel, base.role, base.strategy, base.scorer or "").sort("n").row(-1, named=True)
    there = _amount(against, target["x"])
    reaches = f"{name} reaches {'at' if against == 'n' else 'with'} {there}"
    goal = f"the {100 * target['accuracy']:.1f} % that {reaches}"
    reached = mine.filter(pl.col("accuracy") >= target["accuracy"])
    verb = "is" if against == "n" else "are"
    if reached.is_empty():
        return f"{_amount(against, mine['x'][-1])} {verb} not enough for {goal}"
    return f"{_amount(against, reached['x'][0])} {verb} enough for {goal}"


def _amount(against: str, x: float) -> str:
    return f"N = {x:.0f}" if against == "n" else f"{style.si(x)} {UNIT[against]}"
