"""A history as a table for people: a line an artifact, then what ran, where, and the target's digests.

Left out on purpose: specifications in full and the digests of what lies behind the target; they are in the
crate, and `rlv why` shows an artifact's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rlv.provenance.history import History


def history_lines(history: History) -> list[str]:
    """The history of a target, inputs first."""
    records = history.records
    seconds = sum(record.made.seconds for record in records)
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
            f"{record.path:{width}s}  {record.spec['recipe']:6d}  {made.at:25s}  {made.seconds:9.1f}  "
            f"{len(record.files):5d}  {size:14,d}  {code}"
        )
    lines += ["", *_counted("code", (record.made.code or "unknown" for record in records))]
    lines += _counted("device", (record.made.device for record in records))
    lines += _counted("host", (record.made.host for record in records))
    lines += _counted("by", (record.made.by for record in records if record.made.by is not None))
    lines += _counted("packages", (_packages(record.made.python, record.made.packages) for record in records))
    lines += ["", "files of the target, SHA-256:"]
    lines += [f"  {fact.sha256}  {name}" for name, fact in history.target.files.items()]
    return lines


def _counted(what: str, values: Iterable[str]) -> list[str]:
    """A line a value, the most frequent first, with how many artifacts have it."""
    counted = Counter(values).most_common()
    return [f"{what if i == 0 else '':9s} {value} ({n})" for i, (value, n) in enumerate(counted)]


def _packages(python: str, packages: Mapping[str, str]) -> str:
    return ", ".join([f"python {python}", *(f"{name} {version}" for name, version in packages.items())])


def _short(code: str | None) -> str:
    """A commit's first twelve digits, and whether it was edited."""
    if code is None:
        return "unknown"
    return code[:12] + ("-dirty" if code.endswith("-dirty") else "")
