"""How others write down the solutions that they sample: one record a format, recognised by its columns.

    rlv                this project's tables (rlv/tables): samples or solutions, scores, problems; own.py
    qwen2.5-math       QwenLM/Qwen2.5-Math, evaluation/math_eval.py (`score` says which are right) and
                       evaluation/rm_maj_eval.py (`pred_score` has the reward model's scores)
    search-and-learn   huggingface/search-and-learn, src/sal/search/best_of_n.py and src/sal/utils/score.py
    lm-eval            EleutherAI/lm-evaluation-harness, lm_eval/evaluator.py (the rows) and
                       lm_eval/loggers/evaluation_tracker.py (samples_*.jsonl)
    rewardmath         kimsh0507/RewardMATH_official, src/inference_reward.py and results/RewardMATH/*.json;
                       src/evaluation/eval.py says that the solution of "human_to_GPT-4" is the right one
    rewardmath-bon     the same, BoNEvaluation in src/evaluation/eval.py: `output.solution`, `output.answer`
    trl                huggingface/trl, trl/trainer/grpo_trainer.py (`log`): completions_*.parquet
    verl               volcengine/verl, verl/trainer/ppo/ray_trainer.py (`_dump_generations`); `acc` and
                       `pred` come from verl/utils/reward_score/math_dapo.py
    openai             responses of the OpenAI API, and vllm-project/vllm, vllm/entrypoints/openai/protocol.py
                       (BatchRequestOutput: what `vllm run-batch` writes)
    vllm               vllm-project/vllm, vllm/outputs.py (RequestOutput), as JSON
    plain              columns that are called as the fields (fields.py)

Everything else is read by mapping, as the dialect `mapping`. What a format writes in another shape than one
value a row, or a list a row, its `prepare` puts into that shape (shapes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import polars as pl

from rlv.errors import DataError
from rlv.imported import own, shapes
from rlv.imported.fields import FIELDS, Columns, ScoreColumn, named

Schema: TypeAlias = Mapping[str, pl.DataType]
# Its rows may come once for each of several filters.
LM_EVAL = "lm-eval"


@dataclass(frozen=True)
class Dialect:
    """A format: how it is told from its columns, and which field stands in which column.

    `fields`: for each field the columns that may hold it; the first one that is there is read. `scores`: the
    columns of verifiers, of which all that `which_scores` leaves are read; `aggregate`: what makes one score
    of those of steps, None if the format has no way of its own. `also`: columns that `prepare` needs;
    `prepare(frame)` returns the frame with lists and values as rows.py takes them, and notes.
    """

    name: str
    recognised: Callable[[Schema], bool]
    fields: Mapping[str, tuple[str, ...]]
    scores: Callable[[Schema], Iterable[str]] = lambda schema: ()
    aggregate: str | None = None
    also: tuple[str, ...] = ()
    prepare: Callable[[pl.DataFrame], tuple[pl.DataFrame, list[str]]] = field(
        default=lambda frame: (frame, [])
    )

    def columns(self, schema: Schema) -> Columns:
        """Where the fields stand in a file of this format."""
        fields = {
            name: found
            for name, candidates in self.fields.items()
            if (found := next((one for one in candidates if one in schema), None)) is not None
        }
        scores = (
            ScoreColumn(one, self.aggregate, one.removeprefix(own.SCORE) if self.name == own.NAME else "")
            for one in self.scores(schema)
        )
        return Columns(fields, named(scores))


def _has(*alternatives: str | tuple[str, ...]) -> Callable[[Schema], bool]:
    """Whether a file has a column of each; of a tuple, one."""
    each = [one if isinstance(one, tuple) else (one,) for one in alternatives]
    return lambda schema: all(any(name in schema for name in names) for names in each)


def _first(*names: str) -> Callable[[Schema], Iterable[str]]:
    return lambda schema: [name for name in names if name in schema][:1]


def _trl_rewards(schema: Schema) -> list[str]:
    # A column a reward function, called as the function is.
    return [name for name, kind in schema.items() if kind.is_float() and name not in ("advantage", "step")]


def _verl_score(schema: Schema) -> list[str]:
    # Beside `acc` the score is the same verdict as 1 or -1.
    return ["score"] if "score" in schema and "acc" not in schema else []


_PLAIN_PROBLEM = {"level": ("level",), "subject": ("subject", "type")}
_COMPLETION = ("completion[].content", "completion")
_CHOICES = tuple(
    f"{place}choices[].{name}"
    for place in ("response.body.", "response.", "")
    for name in ("message.content", "text")
)
_RECORDS = (
    Dialect(
        own.NAME,
        lambda schema: (
            {"problem_id", "sample_id", "budget"} <= set(schema)
            or set(schema) == {"problem_id", "question", "answer", "level", "subject"}
        ),
        {name: (name,) for name in FIELDS if name != "score"},
        lambda schema: [name for name in schema if name.startswith(own.SCORE)],
    ),
    Dialect(
        "qwen2.5-math",
        _has("code", "pred", "gt"),
        {
            **{"problem_id": ("idx",), "question": ("question",), "answer": ("gt",), **_PLAIN_PROBLEM},
            **{"text": ("code",), "predicted": ("pred",), "correct": ("score",)},
        },
        _first("pred_score"),
        aggregate="last",
    ),
    Dialect(
        "search-and-learn",
        _has("completions", ("scores", "agg_scores", "completion_tokens"), ("problem", "prompt")),
        {
            **{"problem_id": ("unique_id",), "question": ("problem", "prompt"), "answer": ("answer",)},
            **{"text": ("completions",), "n_tokens": ("completion_tokens",), **_PLAIN_PROBLEM},
        },
        _first("scores", "agg_scores"),  # the latter are made of the former
        aggregate="last",
    ),
    Dialect(
        LM_EVAL,
        _has("resps", "target", ("doc_id", "doc_hash")),
        {
            # Numbers of rows are those of a task, and files of several tasks may be read together.
            "problem_id": ("doc.problem_id", "doc.unique_id", "doc_hash", "doc_id"),
            "question": (
                *("doc.question", "doc.problem", "doc.Problem", "doc.query", "doc.prompt"),
                "arguments.gen_args_0.arg_0",
            ),
            **{
                "answer": ("doc.answer", "target"),
                "level": ("doc.level",),
                "subject": ("doc.subject", "doc.type"),
            },
            **{"text": ("resps",), "predicted": ("filtered_resps",)},
            "correct": ("exact_match", "math_verify", "acc"),
        },
        also=("filter",),
        prepare=shapes.lm_eval,
    ),
    Dialect(
        "rewardmath",
        _has("problem", "solution_reference", "score"),
        {"question": ("problem",), "answer": ("answer",), "correct": ("solution_reference",)},
        _first("score"),
        also=("chosen_position",),
        prepare=shapes.rewardmath,
    ),
    Dialect(
        "rewardmath-bon",
        _has(("output.solution", "output.answer"), "answer"),
        {
            **{"question": ("problem", "question"), "answer": ("answer",), **_PLAIN_PROBLEM},
            "text": ("output.solution",),
            **{"predicted": ("output.answer",), "correct": ("output.correctness",)},
        },
        _first("score"),
    ),
    Dialect(
        "trl",
        _has(("prompt", "prompt[].content"), _COMPLETION, ("advantage", "step")),
        {"question": ("prompt[].content", "prompt"), "text": _COMPLETION, "step": ("step",)},
        _trl_rewards,
        also=("completion[].role",),
        prepare=shapes.trl,
    ),
    Dialect(
        "verl",
        _has("input", "output", "step"),
        {
            **{"question": ("input",), "answer": ("gts",), "text": ("output",), "step": ("step",)},
            **{"predicted": ("pred",), "correct": ("acc",)},
        },
        _verl_score,
    ),
    Dialect(
        "openai",
        _has(_CHOICES),
        {
            **{"problem_id": ("problem_id", "custom_id"), "question": ("question", "problem", "prompt")},
            **{"answer": ("answer",), "text": _CHOICES},
            "finish_reason": tuple(
                dict.fromkeys(f"{one.split('[]')[0]}[].finish_reason" for one in _CHOICES)
            ),
            "n_tokens": ("response.body.usage.completion_tokens", "usage.completion_tokens"),
            "n_prompt_tokens": ("response.body.usage.prompt_tokens", "usage.prompt_tokens"),
        },
    ),
    Dialect(
        "vllm",
        _has("outputs[].text", ("prompt", "question", "problem_id")),
        {
            **{"problem_id": ("problem_id",), "question": ("question", "prompt"), "answer": ("answer",)},
            **{"text": ("outputs[].text",), "n_tokens": ("outputs[].token_ids",)},
            "finish_reason": ("outputs[].finish_reason",),
        },
        prepare=shapes.vllm,
    ),
    Dialect(
        "plain",
        _has(("text", "predicted", "correct"), ("problem_id", "question")),
        {name: (name,) for name in FIELDS if name != "score"},
        _first("score"),
    ),
)
# In the order in which they are tried: those with columns of their own first.
DIALECTS: dict[str, Dialect] = {record.name: record for record in _RECORDS}
# What is read only by what the user says of it, beside columns that are called as the fields.
MAPPING = Dialect("mapping", lambda schema: False, DIALECTS["plain"].fields, _first("score"))


def recognise(schema: Schema, name: str | None, *, mapped: bool) -> Dialect:
    """The dialect of a file, or the one that the user names; MAPPING if there is none.

    `mapped`: whether the user maps columns. "lm-eval:FILTER" is that format with this one of its filters.
    Raises DataError for a name that is no dialect.
    """
    if name == MAPPING.name:
        return MAPPING
    if name is not None:
        base, colon, chosen = name.partition(":")
        if base not in DIALECTS or (colon and (base != LM_EVAL or not chosen)):
            raise DataError(f"--dialect {name}: expected one of {', '.join([*DIALECTS, MAPPING.name])}")
        record = DIALECTS[base]
        return replace(record, prepare=partial(shapes.lm_eval, chosen=chosen)) if chosen else record
    found = (one for one in DIALECTS.values() if one.recognised(schema))
    return next((one for one in found if not (mapped and one.name == "plain")), MAPPING)
