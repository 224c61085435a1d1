"""A history as a table for people: a line for each artifact, then code, machines and the target's digests.

The crate has the specifications in full and all other digests, and `rlv why` shows an artifact's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rlv.provenance.history import History


def history_lines(history: History) -> list[str]:
    """The history of a target, inputs first."""
    records = history.records
    seconds = sum(record.made.all_seconds for record in records)
    width = max(len(record.path) for record in records)
    lines = [
        f"{history.name} of the study {history.study}: {len(records)} artifacts, {seconds:,.1f} s",
        "",
        f"{'artifact':{width}s}  recipe  {'made':25s}  {'seconds':>9s}  {'files':>5s}  {'bytes':>14s}  code",
    ]
    for record in records:
        made, size = record.made, sum(fact.bytes for fact in record.files.values())
        code = _short(made.code)
        lines.append(
            f"{record.path:{width}s}  {record.spec['recipe']:6d}  {made.at:25s}  {made.all_seconds:9.1f}  "
            f"{len(record.files):5d}  {size:14,d}  {code}"
            + (f"  in {len(made.earlier) + 1} parts" if made.earlier else "")
        )
    lines += ["", *_counted("code", history, lambda part: part["code"] or "unknown")]
    lines += _counted("device", history, lambda part: part["device"])
    lines += _counted("host", history, lambda part: part["host"])
    lines += _counted("by", history, lambda part: part.get("by"))
    lines += _counted("packages", history, lambda part: _packages(part["python"], part["packages"]))
    lines += ["", "files of the target, SHA-256:"]
    lines += [f"  {fact.sha256}  {name}" for name, fact in history.target.files.items()]
    return lines


def _counted(what: str, history: History, value: Callable[[Mapping[str, Any]], str | None]) -> list[str]:
    """A line for each value, the most frequent first, with how many artifacts have it.

    In a training of several parts each value counts once.
    """
    found = Counter(v for record in history.records for v in {value(part) for part in record.made.parts})
    found.pop(None, None)
    lines = [f"{text} ({n})" for text, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    return [f"{what if i == 0 else '':9s} {line}" for i, line in enumerate(lines)]


def _packages(python: str, packages: Mapping[str, str]) -> str:
    return ", ".join([f"python {python}", *(f"{name} {version}" for name, version in packages.items())])


def _short(code: str | None) -> str:
    """A commit's first twelve digits, and whether it was edited."""
    if code is None:
        return "unknown"
    return code[:12] + ("-dirty" if code.endswith("-dirty") else "")
