"""Solutions that others sampled as the tokens that a verifier reads: their text, cut up by its tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rlv.errors import DataError
from rlv.prompts import solution_end_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def with_token_ids(samples: pl.DataFrame, tokenizer: PreTrainedTokenizerBase, style: str) -> pl.DataFrame:
    """A "samples" table with token_ids: where it has none, those of the text and the style's end token.

    A solution that is known to have run into its end (finish_reason "length") has no end token, as in what
    our engines sample. Raises DataError, naming the first, for a solution that has neither tokens nor text.
    """
    if not samples["token_ids"].null_count():
        return samples
    without = samples.filter(pl.col("token_ids").is_null() & pl.col("text").is_null())
    if len(without):
        problem, sample = without.select("problem_id", "sample_id").row(0)
        raise DataError(
            f"samples: problem {problem!r}, sample {sample} has no text, and a verifier reads it; "
            f"{len(without):,} such solutions; use files with texts, or scores that they bring"
        )
    end = solution_end_id(tokenizer, style)
    texts = samples.filter(pl.col("token_ids").is_null())["text"].unique().to_list()
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    cut = pl.DataFrame({"text": texts, "cut": ids}, schema={"text": pl.String, "cut": pl.List(pl.Int32)})
    ended = pl.concat_list("cut", pl.lit(end, pl.Int32))
    whole = pl.when(pl.col("finish_reason") == "length").then("cut").otherwise(ended)
    return (
        samples.join(cut, "text", "left", maintain_order="left")
        .with_columns(pl.coalesce(pl.col("token_ids"), whole).alias("token_ids"))
        .drop("cut")
    )
