"""`rlv claims`: the scoreboard of a study, as text or as a Markdown table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from rlv.columns import Column, table
from rlv.commands.places import plan_and_store
from rlv.commands.printing import add_json, answer
from rlv.errors import StoreError, StudyError
from rlv.evaluation.claims.rows import (
    COLOURS,
    bar,
    number,
)
from rlv.outside.files import parse_json
from rlv.plan import Plan
from rlv.store import Store

_VERDICT = (Column(least=14, whole=True, colours={v.upper(): c for v, c in COLOURS.items()}), Column())


def add_claims(parser: ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as a table for a README")
    add_json(form)
    parser.set_defaults(run=_claims)


def _claims(options: Namespace) -> None:
    answer(
        options,
        lambda: scoreboard(*plan_and_store(options)),
        lambda found: (claims_table if options.markdown else claims_lines)(found["claims"]),
    )


def scoreboard(plan: Plan, store: Store) -> dict[str, Any]:
    """The rows of a study's scoreboard, in JSON's types. Raises StudyError and StoreError if it has none."""
    if plan.claims is None:
        raise StudyError(f"study {plan.study.name}: has no section `claims`")
    file = store.open(plan.claims, "claims.json")
    try:
        rows = parse_json(file.read_bytes())
        claims_lines(rows)  # what cannot be shown is no scoreboard
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{file}: no scoreboard ({type(error).__name__}: {error})") from error
    return {"study": plan.study.name, "path": plan.claims.path, "claims": rows}


def claims_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The scoreboard as a Markdown table, with predictions if the study has any."""
    headings = ["claim", "number [95 % interval]", "bar (whose)", "verdict"]
    # Scoreboards of before have no predictions.
    predicted = any(row.get("predicted") for row in rows)
    headings += ["predicted"] if predicted else []
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for row in rows:
        cells = [row["statement"], number(row), bar(row), row["verdict"]]
        cells += [row.get("predicted") or ""] if predicted else []
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def claims_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The scoreboard as text."""
    cells = []
    for row in rows:
        predicted = f"; predicted {row['predicted']}" if row.get("predicted") else ""
        first = f"{row['id']}: {number(row)}; bar {bar(row)}; paper: {row['paper']}{predicted}"
        cells += [(row["verdict"].upper(), first), ("", f"{row['statement']}"), ("", f"{row['detail']}")]
        cells.append(("", ""))
    return list(table(_VERDICT, cells[:-1]))
