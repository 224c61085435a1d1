"""Scores: the same in any batch, equal to a plain forward pass, in the order given."""

from __future__ import annotations

import copy
import dataclasses
import random
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from rlv import tables
from rlv.errors import DataError, ModelError
from rlv.models.flops import shape_of
from rlv.prompts import label_ids, solver_ids, verification_ids
from rlv.scoring import SCORES, Score, readers
from rlv.scoring.readers import transformers_verifier, vllm_verifier
from rlv.scoring.verifier import Verifier, score_solutions, scores_table


def pairs(n: int = 23) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts of 1 to 12 tokens, solutions of 1 to 40."""
    rng = random.Random(0)

    def tokens(limit: int) -> list[int]:
        return [rng.randrange(4, 30) for _ in range(rng.randrange(1, limit))]

    return [tokens(13) for _ in range(n)], [tokens(41) for _ in range(n)]


def verifier(model, tokenizer, score=SCORES["generative"], **kwargs):
    return transformers_verifier(score, model, tokenizer, **kwargs)


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
        scores, read, *_ = score_solutions(
            verifier(tiny_model, tiny_tokenizer, token_budget=budget), prompts, solutions, "plain"
        )
        np.testing.assert_allclose(scores, expected, atol=1e-6)
        assert scores.dtype == np.float64
        assert read.tolist() == [
            len(x) + len(y) + len(instruction) for x, y in zip(prompts, solutions, strict=True)
        ]
    shuffled = list(range(len(prompts)))
    random.Random(1).shuffle(shuffled)
    mixed = [prompts[i] for i in shuffled], [solutions[i] for i in shuffled]
    scores, *_ = score_solutions(verifier(tiny_model, tiny_tokenizer), *mixed, "plain")
    np.testing.assert_allclose(scores, np.array(expected)[shuffled], atol=1e-6)


def test_only_last_positions_meet_the_vocabulary(tiny_model, tiny_tokenizer, monkeypatch) -> None:
    prompts, solutions = pairs()
    monkeypatch.setattr(readers, "check_reading", lambda model: None)
    rows: list[int] = []
    hook = tiny_model.lm_head.register_forward_hook(lambda m, i, o: rows.append(o.numel() // o.shape[-1]))
    try:
        score_solutions(verifier(tiny_model, tiny_tokenizer, token_budget=100), prompts, solutions, "plain")
    finally:
        hook.remove()
    assert sum(rows) == len(prompts)
    assert len(rows) > 1


def test_nothing_to_score(tiny_model, tiny_tokenizer) -> None:
    found = score_solutions(verifier(tiny_model, tiny_tokenizer), [], [], "plain")
    assert [numbers.shape for numbers in found] == [(0,)] * 5


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
    found = scores_table(verifier(tiny_model, tiny_tokenizer), problems, samples, "plain")
    tables.check(found, "scores", "test")
    assert found.select("problem_id", "sample_id", "budget").equals(
        samples.select("problem_id", "sample_id", "budget")
    )
    for row, ids in zip(found.iter_rows(named=True), samples["token_ids"], strict=True):
        x = solver_ids(tiny_tokenizer, QUESTIONS[row["problem_id"]], "plain")
        score, read, *_ = score_solutions(verifier(tiny_model, tiny_tokenizer), [x], [ids.to_list()], "plain")
        assert row["score"] == pytest.approx(score[0], abs=1e-6)
        assert row["n_tokens_read"] == read[0]


def test_rows_count_the_flops_of_the_tokens_read(tiny_model, tiny_tokenizer) -> None:
    found = scores_table(verifier(tiny_model, tiny_tokenizer), *shard_inputs(), "plain")
    shape = shape_of(tiny_model)
    expected = [
        sum(2 * shape.parameters + 4 * 2 * 32 * (t + 1) for t in range(n)) for n in found["n_tokens_read"]
    ]
    assert found["flops"].to_list() == expected


def test_of_what_it_wrote_itself_a_verifier_reads_only_the_instruction_anew(
    tiny_model, tiny_tokenizer
) -> None:
    usual, shape = verifier(tiny_model, tiny_tokenizer), shape_of(tiny_model)
    strange, own = (scores_table(usual, *shard_inputs(), "plain", own=own) for own in (False, True))
    new = ["n_tokens_new", "flops_new"]
    assert own.drop(new).equals(strange.drop(new))
    whole = [strange[c].to_list() for c in ("n_tokens_read", "flops")]
    assert [strange[c].to_list() for c in new] == whole
    i = len(verification_ids(tiny_tokenizer, "plain"))
    assert own["n_tokens_new"].to_list() == [i] * len(own)
    # At positions m + n … m + n + i - 1, of 2 layers of width 32.
    expected = [
        sum(2 * shape.parameters + 4 * 2 * 32 * (t + 1) for t in range(n - i, n))
        for n in own["n_tokens_read"]
    ]
    assert own["flops_new"].to_list() == expected and (own["flops_new"] < own["flops"]).all()


def test_equal_solutions_of_a_problem_are_read_once_and_paid_for_each_time(
    tiny_model, tiny_tokenizer
) -> None:
    problems, samples = shard_inputs()
    usual = verifier(tiny_model, tiny_tokenizer)
    again = samples.with_columns(budget=pl.lit(64, pl.Int32), sample_id=pl.col("sample_id") + 2)
    # The same tokens under another problem are another question.
    swapped = pl.Series(["a" if p == "b" else "b" for p in samples["problem_id"]])
    other = samples.with_columns(problem_id=swapped, sample_id=pl.col("sample_id") + 4)
    every = pl.concat([samples, again, other]).sample(fraction=1.0, shuffle=True, seed=0)
    read: list[tuple[int, ...]] = []

    def watched(passages):
        read.extend(tuple(passage.ids) for passage in passages)
        return usual.read(passages)

    found = scores_table(dataclasses.replace(usual, read=watched), problems, every, "plain")
    assert len(read) == len(set(read)) == 8
    key = ["problem_id", "sample_id", "budget"]
    assert found.select(key).equals(every.select(key))
    alone = pl.concat([scores_table(usual, problems, row, "plain") for row in every.iter_slices(1)])
    assert found.drop("score").equals(alone.drop("score"))
    np.testing.assert_allclose(found["score"], alone["score"], atol=1e-6)
    assert found.filter(budget=64).height == 4 and found["score"].n_unique() == 8


def test_bad_shards_are_named(tiny_model, tiny_tokenizer) -> None:
    problems, samples = shard_inputs()
    with pytest.raises(DataError, match="'b' is not in the problems table"):
        scores_table(verifier(tiny_model, tiny_tokenizer), problems[:1], samples, "plain")
    model = copy.deepcopy(tiny_model)
    model.config.max_position_embeddings = 8
    with pytest.raises(ModelError, match=r"problem '.', sample .: \d+ tokens to verify exceed the model's 8"):
        scores_table(verifier(model, tiny_tokenizer), problems, samples, "plain")


def test_models_that_cannot_be_scored_are_reported(tiny_model, tiny_tokenizer) -> None:
    prompts, solutions = pairs(2)
    model = copy.deepcopy(tiny_model)
    model.config.final_logit_softcapping = 30.0
    # A cap that this family's forward pass does not apply, whatever its configuration has.
    with pytest.raises(ModelError, match="does with the logits what"):
        verifier(model, tiny_tokenizer)
    broken = copy.deepcopy(tiny_model)
    broken.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        score_solutions(verifier(broken, tiny_tokenizer), prompts, solutions, "plain")


def test_judge_and_verifier_compute_the_same_thing(tiny_model, tiny_tokenizer) -> None:
    prompts, solutions = pairs(5)
    found = [
        score_solutions(verifier(tiny_model, tiny_tokenizer, SCORES[name]), prompts, solutions, "plain")
        for name in ("generative", "judge")
    ]
    for generative, judge in zip(*found, strict=True):
        assert np.array_equal(generative, judge)


def test_a_score_of_steps_reads_each_beginning_of_a_solution(tiny_model, tiny_tokenizer) -> None:
    """The least P(Yes) after any third of a solution: each is read with the instruction, and paid for."""
    thirds = Score(
        along=lambda _, read_K: float(read_K.min()),
        reads="yes",
        places=lambda y, *_: sorted({-(-len(y) * k // 3) for k in (1, 2, 3)}),
    )
    prompts, solutions = pairs()
    steps = verifier(tiny_model, tiny_tokenizer, thirds)
    scores_B, read_B, flops_B, new_B, new_flops_B = score_solutions(steps, prompts, solutions, "plain")
    i = len(verification_ids(tiny_tokenizer, "plain"))
    whole = verifier(tiny_model, tiny_tokenizer)
    for row, (x, y) in enumerate(zip(prompts, solutions, strict=True)):
        beginnings = [y[:k] for k in thirds.places(y, tiny_tokenizer, "sentence")]
        assert beginnings[-1] == y
        each = score_solutions(whole, [x] * len(beginnings), beginnings, "plain")
        assert scores_B[row] == pytest.approx(each[0].min(), abs=1e-6)
        assert (read_B[row], flops_B[row]) == (each.read_B.sum(), each.flops_B.sum())
        # With the keys and values of the solution kept, the instruction is new at each place.
        assert (new_B[row], new_flops_B[row]) == (i * len(beginnings), each.new_flops_B.sum())
    assert (read_B > score_solutions(whole, prompts, solutions, "plain")[1]).any()


def nowhere(solution, tokenizer, step_rule):
    return np.array([], dtype=int)


@pytest.mark.parametrize(
    "score", [Score(reads="yes", places=nowhere), Score(reads="head", trained="bce", places=nowhere)]
)
def test_a_score_without_a_place_to_read_is_named(tiny_model, tiny_tokenizer, score) -> None:
    empty = Verifier(
        score, tiny_tokenizer, shape_of(tiny_model), lambda passages: [np.empty(0)] * len(passages)
    )
    with pytest.raises(
        ModelError, match=r"sequence 0: .* found none; .*test_verifier\.nowhere of the score .*\(2\)"
    ):
        score_solutions(empty, [[5]], [[6, 7]], "plain")


def test_vllm_is_asked_for_yes_and_refuses_heads(tiny_model, tiny_tokenizer) -> None:
    class Engine:
        def next_logprobs(self, sequences, token_id, names, progress):
            self.asked = sequences, token_id, names
            return np.log([0.25, 0.75])

    engine, shape = Engine(), shape_of(tiny_model)
    found = vllm_verifier(SCORES["judge"], engine, tiny_tokenizer, shape)
    scores_B, read_B, *_ = score_solutions(found, [[5], [6]], [[7], [8, 9]], "plain")
    words = verification_ids(tiny_tokenizer, "plain")
    sequences = [[5, 7, *words], [6, 8, 9, *words]]
    assert engine.asked == (sequences, label_ids(tiny_tokenizer)[0], ["sequence 0", "sequence 1"])
    np.testing.assert_allclose(scores_B, [0.25, 0.75])
    assert read_B.tolist() == [len(s) for s in sequences]
    with pytest.raises(ModelError, match="vllm does not load heads"):
        vllm_verifier(SCORES["bce"], engine, tiny_tokenizer, shape)


def test_no_model_reads_for_a_score_of_what_sampling_kept(tiny_model, tiny_tokenizer) -> None:
    with pytest.raises(ValueError, match="kept_table"):
        verifier(tiny_model, tiny_tokenizer, SCORES["brevity"])


@pytest.mark.parametrize(
    "parts", [{}, {"along": lambda y, read_K: 0.5}, {"reads": "yes", "kept": lambda *_: 0.5}]
)
def test_a_score_has_a_function_of_what_was_kept_if_it_reads_that(parts) -> None:
    with pytest.raises(ValueError, match='a function `kept` with reads="kept"'):
        Score(**parts)


def test_names_and_plans_do_not_load_torch() -> None:
    code = "import sys, rlv.scoring, rlv.sampling; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
