"""Files of samples as the study that evaluates them: what a person would write, in the same words.

The files are read once, to see what they have: how many solutions of each problem, which scores, whether
tokens are counted. The stage `imported` reads them again, by digest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlv.analysis.curves import DATASET, powers_of_two
from rlv.answers.given import answers_of
from rlv.errors import DataError
from rlv.imported import Imported, read_samples
from rlv.imported.fields import brief
from rlv.imported.given import Given, fewest, given_tables, scored
from rlv.study.paths import written

# Of a name in a study.
_LONGEST = 48
# Solutions that are looked at for an answer before anything is made.
_LOOKED_AT = 2_000
# Solutions a problem from which on stopping and allocation are replayed.
_REPLAYED = 8
_TAKEN = ("self", "votes")


@dataclass(frozen=True)
class Options:
    """How files are read: as `rlv.read_samples`, with `n` solutions of each problem (None: the smallest
    number that one has), the folder of a tokenizer that counts tokens, the verifiers for whose scores
    nothing was read (`free`), and votes beside ours."""

    problems: str | None = None
    problem_mapping: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    correct: str | None = None
    scale: Mapping[str, str] = field(default_factory=dict)
    free: Sequence[str] = ()
    votes: Sequence[str] = ()
    dialect: str | None = None
    answer_format: str = "stated"
    n: int | None = None
    tokenizer: str | None = None


@dataclass(frozen=True)
class Described:
    """The study as a mapping, ready for YAML; what the files are, a line each, and what was noticed."""

    study: dict[str, Any]
    files: list[str]
    notes: list[str]


def describe(groups: Mapping[str, Sequence[str]], options: Options, name: str) -> Described:
    """The study of groups of files: reasoner's name -> the files with its solutions.

    With several groups each is compared with the first, in order. Raises DataError as `rlv.read_samples`,
    and if no two groups have a problem in common.
    """
    found = {reasoner: _seen(files, options) for reasoner, files in groups.items()}
    several = len(found) > 1
    before = {reasoner: f"{reasoner}: " if several else "" for reasoner in found}
    notes = [f"{before[reasoner]}{note}" for reasoner, one in found.items() for note in one.notes]
    _require_common(found)
    notes = [*_contradictions(found), *notes]
    known = dict.fromkeys(name for one in found.values() for name in one.scores)
    for name in options.free:
        if name not in known:
            raise DataError(f"--free {name}: no such scores; there are: {', '.join(known) or 'none'}")
    named = _verifier_names(list(dict.fromkeys(v for one in found.values() for v in one.verifiers)))
    ns = sorted({n for one in found.values() for n in powers_of_two(one.n)})
    study: dict[str, Any] = {
        "name": name,
        "description": "Evaluation of " + ", ".join(_files_in_words(files) for files in groups.values()),
        "datasets": {DATASET: {"source": "samples", "answer_format": options.answer_format}},
        "samples": {reasoner: _section(groups[reasoner], options, one.n) for reasoner, one in found.items()},
        "verifiers": {
            short: {"score": "given", "column": column} | ({"free": True} if column in options.free else {})
            for column, short in named.items()
        },
        "reasoners": {
            reasoner: {
                "samples": reasoner,
                "evaluate_on": [DATASET],
                "verifiers": [named[column] for column in one.verifiers],
            }
            for reasoner, one in found.items()
        },
        "evaluation": {"ns": ns} | ({"votes": list(options.votes)} if options.votes else {}),
        "figures": {"votes": {}, "accuracy_table": {}},
        "claims": {"dataset": DATASET},
    }
    if all(one.tokens for one in found.values()):
        study["figures"]["votes_tokens"] = {"drawing": "votes", "against": "tokens"}
    if named:
        study["figures"] |= {"reliability": {}, "pooled_within": {}}
    else:
        del study["verifiers"]
    study |= _replayed(study, min(one.n for one in found.values()))
    if several:
        first, *others = found
        study["claims"]["paired"] = [[other, first] for other in others]
    files = [f"{before[reasoner]}{one.files}" for reasoner, one in found.items()]
    return Described(study, files, notes)


def _replayed(study: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Sections of what is made of the same solutions once more: by rules that stop, and by difficulty.

    `n`: the smallest number of solutions a problem; both need a half of them that is more than one.
    """
    if n < _REPLAYED:
        return {}
    readers = {reasoner: entry["verifiers"] for reasoner, entry in study["reasoners"].items()}
    figures = {"adaptive": {}, "frontier": {}} | ({"allocation": {}} if any(readers.values()) else {})
    return {
        "stopping": {"datasets": [DATASET], "readers": readers},
        "allocation": {"datasets": [DATASET], "readers": readers},
        "figures": study["figures"] | figures,
    }


@dataclass(frozen=True)
class _Seen:
    n: int
    answers: dict[str, str | None]  # problem -> its reference
    scores: list[str]
    verifiers: list[str]
    tokens: bool
    files: str
    notes: list[str]


