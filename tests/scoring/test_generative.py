"""Scores: the same in any batch, equal to a plain forward pass, in the order given."""

from __future__ import annotations

import copy
import random
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlv import tables
from rlv.errors import DataError, ModelError
from rlv.models.flops import shape_of
from rlv.prompts import label_ids, solver_ids, verification_ids
from rlv.scoring import SCORES, generative
from rlv.scoring.generative import length_sorted_batches, score_shard, score_solutions


def pairs(n: int = 23) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts of 1 to 12 tokens, solutions of 1 to 40."""
    rng = random.Random(0)

    def tokens(limit: int) -> list[int]:
        return [rng.randrange(4, 30) for _ in range(rng.randrange(1, limit))]

    return [tokens(13) for _ in range(n)], [tokens(41) for _ in range(n)]


def test_scores_are_those_of_a_plain_forward_in_any_batch(tiny_model, tiny_tokenizer) -> None:
    prompts, solutions = pairs()
    instruction = verification_ids(tiny_tokenizer, "plain")
    yes, _ = label_ids(tiny_tokenizer)
    expected = []
    for x, y in zip(prompts, solutions, strict=True):
        with torch.no_grad():
            logits = tiny_model(input_ids=torch.tensor([x + y + instruction])).logits[0, -1]
        expected.append(float(logits.double().softmax(-1)[yes]))
    assert len(set(expected)) == len(expected)
    for budget in (1, 64, 200, 16_384):
        scores, read = score_solutions(
            tiny_model, tiny_tokenizer, prompts, solutions, "plain", token_budget=budget
        )
        np.testing.assert_allclose(scores, expected, atol=1e-6)
        assert scores.dtype == np.float64
        assert read.tolist() == [
            len(x) + len(y) + len(instruction) for x, y in zip(prompts, solutions, strict=True)
        ]
    shuffled = list(range(len(prompts)))
    random.Random(1).shuffle(shuffled)
    scores, _ = score_solutions(
        tiny_model, tiny_tokenizer, [prompts[i] for i in shuffled], [solutions[i] for i in shuffled], "plain"
    )
    np.testing.assert_allclose(scores, np.array(expected)[shuffled], atol=1e-6)


def test_only_last_positions_meet_the_vocabulary(tiny_model, tiny_tokenizer, monkeypatch) -> None:
    prompts, solutions = pairs()
    monkeypatch.setattr(generative, "check_reading", lambda model: None)
    rows: list[int] = []
    hook = tiny_model.lm_head.register_forward_hook(lambda m, i, o: rows.append(o.numel() // o.shape[-1]))
    try:
        score_solutions(tiny_model, tiny_tokenizer, prompts, solutions, "plain", token_budget=100)
    finally:
        hook.remove()
    assert sum(rows) == len(prompts)
    assert len(rows) > 1


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_batches_hold_every_sequence_once_within_the_budget(lengths, budget) -> None:
    lengths_B = np.array(lengths, dtype=np.int64)
    batches = list(length_sorted_batches(lengths_B, budget))
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * lengths_B[b].max() <= budget for b in batches)


def test_nothing_to_score(tiny_model, tiny_tokenizer) -> None:
    scores, read = score_solutions(tiny_model, tiny_tokenizer, [], [], "plain")
    assert scores.shape == read.shape == (0,)


QUESTIONS = {"a": "Find x to 3", "b": "Find x to 4"}


def shard_inputs():
    problems = tables.frame(
        "problems",
        [
            {"problem_id": p, "question": question, "answer": "1", "level": None, "subject": None}
            for p, question in QUESTIONS.items()
        ],
    )
    rng = random.Random(2)
    rows = []
    for problem_id, sample_id in [("b", 1), ("a", 0), ("b", 0), ("a", 1)]:
        ids = [rng.randrange(4, 30) for _ in range(rng.randrange(1, 20))]
        rows.append(
            {
                "problem_id": problem_id,
                "sample_id": sample_id,
                "budget": 32,
                "text": "",
                "token_ids": ids,
                "n_prompt_tokens": 6,
                "n_tokens": len(ids),
                "flops": 1.0,
                "finish_reason": "stop",
            }
        )
    return problems, tables.frame("samples", rows)


def test_a_shard_keeps_the_order_of_its_samples(tiny_model, tiny_tokenizer) -> None:
    problems, samples = shard_inputs()
    found = score_shard(tiny_model, tiny_tokenizer, problems, samples, "plain")
    tables.check(found, "scores", "test")
    assert found.select("problem_id", "sample_id", "budget").equals(
        samples.select("problem_id", "sample_id", "budget")
    )
    for row, ids in zip(found.iter_rows(named=True), samples["token_ids"], strict=True):
        x = solver_ids(tiny_tokenizer, QUESTIONS[row["problem_id"]], "plain")
        score, read = score_solutions(tiny_model, tiny_tokenizer, [x], [ids.to_list()], "plain")
        assert row["score"] == pytest.approx(score[0], abs=1e-6)
        assert row["n_tokens_read"] == read[0]


def test_rows_count_the_flops_of_the_tokens_read(tiny_model, tiny_tokenizer) -> None:
    found = score_shard(tiny_model, tiny_tokenizer, *shard_inputs(), "plain")
    shape = shape_of(tiny_model)
    expected = [
        sum(2 * shape.parameters + 4 * 2 * 32 * (t + 1) for t in range(n)) for n in found["n_tokens_read"]
    ]
    assert found["flops"].to_list() == expected


def test_equal_solutions_of_a_problem_are_read_once_and_paid_for_each_time(
    tiny_model, tiny_tokenizer
) -> None:
    problems, samples = shard_inputs()
    again = samples.with_columns(budget=pl.lit(64, pl.Int32), sample_id=pl.col("sample_id") + 2)
    # The same tokens under another problem are another question.
    swapped = pl.Series(["a" if p == "b" else "b" for p in samples["problem_id"]])
    other = samples.with_columns(problem_id=swapped, sample_id=pl.col("sample_id") + 4)
    every = pl.concat([samples, again, other]).sample(fraction=1.0, shuffle=True, seed=0)
    read: list[tuple[int, ...]] = []

    def watched(model, tokenizer, prompts, solutions, style, **kwargs):
        read.extend((*x, *y) for x, y in zip(prompts, solutions, strict=True))
        assert len(kwargs["names"]) == len(prompts)
        return score_solutions(model, tokenizer, prompts, solutions, style, **kwargs)

    found = score_shard(tiny_model, tiny_tokenizer, problems, every, "plain", score=watched)
    assert len(read) == len(set(read)) == 8
    key = ["problem_id", "sample_id", "budget"]
    assert found.select(key).equals(every.select(key))
    alone = pl.concat(
        [score_shard(tiny_model, tiny_tokenizer, problems, row, "plain") for row in every.iter_slices(1)]
    )
    assert found.drop("score").equals(alone.drop("score"))
    np.testing.assert_allclose(found["score"], alone["score"], atol=1e-6)
    assert found.filter(budget=64).height == 4 and found["score"].n_unique() == 8


def test_bad_shards_are_named(tiny_model, tiny_tokenizer) -> None:
    problems, samples = shard_inputs()
    with pytest.raises(DataError, match="'b' is not in the problems table"):
        score_shard(tiny_model, tiny_tokenizer, problems[:1], samples, "plain")
    model = copy.deepcopy(tiny_model)
    model.config.max_position_embeddings = 8
    with pytest.raises(ModelError, match=r"problem '.', sample .: \d+ tokens to verify exceed the model's 8"):
        score_shard(model, tiny_tokenizer, problems, samples, "plain")


def test_models_that_cannot_be_scored_are_reported(tiny_model, tiny_tokenizer) -> None:
    prompts, solutions = pairs(2)
    model = copy.deepcopy(tiny_model)
    model.config.final_logit_softcapping = 30.0
    # A cap that this family's forward pass does not apply, whatever its configuration has.
    with pytest.raises(ModelError, match="does with the logits what"):
        score_solutions(model, tiny_tokenizer, prompts, solutions, "plain")
    broken = copy.deepcopy(tiny_model)
    broken.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        score_solutions(broken, tiny_tokenizer, prompts, solutions, "plain")


def test_judge_and_verifier_compute_the_same_thing(tiny_model, tiny_tokenizer) -> None:
    prompts, solutions = pairs(5)
    assert set(SCORES) == {"generative", "judge", "bce", "regression"}
    expected, _ = score_solutions(tiny_model, tiny_tokenizer, prompts, solutions, "plain")
    problems, samples = shard_inputs()
    for score in (SCORES["generative"], SCORES["judge"]):
        assert score_shard(tiny_model, tiny_tokenizer, problems, samples, "plain", score=score).equals(
            score_shard(tiny_model, tiny_tokenizer, problems, samples, "plain")
        )
        assert np.array_equal(score(tiny_model, tiny_tokenizer, prompts, solutions, "plain")[0], expected)


def test_names_and_plans_do_not_load_torch() -> None:
    code = "import sys, rlv.scoring, rlv.sampling; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
