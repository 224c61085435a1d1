"""One update through DeepSpeed against plain torch, and what must not change it."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from rlv.errors import ModelError
from rlv.prompts import label_ids, verification_ids
from rlv.training.config import TrainingConfig
from rlv.training.update import learn, make_learner

CONFIG = TrainingConfig(
    verification_coefficient=0.3, learning_rate=1e-2, warmup_steps=0, weight_decay=0.1, gradient_clip=0.5
)


def weights_after(model, tokenizer, trajectories, config, reference=None):
    trained = copy.deepcopy(model)
    lesson = learn(make_learner(trained, tokenizer, config, reference), trajectories, config, step=0)
    return lesson, dict(trained.named_parameters())


def assert_same(found, expected, atol):
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], atol=atol, rtol=0, msg=name)


def plain_torch_update(model, tokenizer, trajectories, config):
    """The paper's objective for one on-policy update, sequence by sequence, and torch's own AdamW."""
    trained = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
    )
    yes, no = label_ids(tokenizer)
    n_tokens = sum(len(t.solution_ids) for t in trajectories)
    n_correct = sum(t.reward for t in trajectories)
    n = len(trajectories)
    weight = {1.0: n / (2 * n_correct), 0.0: n / (2 * (n - n_correct))}  # within the bound; averages to 1
    loss = torch.zeros(())
    for t in trajectories:
        ids = torch.tensor([[*t.prompt_ids, *t.solution_ids, *verification_ids(tokenizer, "plain")]])
        logprobs_TV = trained(ids).logits[0].log_softmax(-1)
        for k, token in enumerate(t.solution_ids):
            loss = loss - t.advantage * logprobs_TV[len(t.prompt_ids) - 1 + k, token] / n_tokens
        label = yes if t.reward else no
        loss = loss - config.verification_coefficient * weight[t.reward] * logprobs_TV[-1, label] / n
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(trained.parameters(), config.gradient_clip)
    optimizer.step()
    return norm.item(), dict(trained.named_parameters())


@pytest.mark.parametrize("tokens_per_microbatch", [40, 10_000])
def test_one_step_is_plain_adamw(tiny_model, tiny_tokenizer, trajectories, tokens_per_microbatch):
    config = dataclasses.replace(CONFIG, tokens_per_microbatch=tokens_per_microbatch)
    lesson, found = weights_after(tiny_model, tiny_tokenizer, trajectories, config)
    norm, expected = plain_torch_update(tiny_model, tiny_tokenizer, trajectories, config)
    assert lesson.grad_norm == pytest.approx(norm, rel=1e-4)
    # Adam's first step is lr · sign(g) almost everywhere, so a wrong gradient would show as 2e-2.
    assert_same(found, expected, atol=2e-4)


def test_micro_batch_splits_do_not_change_the_update(tiny_model, tiny_tokenizer, trajectories):
    config = dataclasses.replace(CONFIG, epochs=2, minibatches=2, kl_coefficient=0.1)
    results = []
    for tokens in (1, 60, 10_000):
        split = dataclasses.replace(config, tokens_per_microbatch=tokens)
        results.append(
            weights_after(tiny_model, tiny_tokenizer, trajectories, split, copy.deepcopy(tiny_model))
        )
    for lesson, weights in results[1:]:
        assert_same(weights, results[0][1], atol=1e-3)
        assert lesson.policy_loss == pytest.approx(results[0][0].policy_loss, abs=1e-5)
        assert lesson.tokens_trained == results[0][0].tokens_trained


def test_lesson_of_an_on_policy_batch(tiny_model, tiny_tokenizer, trajectories):
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, CONFIG)
    advantage = sum(t.advantage * len(t.solution_ids) for t in trajectories)
    n_tokens = sum(len(t.solution_ids) for t in trajectories)
    assert lesson.policy_loss == pytest.approx(-advantage / n_tokens, abs=1e-5)
    assert lesson.clip_fraction == 0
    assert lesson.kl is None
    assert lesson.scores_B is not None and lesson.scores_B.shape == (9,) and (lesson.scores_B > 0).all()
    n_read = n_tokens + sum(len(t.prompt_ids) for t in trajectories)
    assert lesson.tokens_trained == n_read + 9 * len(verification_ids(tiny_tokenizer, "plain"))


def test_without_verification_nothing_of_it_remains(tiny_model, tiny_tokenizer, trajectories):
    config = dataclasses.replace(CONFIG, verification_coefficient=0.0)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, config)
    assert lesson.verification_loss is None and lesson.scores_B is None
    assert lesson.tokens_trained == sum(len(t.solution_ids) + len(t.prompt_ids) for t in trajectories)


def test_kl_is_zero_at_the_reference_and_grows(tiny_model, tiny_tokenizer, trajectories):
    config = dataclasses.replace(CONFIG, kl_coefficient=0.1)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, config, copy.deepcopy(tiny_model))
    assert lesson.kl == pytest.approx(0, abs=1e-9)
    two_epochs = dataclasses.replace(config, epochs=2)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, two_epochs, copy.deepcopy(tiny_model))
    assert lesson.kl is not None and lesson.kl > 1e-6


def test_a_gradient_that_is_not_finite_stops_the_run(tiny_model, tiny_tokenizer, trajectories):
    trajectories[0] = dataclasses.replace(trajectories[0], advantage=float("nan"))
    with pytest.raises(ModelError, match="gradient norm is nan"):
        weights_after(tiny_model, tiny_tokenizer, trajectories, CONFIG)


def test_kl_needs_a_reference(tiny_model, tiny_tokenizer):
    with pytest.raises(ModelError, match="reference"):
        make_learner(
            copy.deepcopy(tiny_model), tiny_tokenizer, dataclasses.replace(CONFIG, kl_coefficient=0.1)
        )