def _seen(files: Sequence[str], options: Options) -> _Seen:
    imported = read_samples(
        list(files),
        problems=options.problems,
        problem_mapping=options.problem_mapping,
        mapping=options.mapping,
        correct=options.correct,
        dialect=options.dialect,
        scale=options.scale,
    )
    n = fewest(imported) if options.n is None else options.n
    given = given_tables(imported, n)
    known = given.samples["n_tokens"].null_count() == 0
    _require_answers(given, options)
    words = " ".join(f"{field}={column}" for field, column in imported.mapping.items())
    return _Seen(
        n,
        dict(given.problems.select("problem_id", "answer").iter_rows()),
        list(imported.scores),
        scored(given),
        known or options.tokenizer is not None,
        f"{len(given.problems):,} problems, {n:,} solutions of each; format {imported.dialect}: {words}",
        [*given.notes, *_more(imported, n), *imported.notes],
    )


def _more(imported: Imported, n: int) -> list[str]:
    """What another number of solutions would keep, if the smallest is that of few problems."""
    sizes = imported.solutions.group_by("problem_id").len()["len"]
    usual = int(sizes.median() or n)  # pyright: ignore[reportArgumentType]
    if usual <= n:
        return []
    kept = int((sizes >= usual).sum())
    return [f"-n {usual} would keep {kept:,} of {len(sizes):,} problems, with {usual:,} solutions of each"]


def _require_answers(given: Given, options: Options) -> None:
    """Raises DataError if no solution has an answer, by all that is known of the first ones."""
    first = given.samples.head(_LOOKED_AT)
    if given.given["correct"].null_count() < len(given.given) or first["text"].is_null().all():
        return
    answers = answers_of(first, given.given, options.answer_format)
    if all(answer is None for answer in answers):
        text = next(text for text in first["text"] if text is not None)
        raise DataError(
            f"no answer in any of the first {len(first):,} solutions (answers: {options.answer_format}); the "
            f"first one is {brief(text, 120)!r}. Use --map text=COLUMN with the column of solutions, "
            "--answers for where their answers stand, or --map predicted=COLUMN if a column has the answers"
        )


def _section(files: Sequence[str], options: Options, n: int) -> dict[str, Any]:
    found: dict[str, Any] = {"files": list(map(_absolute, files)), "n": n}
    given = {
        "problems": options.problems and _absolute(options.problems),
        "problem_map": dict(options.problem_mapping),
        "dialect": options.dialect,
        "map": {f: c if isinstance(c, str) else list(c) for f, c in options.mapping.items()},
        "correct": options.correct,
        "scale": dict(options.scale),
        "tokenizer": options.tokenizer and _absolute(options.tokenizer),
    }
    return found | {key: value for key, value in given.items() if value}


def _absolute(path: str) -> str:
    """The path as a study has it, the same from whatever folder it is run."""
    return written(Path(path).absolute())


def _require_common(found: Mapping[str, _Seen]) -> None:
    (first, base), *others = found.items()
    for name, one in others:
        if not one.answers.keys() & base.answers.keys():
            raise DataError(
                f"{name}: none of its {len(one.answers):,} problems is among the {len(base.answers):,} of "
                f"{first} (ids such as {min(one.answers)!r} and {min(base.answers)!r}); use "
                "--problems FILE, whose ids both then have, or --map problem_id=COLUMN"
            )


def _contradictions(found: Mapping[str, _Seen]) -> list[str]:
    """Problems whose references differ between files that are compared: one of them judges wrongly."""
    (first, base), *others = found.items()
    notes = []
    for name, one in others:
        both = [(p, base.answers[p], a) for p, a in one.answers.items() if base.answers.get(p) and a]
        apart = [(p, *pair) for p, *pair in both if pair[0] != pair[1]]
        if apart:
            problem, ours, theirs = apart[0]
            notes.append(
                f"{len(apart):,} of {len(both):,} problems have another reference in {name} than in {first} "
                f"(first: {brief(problem)!r}, {brief(theirs)!r} and {brief(ours)!r}); --problems FILE judges "
                "both alike"
            )
    return notes


def name_of(path: str, taken: Sequence[str] = ()) -> str:
    """A name in a study for a file's solutions: its stem, or its folder's if the stem says nothing."""
    file = Path(path)
    says_nothing = file.stem in ("solutions", "samples")
    return _unique(file.absolute().parent.name if says_nothing else file.stem, "samples", taken)


def _verifier_names(columns: Sequence[str]) -> dict[str, str]:
    """Column -> the verifier's name in the study."""
    found: dict[str, str] = {}
    for column in columns:
        found[column] = _unique(column, "score", list(found.values()))
    return found


def _unique(text: str, instead: str, taken: Sequence[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[: _LONGEST - 4] or instead
    plain = f"{plain}_1" if plain in _TAKEN else plain
    number, name = 2, plain
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name


def _files_in_words(files: Sequence[str]) -> str:
    names = [Path(file).name for file in files]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
