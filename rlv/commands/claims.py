"""`rlv claims`: the scoreboard of a study, as text or as a Markdown table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.errors import StoreError, StudyError
from rlv.evaluation.claims.rows import bar, number
from rlv.outside.files import parse_json


def add_claims(parser: ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="as a table for a README")
    parser.set_defaults(run=_claims)


def _claims(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    if plan.claims is None:
        raise StudyError(f"study {plan.study.name}: has no section `claims`")
    file = store.open(plan.claims, "claims.json")
    lines = claims_table if options.markdown else claims_lines
    try:
        say(lines(parse_json(file.read_bytes())))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{file}: no scoreboard ({type(error).__name__}: {error})") from error


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
    lines = []
    for row in rows:
        predicted = f"; predicted {row['predicted']}" if row.get("predicted") else ""
        lines += [
            f"{row['verdict'].upper():15s} {row['id']}: {number(row)}; bar {bar(row)}; paper: {row['paper']}"
            f"{predicted}",
            f"{'':15s} {row['statement']}",
            f"{'':15s} {row['detail']}",
            "",
        ]
    return lines[:-1]
