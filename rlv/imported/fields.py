"""The fields of a solution, how `--map` names them, and how the columns of a file are told.

    problem_id, question, answer, level, subject    of the problem; `answer` is its reference answer
    sample_id, text, predicted, correct             of the solution; `predicted` is the answer that it states
    n_tokens, n_prompt_tokens, finish_reason
    score                                           one column a verifier: `score=rm` or `score=rm:min,other`

`answer` means the problem's, as in a study's data sets. If it meant the solution's, `answer=target` would
make every solution right without a word; this way round, a mistake shows, as a problem has one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from typing import Any

import polars as pl

from rlv.errors import DataError
from rlv.escapes import escaped

# Ways to make one score of the scores of a solution's steps.
AGGREGATES = ("last", "min", "mean", "prod")
# Field -> names that files use for it. Only for suggestions: nothing is read under a name that is not said.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "problem_id": ("problem_id", "id", "unique_id", "idx", "qid", "question_id", "doc_id", "uid", "index"),
    "question": ("question", "problem", "prompt", "query", "input", "instruction"),
    "answer": (
        *("answer", "reference", "target", "gold", "gt", "gts", "ground_truth", "label", "expected_answer"),
        *("gold_answer", "reference_answer", "correct_answer", "true_answer"),
    ),
    "level": ("level", "difficulty"),
    "subject": ("subject", "type", "category", "topic"),
    "sample_id": ("sample_id", "sample_idx", "sample", "rollout_id", "completion_id"),
    "text": (
        *("text", "completion", "completions", "response", "responses", "output", "outputs", "generation"),
        *("generations", "generated_text", "model_output", "solution", "solutions", "resps", "code"),
    ),
    "predicted": (
        *("predicted", "pred", "preds", "prediction", "predictions", "extracted_answer", "final_answer"),
        *("model_answer", "parsed_answer", "answers"),
    ),
    "correct": ("correct", "is_correct", "correctness", "acc", "exact_match", "passed", "label", "labels"),
    "n_tokens": ("n_tokens", "num_tokens", "completion_tokens", "response_length", "output_tokens", "length"),
    "n_prompt_tokens": ("n_prompt_tokens", "prompt_tokens", "prompt_length", "input_tokens"),
    "finish_reason": ("finish_reason", "finish_reasons", "stop_reason"),
    "score": (
        *("score", "scores", "rm_score", "reward", "rewards", "rm", "prm", "prm_score", "verifier_score"),
        *("reward_score", "reward_model_score", "model_score"),
    ),
}
FIELDS = tuple(SYNONYMS)
# Fields of which a row that holds several solutions has a list.
OF_SOLUTIONS = ("sample_id", "text", "predicted", "correct", "n_tokens", "finish_reason")
_SHOWN_COLUMNS = 30
# Columns whose names are compared, and how alike names are to be suggested: 1 for equal ones.
_COMPARED, _LIKE = 60, 0.75


@dataclass(frozen=True)
class ScoreColumn:
    """A verifier's scores: their column, how those of steps become one (None: they are of solutions), and
    the verifier's name."""

    column: str
    aggregate: str | None = None
    name: str = ""

    def __str__(self) -> str:
        return self.column if self.aggregate is None else f"{self.column}:{self.aggregate}"


def named(scores: Iterable[ScoreColumn]) -> tuple[ScoreColumn, ...]:
    """The columns with names of their own: the last part of the column's, or as much as tells them apart."""
    found = tuple(dict.fromkeys(scores))
    for name in (_last_part, lambda score: score.column, str):
        names = [score.name or name(score) for score in found]
        if len(set(names)) == len(names):
            break
    return tuple(replace(score, name=one) for score, one in zip(found, names, strict=True))


def _last_part(score: ScoreColumn) -> str:
    return score.column.replace("[]", "").rsplit(".", 1)[-1] or score.column


@dataclass(frozen=True)
class Columns:
    """Where each field stands in a file. `said`: the fields that the user named, which must be there."""

    fields: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[ScoreColumn, ...] = ()
    said: frozenset[str] = frozenset()

    def names(self) -> list[str]:
        """All columns, each once."""
        return list(dict.fromkeys([*self.fields.values(), *(score.column for score in self.scores)]))

    def words(self) -> dict[str, str]:
        """Field -> column, as `--map` would say it."""
        words = dict(self.fields)
        if self.scores:
            words["score"] = ",".join(map(str, self.scores))
        return words


