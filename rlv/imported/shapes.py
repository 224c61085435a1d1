"""What formats write in a shape of their own, as one value a row or one list a row.

Each function takes the frame of one file with the columns of its dialect (dialects.py) and returns it with
these columns in that shape, and notes for the user. A column that a file lacks is not in its frame.
"""

from __future__ import annotations

import polars as pl

from rlv.errors import DataError
from rlv.imported.fields import kind_in_words

# Solutions of RewardMATH that people wrote, as its evaluation counts them.
_RIGHT = "human_to_GPT-4"
_LM_EVAL_METRICS = ("exact_match", "math_verify", "acc")


def lm_eval(frame: pl.DataFrame, chosen: str | None = None) -> tuple[pl.DataFrame, list[str]]:
    """Solutions of all requests of a row as one list; of several filters the chosen or the first one.

    A filter may leave fewer answers than there are solutions, and the metric is that of what it left: both
    belong to a solution only if there are as many. Raises DataError for likelihoods of choices, and for a
    filter that there is not.
    """
    notes: list[str] = []
    there = [] if "filter" not in frame.columns else frame["filter"].drop_nulls().unique(maintain_order=True)
    if chosen is not None and chosen not in list(there):
        known = ", ".join(map(str, there)) or "none"
        raise DataError(f"--dialect lm-eval:{chosen}: no such filter; the file has {known}")
    if frame.schema.get("filter") == pl.String and frame["filter"].n_unique() > 1:
        first = there[0] if chosen is None else chosen
        rest = frame.height - frame.filter(pl.col("filter") == first).height
        others = [str(one) for one in there if one != first]
        said = f"({', '.join(others)})" if others else "(without a name)"
        use = f" (--dialect lm-eval:{others[0]})" if others else ""
        notes.append(
            f"lm-eval: {rest:,} rows repeat the solutions under other filters {said}; the answers read are "
            f"those of {first!r}{use}"
        )
        frame = frame.filter(pl.col("filter") == first)
    for column in ("resps", "filtered_resps"):
        if column in frame.columns:
            frame = frame.with_columns(_one_list(frame, column))
    if frame.schema.get("resps") != pl.List(pl.String):
        raise DataError(
            "lm-eval: expected resps with texts, found none, or likelihoods of choices; a task that "
            "generates would do (output_type: generate_until)"
        )
    alone = pl.col("resps").list.len() == 1
    for metric in _LM_EVAL_METRICS:
        if metric in frame.columns and not isinstance(frame.schema[metric], pl.List):
            frame = frame.with_columns(pl.when(alone).then(pl.concat_list(metric)).alias(metric))
    if isinstance(frame.schema.get("filtered_resps"), pl.List):
        same = pl.col("filtered_resps").list.len() == pl.col("resps").list.len()
        frame = frame.with_columns(pl.when(same).then("filtered_resps").alias("filtered_resps"))
    several = frame.filter(~alone).height
    if several:
        notes.append(
            f"lm-eval: {several:,} rows have several solutions and one metric, which is of what the filter "
            "left; those solutions come without `correct`"
        )
    texts = [name for name in ("target", "doc.answer") if frame.schema.get(name) == pl.String]
    final = pl.col(texts).str.split("####").list.last()  # GSM8K's come with their derivation
    return frame.with_columns(final.str.strip_chars()), notes


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
    found = frame.schema.get("solution_reference", pl.Null())
    if found != pl.List(pl.String):
        raise DataError(
            f"rewardmath: solution_reference is {kind_in_words(found)}, expected a list of "
            "names, one a solution"
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
    if frame.schema[content] not in (pl.List(pl.String), pl.List(pl.Null)):
        found = kind_in_words(frame.schema[content])
        raise DataError(f"trl: {content} is {found}, expected one text a message")
    # A message without a role is a completion, which is the assistant's.
    own = pl.lit("assistant").repeat_by(pl.col(content).list.len())
    if frame.schema.get(role) == pl.List(pl.String):
        same = pl.col(role).list.len() == pl.col(content).list.len()
        own = pl.when(same).then(role).otherwise(own)
    messages = frame.select(content, own.alias(role)).with_row_index("\0place").explode(content, role)
    said = messages.filter(pl.col(role).fill_null("assistant") == "assistant", pl.col(content).is_not_null())
    texts = said.group_by("\0place").agg(pl.col(content).cast(pl.String).str.join("\n"))
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
