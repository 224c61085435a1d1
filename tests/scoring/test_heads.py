"""A head's score equals the head applied by hand to the backbone's last hidden state of [x, y]."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from rlv import tables
from rlv.errors import ModelError
from rlv.models import heads
from rlv.prompts import solver_ids
from rlv.scoring import SCORES, Score
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions, scores_table

SCORE_OF = {"bce": lambda z: 1 / (1 + np.exp(-z)), "regression": lambda z: min(max(z, 0.0), 1.0)}


@pytest.fixture(params=["bce", "regression"])
def headed(request, tmp_path):
    head = heads.VerificationHead(request.param, 32)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        head.weight.copy_(torch.randn(32, generator=generator) / 12)
    heads.save(head, tmp_path)
    return request.param, head, tmp_path


def pairs(n: int = 17) -> tuple[list[list[int]], list[list[int]]]:
    rng = random.Random(4)
    lengths = [(rng.randrange(1, 9), rng.randrange(1, 30)) for _ in range(n)]
    x, y = ([[rng.randrange(4, 30) for _ in range(both[k])] for both in lengths] for k in (0, 1))
    return x, y


def by_hand(model, head, objective, x, y) -> float:
    with torch.no_grad():
        hidden_H = model(torch.tensor([[*x, *y]]), output_hidden_states=True).hidden_states[-1][0, -1]
        return SCORE_OF[objective](float(hidden_H @ head.weight + head.bias))


def test_scores_are_those_of_the_last_hidden_state_in_any_batch(headed, tiny_model, tiny_tokenizer):
    objective, head, folder = headed
    prompts, solutions = pairs()
    expected = [by_hand(tiny_model, head, objective, x, y) for x, y in zip(prompts, solutions, strict=True)]
    assert len(set(expected)) > len(expected) / 2
    for budget in (1, 60, 10_000):
        verifier = transformers_verifier(
            SCORES[objective], tiny_model, tiny_tokenizer, folder, token_budget=budget
        )
        scores_B, read_B, *_ = score_solutions(verifier, prompts, solutions, "plain")
        np.testing.assert_allclose(scores_B, expected, atol=1e-5)
        assert scores_B.dtype == np.float64 and scores_B.min() >= 0 and scores_B.max() <= 1
        assert read_B.tolist() == [len(x) + len(y) for x, y in zip(prompts, solutions, strict=True)]


def test_a_head_reads_all_tokens_of_a_solution_in_one_pass(headed, tiny_model, tiny_tokenizer):
    objective, head, folder = headed
    every = Score(
        along=lambda _, read_K: float(read_K.mean()),
        reads="head",
        places=lambda y, *_: range(1, len(y) + 1),
        trained=objective,
    )
    prompts, solutions = pairs(6)
    verifier = transformers_verifier(every, tiny_model, tiny_tokenizer, folder, token_budget=60)
    scores_B, read_B, *_ = score_solutions(verifier, prompts, solutions, "plain")
    for x, y, score, read in zip(prompts, solutions, scores_B, read_B, strict=True):
        expected = [by_hand(tiny_model, head, objective, x, y[:k]) for k in range(1, len(y) + 1)]
        assert score == pytest.approx(np.mean(expected), abs=1e-5)
        assert read == len(x) + len(y)


def test_a_shard_is_scored_as_with_any_score(headed, tiny_model, tiny_tokenizer):
    objective, head, folder = headed
    rows: list[dict] = [
        {"problem_id": "a", "question": "Find x to 3", "answer": "1", "level": None, "subject": None}
    ]
    _, solutions = pairs(4)
    columns = {
        "problem_id": ["a"] * 4,
        "sample_id": [3, 1, 0, 2],
        "budget": [32] * 4,
        "text": [""] * 4,
        "token_ids": solutions,
        "n_prompt_tokens": [6] * 4,
        "n_tokens": [len(y) for y in solutions],
        "flops": [1.0] * 4,
        "finish_reason": ["stop"] * 4,
    }
    verifier = transformers_verifier(SCORES[objective], tiny_model, tiny_tokenizer, folder)
    problems, samples = tables.frame("problems", rows), tables.frame("samples", columns)
    found = scores_table(verifier, problems, samples, "plain")
    tables.check(found, "scores", "test")
    x = solver_ids(tiny_tokenizer, "Find x to 3", "plain")
    expected = [by_hand(tiny_model, head, objective, x, y) for y in solutions]
    np.testing.assert_allclose(found["score"], expected, atol=1e-5)
    assert found["n_tokens_read"].to_list() == [len(x) + len(y) for y in solutions]
    # The hidden state after what it wrote itself is there.
    own = scores_table(verifier, problems, samples, "plain", own=True)
    assert own["n_tokens_new"].to_list() == own["flops_new"].to_list() == [0] * 4
    assert found["n_tokens_new"].equals(found["n_tokens_read"], check_names=False)


def test_a_head_that_is_not_there_is_named(headed, tiny_model, tiny_tokenizer, tmp_path):
    objective, _, folder = headed
    other = "bce" if objective == "regression" else "regression"
    for score, where, message in (
        (other, folder, f"a head of objective '{objective}'"),
        (objective, tmp_path / "elsewhere", "no verification head"),
        (objective, None, "no checkpoint folder"),
    ):
        with pytest.raises(ModelError, match=message):
            transformers_verifier(SCORES[score], tiny_model, tiny_tokenizer, where)


def test_a_head_belongs_to_an_objective():
    with pytest.raises(ValueError, match="`trained`"):
        Score(reads="head")


def test_lengths_and_numbers_are_checked(headed, tiny_model, tiny_tokenizer):
    objective, head, folder = headed
    with pytest.raises(ModelError, match="here: 300 tokens to verify exceed"):
        verifier = transformers_verifier(SCORES[objective], tiny_model, tiny_tokenizer, folder)
        score_solutions(verifier, [[5]], [[5] * 299], "plain", names=["here"])
    with torch.no_grad():
        head.bias.fill_(float("nan"))
    heads.save(head, folder)
    with pytest.raises(ModelError, match="not finite"):
        verifier = transformers_verifier(SCORES[objective], tiny_model, tiny_tokenizer, folder)
        score_solutions(verifier, [[5]], [[6]], "plain")
