"""A history beside a second making of the same artifacts: file by file, by their digests.

Whether equality is promised is decided for each artifact. With the same code and packages, on the same kind
of processor, with as many threads, one process and no GPU every byte is the same but for measurements
(measured.py). With a GPU, several ranks, another processor or another package sums are taken in another
order, and a language model that is sampled from them soon writes something else. The report then has the size
of each difference, and why equality was not promised. There is no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.outside.names import below
from rlv.provenance.amounts import amount
from rlv.provenance.history import FileFact, Made, Record
from rlv.provenance.measured import describe

# Of the settings that decide how an artifact is computed: those that touch no number, only places and names.
INERT = {"path", "folder", "key", "study", "save_every", "show_every"}
EQUAL, MEASURED, DIFFERS = "equal", "equal but for what is measured", "differs"


@dataclass(frozen=True)
class Comparison:
    """One artifact, then and now. `lines`: what differs, file by file; `unpromised`: why that may be."""

    path: str
    verdict: str
    lines: tuple[str, ...]
    unpromised: tuple[str, ...]
    seconds: tuple[float, float]


def compare(
    old: Record,
    new: Record,
    processor: str,
    unpromised_inputs: tuple[str, ...],
    old_folder: Path | None,
    new_folder: Path,
) -> Comparison:
    """Compare two records of one key.

    `old_folder`: the first making's files, if they are at hand; then differences have a size. `processor`:
    the name of this machine's. `unpromised_inputs`: inputs of which equality was not promised.
    """
    found = list(_files(old, new, old_folder, new_folder))
    differs = any(verdict == DIFFERS for verdict, _ in found)
    measured = any(verdict == MEASURED for verdict, _ in found)
    reasons = [*doubts(old, new, processor)]
    if unpromised_inputs:
        reasons.append(f"made from {', '.join(unpromised_inputs)}")
    return Comparison(
        old.path,
        DIFFERS if differs else MEASURED if measured else EQUAL,
        tuple(line for _, line in found if line),
        tuple(reasons),
        (old.made.all_seconds, new.made.all_seconds),
    )


def doubts(old: Record, new: Record, processor: str) -> Iterator[str]:
    """Why two makings of one key may differ in their last digits, or in more; nothing if they must not."""
    a, b = old.made, new.made
    if a.device != b.device:
        yield f"computed on {a.device}, now on {b.device}"
    elif a.device != processor:
        yield f"computed on {a.device}"
    for name, before, after in _pairs(old.how, new.how):
        if name in INERT:
            continue
        if before != after:
            yield f"{name} {before}, now {after}"
        elif name == "ranks" and before is not None and before > 1:
            yield f"computed on {before} ranks"
    if a.threads != b.threads:
        yield f"{a.threads} threads, now {b.threads}"
    for name, before, after in _pairs({"Python": a.python, **a.packages}, {"Python": b.python, **b.packages}):
        if before != after:
            yield f"{name} {before or 'absent'}, now {after or 'absent'}"
    if a.code != b.code:
        yield f"code {a.code or 'unknown'}, now {b.code or 'unknown'}"
    elif a.code is None or a.code.endswith("-dirty"):
        yield "code that no commit holds"
    yield from (doubt for made in (a, b) for doubt in _changed_meanwhile(made))


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(Name, value in one, value in the other) of all that either has, sorted by name."""
    return ((name, old.get(name), new.get(name)) for name in sorted({*old, *new}))


def _changed_meanwhile(made: Made) -> Iterator[str]:
    """The settings in which earlier jobs of a training differ from its last."""
    for part in made.earlier:
        for name in ("device", "python", "packages", "code"):
            if part[name] != getattr(made, name):
                steps = f"steps {part['from_step'] + 1} to {part['to_step']}"
                value = f", {part[name]}" if isinstance(part[name], str) else ""
                yield f"{steps} with other {name} than the last{value}"


def _files(old: Record, new: Record, old_folder: Path | None, new_folder: Path) -> Iterator[tuple[str, str]]:
    """(verdict, line) of every file that is in either."""
    for name in {**old.files, **new.files}:
        if name not in new.files:
            yield DIFFERS, f"{name}: was there, and is not now"
        elif name not in old.files:
            yield DIFFERS, f"{name}: is new"
        else:
            before = None if old_folder is None else below(old_folder, name, nested=True)
            after = below(new_folder, name, nested=True)
            yield _file(old.stage, name, old.files[name], new.files[name], before, after)


def _file(
    stage: str, name: str, old: FileFact, new: FileFact, before: Path | None, after: Path
) -> tuple[str, str]:
    if old.sha256 == new.sha256:
        return EQUAL, ""
    if old.lasting is not None and old.lasting == new.lasting:
        return MEASURED, f"{name}: equal but for {describe(name)}"
    if before is None or not before.is_file():
        return DIFFERS, f"{name}: differs; the first making's files are not at hand, so there is no size"
    how_much = amount(before, after)
    if not how_much:
        return EQUAL, f"{name}: the same content, written in other bytes"
    return DIFFERS, f"{name}: {how_much}"


def unpromised(comparisons: Mapping[str, Comparison], record: Record) -> tuple[str, ...]:
    """Inputs of which equality was not promised; what is made from them is promised no more than they are."""
    inputs = dict.fromkeys(record.inputs.values())
    return tuple(path for path in inputs if path in comparisons and comparisons[path].unpromised)
