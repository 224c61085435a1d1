"""From problems and the policy's graded solutions to a table of attacks, each of them wrong.

Random numbers belong to (problem, attack, seed): neither the order of problems and solutions nor other
attacks change a text. Whatever the grader finds right is left out, and so is a text with a word that the
reader's tokenizer does not know: what a model makes of its unknown token says nothing of the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import polars as pl

from rlv import tables
from rlv.answers import Grader, extract_answer
from rlv.attacks.attack import Target, one_of
from rlv.attacks.registry import ATTACKS
from rlv.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Why a problem has no text of an attack.
IMPOSSIBLE = "not possible there"
UNKNOWN = "its words are no tokens of the reader"
RIGHT = "right by the grader"
UNJUDGED = "an answer and no reference"


@dataclass(frozen=True)
class Attacks:
    """A "samples" table in which sample k of a problem is attack k of `names`, and what was left out.

    `left_out`: attack -> reason -> for how many problems.
    """

    names: tuple[str, ...]
    samples: pl.DataFrame
    left_out: Mapping[str, Mapping[str, int]]

    def notes(self) -> list[str]:
        """What was left out, one line a reason."""
        found: dict[str, list[str]] = {}
        for name, reasons in self.left_out.items():
            for reason, problems in reasons.items():
                found.setdefault(reason, []).append(f"{name} ({problems} problems)")
        return [f"left out, {reason}: {', '.join(names)}" for reason, names in found.items()]


def targets(
    problems: pl.DataFrame, solutions: pl.DataFrame, count: int, step_rule: str, answer_format: str
) -> dict[str, Target]:
    """The first `count` problems of a table that have solutions, with the texts of these.

    Problems and solutions: tables of these names, in any order of the solutions. Raises DataError if no
    problem has a solution with a text.
    """
    texts = solutions.filter(pl.col("text").is_not_null())
    grouped = texts.group_by("problem_id", "correct").agg(pl.col("text").unique().sort())
    found = {(problem, correct): list(some) for problem, correct, some in grouped.iter_rows()}
    listed = problems.select("problem_id", "question", "answer").iter_rows()
    rows = [row for row in listed if (row[0], True) in found or (row[0], False) in found][:count]
    if not rows:
        raise DataError("attacks: no problem has a solution with a text; attacks are made of these")
    # One right solution of each problem is enough for those of the others.
    known = {
        problem: (answer, one_of(found.get((problem, True), ()), Random(f"{problem} other")))
        for problem, _, answer in rows
    }
    return {
        problem: Target(
            question,
            answer,
            found.get((problem, True), ()),
            found.get((problem, False), ()),
            [text for other, text in known.values() if text is not None and other != answer],
            step_rule,
            answer_format,
        )
        for problem, question, answer in rows
    }


def knows(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether a tokenizer has tokens for a text; the empty text needs none."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    return not text or (bool(ids) and tokenizer.unk_token_id not in ids)


def make_attacks(
    names: Sequence[str],
    targets: Mapping[str, Target],
    known: Callable[[str], bool],
    grader: Grader,
    seed: int,
) -> Attacks:
    """The attacks of these names on each target. `known`: whether the reader has words for a text.

    Raises KeyError for an unknown attack.
    """
    rows: list[tuple[str, int, str]] = []
    left_out: dict[str, Counter[str]] = {name: Counter() for name in names}
    for place, name in enumerate(names):
        for problem, target in targets.items():
            text = ATTACKS[name].make(target, Random(f"{problem} {name} {seed}"))
            if text is None:
                left_out[name][IMPOSSIBLE] += 1
            elif not known(text):
                left_out[name][UNKNOWN] += 1
            else:
                rows.append((problem, place, text))
    wrong = []
    for row, fault in zip(rows, _faults(rows, targets, grader), strict=True):
        if fault is None:
            wrong.append(row)
        else:
            left_out[names[row[1]]][fault] += 1
    return Attacks(tuple(names), _samples(wrong), left_out)


def _faults(
    rows: Sequence[tuple[str, int, str]], targets: Mapping[str, Target], grader: Grader
) -> list[str | None]:
    """Of each text, why it may not be wrong: its answer is right, or nobody can tell."""
    answers = [extract_answer(text, targets[problem].answer_format) for problem, _, text in rows]
    judged = [
        (place, answer, reference)
        for place, ((problem, _, _), answer) in enumerate(zip(rows, answers, strict=True))
        if answer is not None and (reference := targets[problem].answer) is not None
    ]
    right = dict.fromkeys(range(len(rows)), False)
    rewards = grader.rewards([answer for _, answer, _ in judged], [gold for _, _, gold in judged])
    right |= {place: bool(reward) for (place, _, _), reward in zip(judged, rewards, strict=True)}
    unjudged = {place for place, answer in enumerate(answers) if answer is not None}
    unjudged -= {place for place, _, _ in judged}
    return [RIGHT if right[place] else UNJUDGED if place in unjudged else None for place in range(len(rows))]


def _samples(rows: Sequence[tuple[str, int, str]]) -> pl.DataFrame:
    columns = dict.fromkeys(tables.SCHEMAS["samples"], [None] * len(rows))
    return tables.frame(
        "samples",
        columns
        | {
            "problem_id": [problem for problem, _, _ in rows],
            "sample_id": [place for _, place, _ in rows],
            "budget": [0] * len(rows),
            "text": [text for _, _, text in rows],
            "finish_reason": ["stop"] * len(rows),
        },
    )
