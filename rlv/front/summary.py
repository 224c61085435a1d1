"""What came out of an evaluation, in about twenty lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from rlv.evaluation.claims.rows import number

# Columns of N, and lines of notes and claims: the pages have all of them.
_NS, _NOTES, _CLAIMS = 6, 4, 8
_PLAIN = (("majority", "majority voting"), ("pass_at_n", "pass@N (limit)"))
_SCORED = (("weighted_voting", "weighted voting"), ("best_of_n", "best of N"))


def summary(curves: pl.DataFrame, claims: Sequence[dict[str, Any]], notes: Sequence[str]) -> list[str]:
    """Notes, accuracy in % by vote and N, and the claims that matter most, as lines."""
    lines = _some(list(notes), _NOTES, "notes")
    reasoners = curves["reasoner"].unique(maintain_order=True).to_list()
    for reasoner in reasoners:
        mine = curves.filter(pl.col("reasoner") == reasoner)
        ns = _shown(sorted(mine["n"].unique()))
        title = f"accuracy in %{f', {reasoner}' if len(reasoners) > 1 else ''}"
        lines += ["", f"{title:34}" + "".join(f"{f'N = {n}':>10}" for n in ns)]
        lines += [f"{name:34}" + "".join(_cell(mine, vote, n) for n in ns) for *vote, name in _votes(mine)]
    return [*lines, "", *_some([_line(row) for row in _first(claims)], _CLAIMS, "claims")]


def _votes(curves: pl.DataFrame) -> list[tuple[str, str, str]]:
    verifiers = [v for v in curves["verifier"].unique(maintain_order=True) if v]
    (majority, limit) = (("", strategy, name) for strategy, name in _PLAIN)
    scored = [(v, strategy, f"{name}, {v}") for v in verifiers for strategy, name in _SCORED]
    return [majority, *scored, limit]


def _cell(curves: pl.DataFrame, vote: list[str], n: int) -> str:
    verifier, strategy = vote
    found = curves.filter(pl.col("verifier") == verifier, pl.col("strategy") == strategy, pl.col("n") == n)[
        "accuracy"
    ]
    return f"{'' if found.is_empty() else f'{100 * found[0]:.1f}':>10}"


def _shown(ns: list[int]) -> list[int]:
    """The first, the last, and some between them, if there are many."""
    if len(ns) <= _NS:
        return ns
    return sorted({ns[round(k * (len(ns) - 1) / (_NS - 1))] for k in range(_NS)})


def _first(claims: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Claims in the order in which a reader asks: what a verifier adds, who is better, the rest."""
    order = ("verifier_gain", "paired", "verifier_order", "headroom")
    ranked = [row for name in order for row in claims if row["id"] == name]
    # The first of each kind and method before the second of any.
    place: dict[tuple[str, str], int] = {}
    turns = []
    for row in ranked:
        about = (row["id"], row["method"])
        place[about] = place.get(about, 0) + 1
        turns.append(place[about])
    return [
        row for _, _, row in sorted(zip(turns, range(len(ranked)), ranked, strict=True), key=lambda t: t[:2])
    ]


def _line(row: dict[str, Any]) -> str:
    said = row["statement"].removeprefix("Points of accuracy of ")
    return f"{row['verdict']:14} {number(row):22} {said[:1].lower() + said[1:]}"


def _some(lines: list[str], most: int, what: str) -> list[str]:
    rest = len(lines) - most
    return lines if rest <= 0 else [*lines[:most], f"… and {rest} more {what} on the page"]
