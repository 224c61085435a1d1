"""How many tokens solutions have, counted by a tokenizer, if their files do not say."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from rlv.errors import DataError


def with_tokens(solutions: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """A table with text and n_tokens, its missing n_tokens counted: those of the text, no special ones.

    `folder`: of a Hugging Face tokenizer, or a model. Solutions without text keep null. Raises DataError if
    transformers is not installed, or the folder has no tokenizer.
    """
    open_rows = solutions["n_tokens"].is_null() & solutions["text"].is_not_null()
    if not open_rows.any():
        return solutions
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise DataError(
            f"{folder}: counting tokens needs transformers, which is not installed; "
            'pip install "rlv[train]", or leave the tokenizer out'
        ) from error
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; the folder of a Hugging Face tokenizer would do")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a broken file can raise in a library that trusts it
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{folder}: no tokenizer that can be read ({said}); save it again") from error
    texts = solutions.filter(open_rows)["text"].unique().to_list()
    ids = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    counted = pl.DataFrame(
        {"text": texts, "counted": list(map(len, ids))}, schema={"text": pl.String, "counted": pl.Int32}
    )
    return (
        solutions.join(counted, "text", "left", maintain_order="left")
        .with_columns(pl.coalesce("n_tokens", "counted").alias("n_tokens"))
        .drop("counted")
    )
