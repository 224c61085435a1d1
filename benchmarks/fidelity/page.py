"""The table of properties, as Markdown for a terminal or a page, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.fidelity.properties import Found, Property
from benchmarks.fidelity.sources import MARKS
from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.curves import expected
from rlv.evaluation.recorded import Recorded

BEGIN = "<!-- fidelity: python -m benchmarks.fidelity --document docs/miniature.md -->"
END = "<!-- end of fidelity -->"


def markdown(title: str, found: Sequence[Found], heated: Mapping[float, Recorded]) -> str:
    """The title, one row a property, how many are inside their range, sources and unknowns below."""
    lines = [title, "", "| property | study [95 % interval] | published | verdict |", "|---|--:|--:|---|"]
    lines += [
        f"| {row.of.name}: {row.of.says} | {_number(row)} | {_range(row.of)} | {row.verdict} |"
        for row in found
    ]
    known = [row for row in found if row.of.low is not None and row.number is not None]
    inside = sum(row.verdict == "inside" for row in known)
    lines += ["", f"Inside: {inside} of the {len(known)} that are measured and have a known range."]
    if heated:
        lines += ["", f"pass@1 on the tuning problems by temperature: {_by_temperature(heated)}."]
    lines += ["", "Sources:", ""]
    lines += [f"- {row.of.name}: {row.of.source}." for row in found if row.of.low is not None]
    lines += ["", "Unknown, so that the study's number says nothing about fidelity:", ""]
    lines += [f"- {row.of.name}: {row.of.source}." for row in found if row.of.low is None]
    lines += ["", "Marks:", "", *(f"- [{mark}] {text}." for mark, text in MARKS.items())]
    return "\n".join(lines)


def as_json(found: Sequence[Found]) -> list[dict[str, Any]]:
    """One record a property; a number that is not measured or undefined is null."""
    return [
        {
            "name": row.of.name,
            "says": row.of.says,
            "unit": row.of.unit,
            "published": [row.of.low, row.of.high],
            "source": row.of.source,
            "verdict": row.verdict,
            **_finite(row.number),
        }
        for row in found
    ]


def written(page: str, text: str, begin: str, end: str) -> str:
    """The page with the text between its marks. Raises ValueError if it does not have both, once each."""
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"expected the lines {begin!r} and {end!r}, once each and in this order")
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def _number(row: Found) -> str:
    if row.number is None:
        return "–"
    unit = "" if row.of.unit in ("", "points") else f" {row.of.unit}"
    value, low, high = (_short(x) for x in (row.number.value, row.number.low, row.number.high))
    return f"{value}{unit} [{low}, {high}]"


def _range(of: Property) -> str:
    if of.low is None or of.high is None:
        return "unknown"
    unit = "" if of.unit == "" else f" {of.unit}"
    return f"{of.low:g} to {of.high:g}{unit}"


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"


def _by_temperature(heated: Mapping[float, Recorded]) -> str:
    means = {t: expected(data, "pass_at_n", 1).mean() for t, data in sorted(heated.items())}
    return ", ".join(f"{temperature:g}: {100 * value:.1f} %" for temperature, value in means.items())


def _finite(number: Estimate | None) -> dict[str, float | None]:
    ends = {"value": math.nan, "low": math.nan, "high": math.nan} if number is None else vars(number)
    return {name: None if math.isnan(value) else value for name, value in ends.items()}
