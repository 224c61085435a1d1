"""`rlv solve` and `rlv verify`: a checkpoint's answer to a question, and its scores of given solutions."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.commands.printing import json_text, say
from rlv.errors import DataError
from rlv.escapes import escaped
from rlv.outside.files import json_lines

if TYPE_CHECKING:
    from rlv.reasoner import Reasoner, Solved

_JUDGED = "judge: the model was not trained to verify (or does not say so); it was asked all the same"


def add_solve(parser: ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("question")
    parser.add_argument("-n", type=int, default=16, help="solutions; default: 16")
    parser.add_argument("--vote", default="weighted_voting", help="default: weighted_voting")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 is greedy; default: 1")
    parser.add_argument("--top-p", type=float, default=1.0, help="nucleus; default: 1, all tokens")
    parser.add_argument("--max-tokens", type=int, default=None, help="of a solution; default: 1024, or less")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(run=_solve)


def _solve(options: Namespace) -> None:
    from rlv.reasoner.reasoner import require_arguments

    # Before weights are loaded, which may take minutes.
    require_arguments(options.n, options.vote, options.temperature, options.top_p, options.max_tokens)
    with loaded(options) as reasoner:
        solved = reasoner.solve(
            options.question,
            options.n,
            vote=options.vote,
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            seed=options.seed,
        )
    say([json_text(solved_json(solved))] if options.json else solved_lines(solved))


def solved_json(solved: Solved) -> dict[str, Any]:
    """The answer and its solutions in JSON's types."""
    names = ("text", "answer", "score", "n_tokens", "finished")
    solutions = [{name: getattr(solution, name) for name in names} for solution in solved.solutions]
    return {
        "answer": solved.answer,
        "confidence": solved.confidence,
        "scored_by": solved.scored_by,
        "solutions": solutions,
    }


def solved_lines(solved: Solved) -> list[str]:
    """The answer, then a line for each solution, highest score first."""
    if solved.answer is None:
        lines = ["no answer: no solution gives one; more tokens (--max-tokens) or solutions (-n) may help"]
    else:
        lines = [f"answer {_line(solved.answer)}, confidence {solved.confidence:.2f}"]
    lines += [_JUDGED] if solved.scored_by == "judge" else []
    lines += ["", f"{'score':>6s}  {'tokens':>6s}  answer"]
    for solution in sorted(solved.solutions, key=lambda found: -(found.score or 0.0)):
        score = "" if solution.score is None else f"{solution.score:.3f}"
        said = "cut off" if not solution.finished else _line(solution.answer or "none")
        lines.append(f"{score:>6s}  {solution.n_tokens:6d}  {said}")
    return lines


def add_verify(parser: ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("file", type=Path, help="JSON Lines, each with question and solution")
    parser.add_argument("--json", action="store_true", help="as JSON Lines: line and score")
    parser.add_argument("--output", type=Path, help="write the JSON Lines to this new file instead")
    parser.set_defaults(run=_verify)


def _verify(options: Namespace) -> None:
    rows = list(pairs_of(options.file))
    with loaded(options) as reasoner:
        names = [f"{options.file} line {number}" for number, *_ in rows]
        questions, solutions = [question for _, question, _ in rows], [solution for *_, solution in rows]
        scores = reasoner.score(questions, solutions, names=names)
        judged = reasoner.asking.score == "judge"
    made = [{"line": number, "score": score} for (number, *_), score in zip(rows, scores, strict=True)]
    if options.output is not None:
        try:
            with open(options.output, "x", encoding="utf-8") as file:
                file.writelines(f"{json_text(row)}\n" for row in made)
        except OSError as error:
            raise DataError(f"{options.output}: not written ({error.strerror}); name a new file") from error
        say([f"{len(made)} scores in {options.output}"])
    elif options.json:
        say(map(json_text, made))
    else:
        say([_JUDGED] if judged else [])
        say([f"{'line':>6s}  score", *(f"{row['line']:6d}  {row['score']:.4f}" for row in made)])


def pairs_of(path: Path) -> Iterator[tuple[int, str, str]]:
    """(Line, question, solution) of each row of JSON Lines; blank lines are passed over.

    Raises DataError, naming file and line, for a row that is none, and for a file that cannot be read.
    """
    found = False
    try:
        for number, _, row in json_lines(path):
            found = True
            yield (number, *_pair(row, f"{path} line {number}"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise DataError(f"{path}: no rows; expected JSON Lines of question and solution")


def _pair(row: Any, where: str) -> tuple[str, str]:
    expected = 'expected {"question": text, "solution": text}'
    if not isinstance(row, dict):
        raise DataError(f"{where}: {expected}, found {row!r:.100}")
    for name in ("question", "solution"):
        value = row.get(name)
        if not isinstance(value, str) or (name == "question" and not value.strip()):
            raise DataError(f"{where}: {expected}, found {name} {value!r:.100}")
    return row["question"], row["solution"]


def add_model(parser: ArgumentParser) -> None:
    parser.add_argument("model", help="the folder of a checkpoint, or with --revision owner/name of the hub")
    parser.add_argument("--revision", default=None, metavar="COMMIT", help="of the hub: 40 hex digits")
    parser.add_argument("--engine", default="transformers", help="transformers (default) or vllm")
    parser.add_argument("--prompt-style", default=None, help="default: as the checkpoint says")
    parser.add_argument("--system-prompt", default=None, help="default: as the checkpoint says")
    parser.add_argument("--answer-format", default=None, help="default: as the checkpoint says")


def loaded(options: Namespace) -> Reasoner:
    from rlv.reasoner import load, require_libraries

    require_libraries()
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    return load(
        options.model,
        revision=options.revision,
        engine=options.engine,
        prompt_style=options.prompt_style,
        system_prompt=options.system_prompt,
        answer_format=options.answer_format,
    )


def _line(text: str) -> str:
    return escaped(" ".join(text.split()))[:200]
