"""What came out of an evaluation, in about twenty lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from rlv.columns import Column, table
from rlv.evaluation.claims.rows import COLOURS, number
from rlv.figures.votes import NAMES, votes_in

# Columns of N, and lines of notes and claims: the pages have all of them.
_NS, _NOTES, _CLAIMS = 6, 5, 5
_PLAIN = (("majority", "majority voting"), ("pass_at_n", "pass@N (limit)"))
_POINTS = "Points of accuracy of "
_CLAIM = (Column(whole=True, colours=COLOURS), Column(whole=True), Column())


def summary(curves: pl.DataFrame, claims: Sequence[dict[str, Any]], notes: Sequence[str]) -> list[str]:
    """Notes, accuracy in % by vote and N, and the claims that matter most, as lines."""
    reasoners = curves["reasoner"].unique(maintain_order=True).to_list()
    lines = _some(list(notes), _NOTES, "notes")
    for reasoner in reasoners:
        lines += ["", *_accuracies(curves.filter(pl.col("reasoner") == reasoner), several=len(reasoners) > 1)]
    first = _first(claims)
    rows = [(row["verdict"], _number(row), _statement(row)) for row in first[:_CLAIMS]]
    return [*lines, "", *table(_CLAIM, rows), *_rest(len(first) - _CLAIMS, "claims")]


def _accuracies(curves: pl.DataFrame, *, several: bool) -> list[str]:
    ns = _shown(sorted(curves["n"].unique()))
    (majority, limit) = (("", *one) for one in _PLAIN)
    # Of several reasoners what is compared; the page has the rest.
    scored = [(v, s) for v, s in votes_in(curves) if v and (not several or s == "weighted_voting")]
    votes = [majority, *((v, s, f"{NAMES.get(s, s)}, {v}") for v, s in scored), limit]
    title = f"accuracy in %, {curves['reasoner'][0]}" if several else "accuracy in %"
    columns = (Column(title), *(Column(f"N = {n}", right=True) for n in ns))
    return list(table(columns, [(name, *(_cell(curves, v, s, n) for n in ns)) for v, s, name in votes]))


def _cell(curves: pl.DataFrame, verifier: str, strategy: str, n: int) -> str:
    of = (pl.col("verifier") == verifier, pl.col("strategy") == strategy, pl.col("n") == n)
    found = curves.filter(*of)["accuracy"]
    return "" if found.is_empty() else f"{100 * found[0]:.1f}"


def _shown(ns: list[int]) -> list[int]:
    """The last ones, 8 if it was evaluated, and 1: there claims are made."""
    if len(ns) <= _NS:
        return ns
    chosen = {ns[0], ns[-1], *(n for n in ns if n == 8)}
    for n in reversed(ns):
        if len(chosen) < _NS:
            chosen.add(n)
    return sorted(chosen)


def _first(claims: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Claims in the order in which a reader asks: who is better, what a verifier adds, the rest."""
    order = ("paired", "verifier_gain", "verifier_order", "headroom")
    return [row for name in order for row in claims if row["id"] == name]


def _number(row: dict[str, Any]) -> str:
    """The number with its unit, and its bar where that is not 0."""
    points = row["statement"].startswith(_POINTS)
    bar = f", bar {row['bar']:g}" if row["bar"] else ""
    return f"{number(row)}{' points' if points else ''}{bar}"


def _statement(row: dict[str, Any]) -> str:
    said = row["statement"].removeprefix(_POINTS)
    return f"{said[:1].lower()}{said[1:]}"


def _some(lines: list[str], most: int, what: str) -> list[str]:
    return [*lines[:most], *_rest(len(lines) - most, what)]


def _rest(count: int, what: str) -> list[str]:
    """`what`: in the plural."""
    return [f"… and {count} more {what if count > 1 else what[:-1]} on the page"] if count > 0 else []
