"""What formats write in a shape of their own, as one value a row or one list a row.

Each function takes the frame of one file with the columns of its dialect (dialects.py) and returns it with
these columns in that shape, and notes for the user. A column that a file lacks is not in its frame.
"""

from __future__ import annotations

import polars as pl

from rlv.errors import DataError

# Solutions of RewardMATH that people wrote, as its evaluation counts them.
_RIGHT = "human_to_GPT-4"
_LM_EVAL_METRICS = ("exact_match", "math_verify", "acc")


def lm_eval(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Solutions of all requests of a row as one list; the first filter of several.

    A filter may leave fewer answers than there are solutions, and the metric is that of what it left: both
    belong to a solution only if there are as many. Raises DataError for likelihoods of choices.
    """
    notes: list[str] = []
    if "filter" in frame.columns and frame["filter"].n_unique() > 1:
        first = frame["filter"].drop_nulls()[0]
        rest = frame.height - frame.filter(pl.col("filter") == first).height
        others = frame["filter"].drop_nulls().unique(maintain_order=True).to_list()[1:]
        notes.append(
            f"lm-eval: {rest:,} rows repeat the solutions under other filters "
            f"({', '.join(map(str, others))}); the answers read are those of {first!r}"
        )
        frame = frame.filter(pl.col("filter") == first)
    for column in ("resps", "filtered_resps"):
        if column in frame.columns:
            frame = frame.with_columns(_one_list(frame, column))
    if frame.schema["resps"] != pl.List(pl.String):
        raise DataError(
            "lm-eval: resps are likelihoods of choices, not texts; a task that generates would do "
            "(output_type: generate_until)"
        )
    alone = pl.col("resps").list.len() == 1
    for metric in _LM_EVAL_METRICS:
        if metric in frame.columns and not isinstance(frame.schema[metric], pl.List):
            frame = frame.with_columns(pl.when(alone).then(pl.concat_list(metric)).alias(metric))
    if "filtered_resps" in frame.columns:
        same = pl.col("filtered_resps").list.len() == pl.col("resps").list.len()
        frame = frame.with_columns(pl.when(same).then("filtered_resps").alias("filtered_resps"))
    several = frame.filter(~alone).height
    if several:
        notes.append(
            f"lm-eval: {several:,} rows have several solutions and one metric, which is of what the filter "
            "left; those solutions come without `correct`"
        )
    final = pl.col("^(target|doc.answer)$").cast(pl.String)  # GSM8K's come with their derivation
    return frame.with_columns(final.str.split("####").list.last().str.strip_chars()), notes


def _one_list(frame: pl.DataFrame, column: str) -> pl.Expr:
    kind = frame.schema[column]
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.List):
        return pl.col(column).list.eval(pl.element().explode())
    return pl.col(column)


def rewardmath(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Which solutions are right, from who wrote them. Raises DataError for pairwise judgements."""
    if "chosen_position" in frame.columns:
        raise DataError(
            "rewardmath: these are judgements of pairs, no scores of solutions; the results of direct "
            "assessment would do"
        )
    right = pl.col("solution_reference").list.eval(pl.element() == _RIGHT)
    return frame.with_columns(right), [
        f"rewardmath: right are the solutions of {_RIGHT!r}, as its own code counts"
    ]


def trl(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The text of a conversation: what the assistant says in it, one message a paragraph."""
    content, role = "completion[].content", "completion[].role"
    if content not in frame.columns:
        return frame, []
    lists = [name for name in (content, role) if name in frame.columns]
    messages = frame.select(lists).with_row_index("\0place").explode(lists)
    if role in lists:
        messages = messages.filter(pl.col(role) == "assistant")
    texts = messages.group_by("\0place").agg(pl.col(content).cast(pl.String).str.join("\n"))
    placed = (
        frame.drop(content).with_row_index("\0place").join(texts, "\0place", "left", maintain_order="left")
    )
    return placed.drop("\0place"), []


def vllm(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Numbers of tokens from the tokens."""
    column = "outputs[].token_ids"
    if column not in frame.columns or not isinstance(frame.schema[column], pl.List):
        return frame, []
    return frame.with_columns(pl.col(column).list.eval(pl.element().list.len())), []
