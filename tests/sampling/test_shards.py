"""Shards cover the job once, survive a larger N, and yield the table that one big job would."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlv import tables
from rlv.mini import task
from rlv.models.flops import flops, shape_of
from rlv.prompts import solver_ids
from rlv.sampling import Request, SamplingParams, Shard, request_seed, sample_shard, shard_ranges
from rlv.sampling.shards import stored_text, with_replacements
from rlv.sampling.transformers_engine import TransformersEngine


@given(st.integers(0, 40), st.integers(0, 6), st.integers(1, 15), st.integers(1, 8))
def test_every_pair_is_in_one_shard(n_problems, n_blocks, problems_per_shard, samples_per_shard) -> None:
    n_samples = n_blocks * samples_per_shard
    shards = shard_ranges(n_problems, n_samples, problems_per_shard, samples_per_shard)
    pairs = [(p, s) for shard in shards for p in shard.problems for s in shard.samples]
    assert len(pairs) == len(set(pairs)) == n_problems * n_samples
    assert all(len(s.problems) <= problems_per_shard and len(s.samples) == samples_per_shard for s in shards)
    more = shard_ranges(n_problems, 2 * n_samples, problems_per_shard, samples_per_shard)
    assert set(shards) <= set(more)


def test_the_last_problem_range_may_be_shorter() -> None:
    assert shard_ranges(5, 4, 3, 4) == [Shard(0, 3, 0, 4), Shard(3, 5, 0, 4)]


def test_partial_sample_ranges_are_refused() -> None:
    with pytest.raises(ValueError, match="33 samples are no multiple of 32"):
        shard_ranges(5, 33, 3, 32)
    with pytest.raises(ValueError, match="cannot cut"):
        shard_ranges(5, 32, 0, 32)


def test_shards_make_the_table_of_the_whole(tiny_model, tiny_tokenizer) -> None:
    problems = tables.frame(
        "problems",
        [
            {
                "problem_id": f"p{i}",
                "question": f"Find x to {i}",
                "answer": "1",
                "level": None,
                "subject": None,
            }
            for i in range(1, 5)
        ],
    )
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=5)
    params = SamplingParams(max_tokens=12)
    shape = shape_of(tiny_model)
    whole = sample_shard(engine, tiny_tokenizer, shape, problems, range(4), params, "plain", 0)
    tables.check(whole, "samples", "test")
    assert whole["problem_id"].to_list() == [f"p{i}" for i in range(1, 5) for _ in range(4)]
    assert whole["budget"].unique().to_list() == [12]
    assert whole["n_tokens"].to_list() == whole["token_ids"].list.len().to_list()
    for text, ids in whole.select("text", "token_ids").iter_rows():
        assert text == tiny_tokenizer.decode(ids, skip_special_tokens=True)
    for row in whole.iter_rows(named=True):
        n_prompt = len(solver_ids(tiny_tokenizer, f"Find x to {row['problem_id'][1:]}", "plain"))
        assert row["n_prompt_tokens"] == n_prompt
        positions = range(n_prompt, n_prompt + row["n_tokens"])
        assert row["flops"] == sum(float(flops(shape, t, t + 1)) for t in positions)
    parts = [
        sample_shard(
            engine,
            tiny_tokenizer,
            shape,
            problems[s.problem_start : s.problem_stop],
            s.samples,
            params,
            "plain",
            0,
        )
        for s in shard_ranges(4, 4, 3, 2)
    ]
    keys, kept = ["problem_id", "sample_id"], ["token_logprobs", "self_certainty"]
    joined, whole = pl.concat(parts).sort(keys), whole.sort(keys)
    assert joined.drop(kept).equals(whole.drop(kept))
    # Batches of other shapes round differently.
    for column in kept:
        np.testing.assert_allclose(joined[column].explode(), whole[column].explode(), atol=1e-5)


def test_a_shard_keeps_what_the_engine_said_of_each_token(tiny_model, tiny_tokenizer) -> None:
    problems = tables.frame("problems", task.problems("quadratic", 10, "test", 2, 0))
    engine, params = TransformersEngine(tiny_model, tiny_tokenizer), SamplingParams(max_tokens=12)
    shape = shape_of(tiny_model)
    found = sample_shard(engine, tiny_tokenizer, shape, problems, range(3), params, "plain", 0)
    requests = [
        Request(p, s, tuple(solver_ids(tiny_tokenizer, question, "plain")), request_seed(0, p, s))
        for p, question in problems.select("problem_id", "question").iter_rows()
        for s in range(3)
    ]
    for row, solution in zip(found.iter_rows(named=True), engine.sample(requests, params), strict=True):
        np.testing.assert_allclose(row["token_logprobs"], solution.logprobs, rtol=1e-6)
        assert len(row["token_logprobs"]) == len(row["token_ids"])
        assert row["self_certainty"] == pytest.approx(solution.self_certainty, rel=1e-6)


def test_an_empty_shard_is_an_empty_table(tiny_model, tiny_tokenizer) -> None:
    problems = tables.frame("problems", [])
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    shape = shape_of(tiny_model)
    found = sample_shard(engine, tiny_tokenizer, shape, problems, range(4), SamplingParams(), "plain", 0)
    assert tables.check(found, "samples", "test").height == 0


class Decoding:
    """A tokenizer whose tokens are UTF-16 code units."""

    def decode(self, token_ids, *, skip_special_tokens) -> str:
        assert skip_special_tokens
        return "".join(map(chr, token_ids))


def test_half_a_surrogate_pair_is_replaced_and_counted(tmp_path) -> None:
    texts = [
        stored_text(Decoding(), ids)  # pyright: ignore[reportArgumentType]
        for ids in ([0x41, 0xD83D, 0x42], [0xD83D, 0xDE00], [0x41], [0xDE00, 0xD83D])
    ]
    assert texts == ["A\ufffdB", "\U0001f600", "A", "\ufffd\ufffd"]
    rows = [
        {
            "problem_id": "p",
            "sample_id": i,
            "budget": 9,
            "text": text,
            "token_ids": [1],
            "finish_reason": "stop",
        }
        | {"n_prompt_tokens": 1, "n_tokens": 1, "flops": 1.0}
        for i, text in enumerate(texts)
    ]
    samples = tables.frame("samples", rows)
    assert with_replacements(samples) == 2
    tables.write(samples, tmp_path / "samples.parquet", "samples")
    assert tables.read(tmp_path / "samples.parquet", "samples")["text"].to_list() == texts
