"""`rlv evaluate`: what a verifier is worth on solutions that you have already."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from rlv.commands.printing import say, say_progress
from rlv.errors import DataError

_EXAMPLES = {"--map": "text=completion", "--map-problems": "answer=gold", "--scale": "rm=rank"}
_FORMATS = (
    "answers stand in a box or after `answer is` or ####: stated; in a box: boxed; after Answer: marker"
)


def add_evaluate(parser: ArgumentParser) -> None:
    parser.add_argument(
        "samples",
        nargs="+",
        metavar="SAMPLES",
        help="files of solutions: JSON Lines, JSON, Parquet, CSV, a folder of datasets; NAME=FILE names them",
    )
    parser.add_argument("--problems", help="a file of problems with reference answers")
    _several(
        parser,
        "--map",
        "FIELD=COLUMN",
        "which columns hold what: text=completion answer=target score=rm; score=prm:min for steps",
    )
    _several(
        parser,
        "--map-problems",
        "FIELD=COLUMN",
        "the same of the file of problems: answer=gold question=prompt problem_id=uid",
    )
    parser.add_argument("--correct", metavar="COLUMN", help="trust this column instead of our grader")
    _several(
        parser,
        "--scale",
        "COLUMN=HOW",
        "scores outside [0, 1]: rank keeps the order, sigmoid takes log odds, exp log-probabilities",
    )
    _several(
        parser,
        "--free",
        "SCORE",
        "scores that sampling knew, as log-probabilities: others cost reading the solution",
    )
    _several(
        parser,
        "--votes",
        "VOTE",
        "more votes with scores: softmax:0.1 rank:0.5 top:0.1 log_odds; `rlv methods` lists them",
    )
    parser.add_argument("--dialect", help="the format, if it is not recognised; `rlv methods` lists them")
    parser.add_argument("--answers", choices=("stated", "boxed", "marker"), default="stated", help=_FORMATS)
    parser.add_argument(
        "-n", type=int, help="solutions of a problem; default: what all problems have; others are left out"
    )
    parser.add_argument("--tokenizer", metavar="FOLDER", help="counts tokens that the files do not state")
    parser.add_argument(
        "--compare", action="store_true", help="each file is a reasoner of its own, set against the first"
    )
    parser.add_argument("--verbose", action="store_true", help="every line of every stage, on stderr")
    parser.add_argument("--name", help="of the study; default: the first file's")
    parser.add_argument("--out", type=Path, help="folder for everything; default: results/NAME")
    parser.set_defaults(run=_evaluate)


def _several(parser: ArgumentParser, flag: str, metavar: str, help: str) -> None:
    """An option with several values that may also be repeated."""
    parser.add_argument(flag, nargs="+", action="extend", default=[], metavar=metavar, help=help)


def _evaluate(options: Namespace) -> None:
    from rlv.front.describe import Options, name_of
    from rlv.front.evaluate import evaluate
    from rlv.outside.names import below
    from rlv.study.configuration import results_folder

    groups = _groups(options.samples, compare=options.compare)
    name = options.name or "-".join(groups).replace("_", "-")[:64]
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        plain = name_of(name).replace("_", "-")
        raise DataError(f"--name {name}: expected a-z, 0-9 and -, such as {plain}")
    folder = options.out or below(results_folder(), name, error=DataError)
    if options.n is not None and options.n < 1:
        raise DataError(f"-n: found {options.n}, expected a whole number from 1 on")
    asked = Options(
        problems=options.problems,
        problem_mapping=dict(_pairs("--map-problems", options.map_problems)),
        mapping=_mapping(options.map),
        correct=options.correct,
        scale=dict(_pairs("--scale", options.scale)),
        free=tuple(options.free),
        votes=tuple(options.votes),
        dialect=options.dialect,
        answer_format=options.answers,
        n=options.n,
        tokenizer=options.tokenizer,
    )
    say(
        evaluate(
            groups,
            asked,
            name=name,
            folder=folder,
            store=_store(options, folder),
            log=say_progress if options.verbose else _briefly,
            threads=os.cpu_count() or 1,
        )
    )


def _groups(samples: list[str], *, compare: bool) -> dict[str, list[str]]:
    """Reasoner -> its files: all are one's, or (`compare`) each is one of its own."""
    from rlv.front.describe import name_of

    found: dict[str, list[str]] = {}
    first = None
    for argument in samples:
        name, equals, path = argument.partition("=")
        if not equals or Path(argument).exists():
            name, path = "", argument
        if name and name_of(name) != name:
            raise DataError(
                f"{argument}: a name has a-z, 0-9 and _, found {name!r}; {name_of(name)} would do"
            )
        if not compare and first is not None:
            if name not in ("", first):
                raise DataError(f"{argument}: without --compare all files are of one reasoner, {first!r}")
            found[first].append(path)
            continue
        name = name or name_of(path, list(found))
        first = first or name
        found.setdefault(name, []).append(path)
    if compare and len(found) < 2:
        raise DataError("--compare: expected two files or more, found one; name another one")
    return found


def _mapping(given: list[str]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for field, column in _pairs("--map", given):
        if field == "score" and field in found:
            before = found[field]
            found[field] = [*(before if isinstance(before, list) else [before]), column]
        elif field in found:
            raise DataError(f"--map {field}={column}: {field} is mapped to {found[field]} already; keep one")
        else:
            found[field] = column
    return found


def _pairs(flag: str, given: list[str]) -> Iterable[tuple[str, str]]:
    for one in given:
        key, equals, value = one.partition("=")
        if not (key and equals and value):
            raise DataError(f"{flag} {one}: expected NAME=VALUE, such as {_EXAMPLES[flag]}")
        yield key, value


def _briefly(line: str) -> None:
    """Of a stage's lines only that it is done, and how long it took."""
    if ": published after " in line:
        say_progress(line)


def _store(options: Namespace, folder: Path):
    """The configured store; without a configuration one beside the results."""
    from rlv.store import Store
    from rlv.study.configuration import CONFIG, STORE, settings

    if options.store or CONFIG.exists():
        return settings("unused", options.store, options.upstream).open()
    return Store(folder / STORE)