def overridden(
    columns: Columns,
    mapping: Mapping[str, str | Sequence[str]] | None,
    correct: str | None,
    schema: Mapping[str, Any],
    aggregate: str | None,
) -> Columns:
    """The columns with what the user says of them: `mapping` as `--map`, `correct` as `--correct`.

    `aggregate`: of steps whose column names none. Raises DataError for a field that there is not, and for
    one that is said in two ways.
    """
    said = dict(mapping or {})
    unknown = [name for name in said if name not in FIELDS]
    if unknown:
        column = said[unknown[0]]
        known = _field_of(unknown[0])
        near = [known] if known else get_close_matches(unknown[0], FIELDS, 1, 0.5)
        meant = f"{near[0]}={column}" if near else ""
        if column in FIELDS and unknown[0] in schema:  # the pair the other way round
            meant = f"{column}={unknown[0]}"
        hint = f"; did you mean {meant}?" if meant else ""
        raise DataError(f"--map {unknown[0]}=…: expected one of {', '.join(FIELDS)}{hint}")
    if correct is not None:
        if said.get("correct", correct) != correct:
            raise DataError(f"--correct {correct} and --map correct={said['correct']}: use one of them")
        said["correct"] = correct
    scores = columns.scores
    if "score" in said:
        given = said.pop("score")
        scores = tuple(_scores(given, schema, aggregate))
    one_each: dict[str, str] = {}
    for name, column in said.items():
        if not isinstance(column, str):
            raise DataError(
                f"--map {name}={column}: expected one column, found several; only score has several"
            )
        one_each[name] = column
    fields = {**columns.fields, **one_each}
    # A column is the truth of a solution or a verifier's opinion of it, not both.
    if "score" not in (mapping or {}):
        scores = tuple(score for score in scores if score.column != fields.get("correct"))
    return replace(
        columns, fields=fields, scores=named(scores), said=frozenset(mapping or {}) | frozenset(one_each)
    )


def _scores(
    given: str | Sequence[str], schema: Mapping[str, Any], aggregate: str | None
) -> Iterable[ScoreColumn]:
    parts = [given] if isinstance(given, str) else list(given)
    for part in parts:
        if part in schema:
            yield ScoreColumn(part, aggregate)
            continue
        for one in part.split(","):
            column, colon, how = one.rpartition(":")
            if not colon or one in schema:
                yield ScoreColumn(one, aggregate)
            elif how in AGGREGATES:
                yield ScoreColumn(column, how)
            else:
                raise DataError(
                    f"--map score={one}: expected {', '.join(AGGREGATES)} after the colon, found {how}"
                )


def require(columns: Columns, schema: Mapping[str, pl.DataType], where: str, example: str) -> None:
    """Raises DataError if the user names a column that there is not, or if no column holds solutions."""
    for name, column in columns.fields.items():
        if name in columns.said and column not in schema:
            raise _unknown(name, column, schema, where, example)
    for score in columns.scores:
        if score.column not in schema:
            raise _unknown("score", score.column, schema, where, example)
    if not any(columns.fields.get(name) in schema for name in ("text", "predicted", "correct")):
        raise DataError(
            f"{where}: it cannot be told which columns hold the solutions; {seen(schema)}; one row: "
            f"{example}. Use {_line(suggestions(schema))}"
        )


def _unknown(
    name: str, column: str, schema: Mapping[str, pl.DataType], where: str, example: str
) -> DataError:
    near = get_close_matches(column, list(schema), 1, 0.5)
    better = near[0] if near else suggestions(schema).get(name, "COLUMN")
    flag = f"--correct {column}" if name == "correct" else f"--map {name}={column}"
    use = f"--correct {better}" if name == "correct" else f"--map {name}={better}"
    return DataError(
        f"{where}: {flag}, but there is no column {column!r}; {seen(schema)}; one row: {example}. Use {use}"
    )


def suggestions(schema: Mapping[str, pl.DataType]) -> dict[str, str]:
    """Field -> the column whose name comes nearest to what files call it; fields without one are left out."""
    near = []
    for place, column in enumerate(list(schema)[:_COMPARED]):
        name = column.replace("[]", "").rsplit(".", 1)[-1].casefold()
        for order, (field_name, synonyms) in enumerate(SYNONYMS.items()):
            likeness = max(SequenceMatcher(None, name, synonym).ratio() for synonym in synonyms)
            if likeness >= _LIKE:
                near.append((-likeness, order, place, field_name, column))
    found: dict[str, str] = {}
    for *_, field_name, column in sorted(near):
        if field_name not in found and column not in found.values():
            found[field_name] = column
    return {name: found[name] for name in FIELDS if name in found}


def _field_of(word: str) -> str | None:
    return next((name for name, synonyms in SYNONYMS.items() if word.casefold() in synonyms), None)


def _line(words: Mapping[str, str]) -> str:
    """Suggestions as a command line; where none is of solutions, their column is the reader's to name."""
    if not {"text", "predicted", "correct"} & set(words):
        words = {"text": "COLUMN", **words}
    return "--map " + " ".join(f"{name}={brief(column)}" for name, column in words.items())


def seen(schema: Mapping[str, pl.DataType]) -> str:
    """The columns with their types, for a message."""
    some = [f"{brief(name)} ({kind_in_words(kind)})" for name, kind in list(schema.items())[:_SHOWN_COLUMNS]]
    rest = len(schema) - len(some)
    return f"columns: {', '.join(some)}" + (f" and {rest:,} more" if rest else "")


def brief(value: Any, longest: int = 60) -> str:
    """A value for a message, on one line and cut if it is long."""
    text = escaped(" ".join(str(value)[: 4 * longest].split()))
    return text if len(text) <= longest else f"{text[:longest]}…"


def kind_in_words(kind: pl.DataType) -> str:
    """A column's type as a person would call it."""
    if isinstance(kind, pl.List):
        return f"list of {kind_in_words(kind.inner() if isinstance(kind.inner, type) else kind.inner)}"
    if kind.is_integer():
        return "whole numbers"
    if kind.is_numeric():
        return "numbers"
    words = {"String": "text", "Boolean": "true or false", "Null": "empty"}
    return words.get(str(kind), str(kind))
