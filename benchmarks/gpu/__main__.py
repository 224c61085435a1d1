"""The command: runs the parts in turn, each in its time, and writes the table and the JSON file."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.gpu.parts import PARTS, ROOT, versions
from benchmarks.gpu.rows import Row, failed, passed, skipped, table
from benchmarks.gpu.sizes import GPU, SMALL, Sizes

POLL_SECONDS = 0.2


@dataclass
class Report:
    """The measurements so far; their file is complete at every moment."""

    file: Path
    small: bool
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Print a row, and write the file anew."""
        self.rows.append(row)
        print(table([row]).splitlines()[-1], flush=True)
        self.write()

    def write(self) -> None:
        """Replace the file at once."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        content = {**asdict(self), "file": None, "versions": versions(), "passed": passed(self.rows)}
        del content["file"]
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1))
        partial.replace(self.file)


def main() -> int:
    """Command line; 0 if everything ran and passed, else 1."""
    parser = argparse.ArgumentParser(description="what works on a GPU and how fast", prog="benchmarks.gpu")
    parser.add_argument("--small", action="store_true", help="tiny sizes, on the CPU if there is no GPU")
    parser.add_argument("--parts", type=_letters, default=list(PARTS), help="such as a,c; all by default")
    parser.add_argument("--minutes", type=float, default=8, help="of all parts together (not with --small)")
    parser.add_argument("--commit", help="of this code, if it is a copy without its repository")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/gpu.json"), help="JSON file")
    arguments = parser.parse_args()
    # Ends the parts, too, and leaves the file as it is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sizes = SMALL if arguments.small else GPU
    report = Report(arguments.out, arguments.small)
    end = time.monotonic() + (float("inf") if arguments.small else 60 * arguments.minutes)
    print("installed:", ", ".join(f"{name} {words}" for name, words in versions().items()), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        # What the parts that do not run, and those that are done, have left of their time.
        saved = end - time.monotonic() - sum(sizes.seconds[letter] for letter in arguments.parts)
        saved = 0.0 if arguments.small else max(0.0, saved)
        for letter in arguments.parts:
            allowed = min(sizes.seconds[letter] + saved, end - time.monotonic())
            if allowed <= 0:
                report.add(skipped(letter, PARTS[letter].module, "no time was left; see --minutes"))
                continue
            started = time.monotonic()
            run(letter, sizes, Path(scratch), report, allowed)
            if arguments.commit:
                report.facts["code"] = arguments.commit
            report.seconds[letter] = round(time.monotonic() - started, 1)
            saved = max(0.0, allowed - report.seconds[letter])
    report.write()
    print(summary(report), flush=True)
    return 0 if passed(report.rows) else 1


def _letters(text: str) -> list[str]:
    letters = [letter.strip() for letter in text.split(",")]
    unknown = [letter for letter in letters if letter not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no part {', '.join(map(repr, unknown))}; known: {', '.join(PARTS)}"
        )
    return letters


def run(letter: str, sizes: Sizes, scratch: Path, report: Report, allowed: float) -> None:
    """One part in a process group of its own, which is ended when its time is over."""
    rows, log = scratch / f"{letter}.jsonl", scratch / f"{letter}.log"
    rows.touch()
    command = [sys.executable, "-m", "benchmarks.gpu.worker", letter, str(scratch / "model"), str(rows)]
    deadline = time.monotonic() + allowed
    with log.open("w") as said, rows.open("rb") as lines:
        process = subprocess.Popen(
            [*command, *(["--small"] if report.small else [])],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            while process.poll() is None and time.monotonic() < deadline:
                _collect(lines, report)
                time.sleep(POLL_SECONDS)
            late = process.poll() is None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _collect(lines, report)
    if late or process.returncode or any(r.part == letter and r.passed is False for r in report.rows):
        kept = report.file.with_name(f"{report.file.stem}-{letter}.log")
        kept.write_bytes(log.read_bytes())
    if late:
        report.add(failed(letter, PARTS[letter].module, f"not finished within its {allowed:.0f} s"))
    elif process.returncode:
        last = " / ".join(log.read_text(errors="replace").split("\n")[-4:])
        report.add(failed(letter, PARTS[letter].module, f"ended with {process.returncode}: {last[-500:]}"))


def _collect(file: BinaryIO, report: Report) -> None:
    """Add the rows that are complete; what follows the last line's end stays for the next look."""
    whole, _, begun = file.read().rpartition(b"\n")
    file.seek(-len(begun), os.SEEK_CUR)
    for line in whole.splitlines():
        content = json.loads(line)
        if "facts" in content:
            report.facts = content["facts"]
        else:
            report.add(Row(**content))


def summary(report: Report) -> str:
    """The table, and the machine that it was measured on."""
    facts = report.facts
    took = ", ".join(f"{letter} {seconds:.0f} s" for letter, seconds in report.seconds.items())
    verdict = "all passed" if passed(report.rows) else _amounts(report.rows)
    return (
        f"\n{table(report.rows)}\n\n{facts.get('device', 'unknown device')}, {os.cpu_count()} cores, "
        f"{facts.get('at', '')}, commit {facts.get('code') or 'unknown'}\n{took}\n{verdict}; {report.file}"
    )


def _amounts(rows: Sequence[Row]) -> str:
    bad = sum(row.passed is False for row in rows)
    absent = sum(row.value is None and row.passed is None for row in rows)
    return f"{bad} failed, {absent} not run"


if __name__ == "__main__":
    sys.exit(main())
