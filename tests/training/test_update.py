"""One update through DeepSpeed against plain torch, and what must not change it."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from rlv.errors import ModelError, StudyError
from rlv.models import heads
from rlv.prompts import label_ids, verification_ids
from rlv.training import losses
from rlv.training.learner import make_learner
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run
from rlv.training.update import learn

CONFIG = Run.of(
    verification_coefficient=0.3, learning_rate=1e-2, warmup_steps=0, weight_decay=0.1, gradient_clip=0.5
)


def weights_after(model, tokenizer, trajectories, config, reference=None):
    trained = copy.deepcopy(model)
    lesson = learn(make_learner(trained, tokenizer, config, reference), trajectories, config, step=0)
    return lesson, dict(trained.named_parameters())


def gradients(model, tokenizer, trajectories, config, *, labels_only=False, head_weight=None):
    """What one update's optimizer sees, by parameter name; the config's clipping should be far away."""
    learner = make_learner(copy.deepcopy(model), tokenizer, config, labels_only=labels_only)
    if head_weight is not None:
        assert learner.reader.head is not None
        learner.reader.head.weight.data.copy_(head_weight)
    seen: dict[str, torch.Tensor] = {}

    def note() -> None:
        for name, value in learner.reader.named_parameters():
            seen[name] = torch.zeros_like(value) if value.grad is None else value.grad.clone()

    learner.engine.step, step = (lambda: (note(), step())), learner.engine.step
    learn(learner, trajectories, config, step=0)
    return seen


def assert_same(found, expected, atol):
    """Gradients are the same up to rounding, which grows with the largest one of a tensor."""
    assert found.keys() == expected.keys()
    for name in found:
        largest = max(1.0, expected[name].abs().max().item())
        torch.testing.assert_close(found[name], expected[name], atol=atol * largest, rtol=0, msg=name)


def plain_torch_update(model, tokenizer, trajectories, config):
    """The paper's objective for one on-policy update, sequence by sequence, and torch's own AdamW."""
    trained = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(
        trained.parameters(),
        lr=config.training.learning_rate,
        betas=config.training.betas,
        weight_decay=config.training.weight_decay,
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
            loss = loss - t.advantages[k] * logprobs_TV[len(t.prompt_ids) - 1 + k, token] / n_tokens
        label = yes if t.reward else no
        loss = loss - config.verification.coefficient * weight[t.reward] * logprobs_TV[-1, label] / n
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(trained.parameters(), config.training.gradient_clip)
    optimizer.step()
    return norm.item(), dict(trained.named_parameters())


@pytest.mark.parametrize("tokens_per_microbatch", [40, 10_000])
def test_one_step_is_plain_adamw(tiny_model, tiny_tokenizer, trajectories, tokens_per_microbatch):
    config = CONFIG.but(tokens_per_microbatch=tokens_per_microbatch)
    lesson, found = weights_after(tiny_model, tiny_tokenizer, trajectories, config)
    norm, expected = plain_torch_update(tiny_model, tiny_tokenizer, trajectories, config)
    assert lesson.grad_norm == pytest.approx(norm, rel=1e-4)
    # Adam's first step is lr · sign(g) almost everywhere, so a wrong gradient would show as 2e-2.
    assert_same(found, expected, atol=2e-4)


def test_micro_batch_splits_do_not_change_the_update(tiny_model, tiny_tokenizer, trajectories):
    config = CONFIG.but(epochs=2, minibatches=2, kl_coefficient=0.1)
    results = []
    for tokens in (1, 60, 10_000):
        split = config.but(tokens_per_microbatch=tokens)
        results.append(
            weights_after(tiny_model, tiny_tokenizer, trajectories, split, copy.deepcopy(tiny_model))
        )
    for lesson, weights in results[1:]:
        assert_same(weights, results[0][1], atol=1e-3)
        assert lesson.policy_loss == pytest.approx(results[0][0].policy_loss, abs=1e-5)
        assert lesson.tokens_trained == results[0][0].tokens_trained


def test_lesson_of_an_on_policy_batch(tiny_model, tiny_tokenizer, trajectories):
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, CONFIG)
    advantage = sum(sum(t.advantages) for t in trajectories)
    n_tokens = sum(len(t.solution_ids) for t in trajectories)
    assert lesson.policy_loss == pytest.approx(-advantage / n_tokens, abs=1e-5)
    assert lesson.clip_fraction == 0
    assert lesson.kl is None
    assert lesson.scores_B is not None and lesson.scores_B.shape == (9,) and (lesson.scores_B > 0).all()
    n_read = n_tokens + sum(len(t.prompt_ids) for t in trajectories)
    assert lesson.tokens_trained == n_read + 9 * len(verification_ids(tiny_tokenizer, "plain"))


def test_without_verification_nothing_of_it_remains(tiny_model, tiny_tokenizer, trajectories):
    config = CONFIG.but(verification_coefficient=0.0)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, config)
    assert lesson.verification_loss is None and lesson.scores_B is None
    assert lesson.tokens_trained == sum(len(t.solution_ids) + len(t.prompt_ids) for t in trajectories)


def test_kl_is_zero_at_the_reference_and_grows(tiny_model, tiny_tokenizer, trajectories):
    config = CONFIG.but(kl_coefficient=0.1)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, config, copy.deepcopy(tiny_model))
    assert lesson.kl == pytest.approx(0, abs=1e-9)
    two_epochs = config.but(epochs=2)
    lesson, _ = weights_after(tiny_model, tiny_tokenizer, trajectories, two_epochs, copy.deepcopy(tiny_model))
    assert lesson.kl is not None and lesson.kl > 1e-6


def test_a_gradient_that_is_not_finite_stops_the_run(tiny_model, tiny_tokenizer, trajectories):
    trajectories[0] = dataclasses.replace(
        trajectories[0], advantages=(float("nan"),) * len(trajectories[0].solution_ids)
    )
    with pytest.raises(ModelError, match="gradient norm is nan"):
        weights_after(tiny_model, tiny_tokenizer, trajectories, CONFIG)


def test_kl_needs_a_reference(tiny_model, tiny_tokenizer):
    with pytest.raises(ModelError, match="reference"):
        make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, CONFIG.but(kl_coefficient=0.1))


def test_guards_reach_the_losses(tiny_model, tiny_tokenizer, trajectories, monkeypatch):
    given = []

    def noting(real):
        def noted(*arguments, **settings):
            given.append({key: settings.get(key) for key in ("dual_clip", "clamp")})
            return real(*arguments, **settings)

        return noted

    for name in ("policy_loss", "kl_loss"):
        monkeypatch.setattr(losses, name, noting(getattr(losses, name)))
    off = CONFIG.but(kl_coefficient=0.1)
    for config in (off, off.but(dual_clip=1.5, kl_clamp=0.5)):
        weights_after(tiny_model, tiny_tokenizer, trajectories, config, copy.deepcopy(tiny_model))
    nothing = {"dual_clip": None, "clamp": None}
    assert given == [nothing, nothing, {**nothing, "dual_clip": 1.5}, {**nothing, "clamp": 0.5}]


def norm_of(gradients):
    return float(torch.stack([value.norm() for value in gradients.values()]).norm())


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("changes", [{}, {"tokens_per_microbatch": 40}, {"gradient_checkpointing": True}])
def test_norms_apart_are_those_of_each_objective_alone(
    tiny_model, tiny_tokenizer, trajectories, objective, changes
):
    config = UNCLIPPED.but(verification_objective=objective, **changes)
    found, weights = [], []
    for norms_apart in (True, False):
        learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config)
        if learner.reader.head is not None:
            learner.reader.head.weight.data.copy_(WEIGHT_H)
        found.append(learn(learner, trajectories, config, step=0, norms_apart=norms_apart))
        weights.append(dict(learner.reader.named_parameters()))
    # The update is what it is without, bit for bit.
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert found[0].grad_norm == found[1].grad_norm
    assert found[1].policy_grad_norm is None and found[1].verification_grad_norm is None
    without = config.but(verification_coefficient=0.0)
    policy = gradients(tiny_model, tiny_tokenizer, trajectories, without)
    verification = verification_gradient(tiny_model, tiny_tokenizer, trajectories, config)
    assert found[0].policy_grad_norm == pytest.approx(norm_of(policy), rel=1e-4)
    assert found[0].verification_grad_norm == pytest.approx(norm_of(verification), rel=1e-4)


@pytest.mark.parametrize("changes", [{"verification_coefficient": 0.0}, {"zero_stage": 1}])
def test_norms_apart_need_both_objectives_and_whole_gradients(
    tiny_model, tiny_tokenizer, trajectories, changes
):
    config = CONFIG.but(**changes)
    learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config)
    lesson = learn(learner, trajectories, config, step=0, norms_apart=True)
    assert lesson.policy_grad_norm is None and lesson.verification_grad_norm is None


UNCLIPPED = CONFIG.but(gradient_clip=1e6)
WEIGHT_H = torch.randn(32, generator=torch.Generator().manual_seed(8))


def verification_gradient(model, tokenizer, trajectories, config):
    """Of λ · J_verify alone, sequence by sequence, by torch's own losses; the reader's parameter names."""
    trained = copy.deepcopy(model)
    weight_H, bias = WEIGHT_H.clone().requires_grad_(), torch.zeros(1, requires_grad=True)
    if config.verification.objective == "regression":
        bias = torch.tensor([0.5], requires_grad=True)
    n, n_correct = len(trajectories), sum(t.reward for t in trajectories)
    balance = {1.0: n / (2 * n_correct), 0.0: n / (2 * (n - n_correct))}
    label_of = dict(zip((1.0, 0.0), label_ids(tokenizer), strict=True))
    loss = torch.zeros(())
    for t in trajectories:
        if config.verification.objective == "generative":
            ids = torch.tensor([[*t.prompt_ids, *t.solution_ids, *verification_ids(tokenizer, "plain")]])
            term = -trained(ids).logits[0, -1].log_softmax(-1)[label_of[t.reward]]
        else:
            ids = torch.tensor([[*t.prompt_ids, *t.solution_ids]])
            hidden_H = trained(ids, output_hidden_states=True).hidden_states[-1][0, -1]
            z, reward = (hidden_H @ weight_H + bias)[0], torch.tensor(t.reward)
            if config.verification.objective == "bce":
                term = torch.nn.functional.binary_cross_entropy_with_logits(z, reward)
            else:
                term = (z - reward) ** 2
        loss = loss + config.verification.coefficient * balance[t.reward] * term / n
    loss.backward()
    found = {
        f"model.{name}": torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in trained.named_parameters()
    }
    if config.verification.objective != "generative":
        found |= {"head.weight": weight_H.grad, "head.bias": bias.grad}
    return found


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_separate_verifier_learns_j_verify_and_nothing_else(
    tiny_model, tiny_tokenizer, trajectories, objective
):
    config = UNCLIPPED.but(verification_objective=objective, tokens_per_microbatch=60)
    head_weight = None if objective == "generative" else WEIGHT_H
    found = gradients(
        tiny_model, tiny_tokenizer, trajectories, config, labels_only=True, head_weight=head_weight
    )
    assert_same(found, verification_gradient(tiny_model, tiny_tokenizer, trajectories, config), atol=1e-5)
    # That is also what the joint objective teaches where all advantages are zero.
    silent = [dataclasses.replace(t, advantages=(0.0,) * len(t.solution_ids)) for t in trajectories]
    joint = gradients(tiny_model, tiny_tokenizer, silent, config, head_weight=head_weight)
    assert_same(found, joint, atol=1e-6)


def test_any_objective_with_a_head_learns(tiny_model, tiny_tokenizer, trajectories, monkeypatch, tmp_path):
    added = dataclasses.replace(
        OBJECTIVES["bce"], loss=lambda z_B1, correct_B, weights_B, *, n_solutions: -z_B1.sum(), head=0.25
    )
    monkeypatch.setitem(OBJECTIVES.own, "added", added)
    config = UNCLIPPED.but(verification_objective="added", learning_rate=1e-2, weight_decay=0.0)
    learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config)
    head = learner.reader.head
    assert head is not None and head.bias.item() == 0.25 and not learner.instruction_ids
    learn(learner, trajectories, config, step=0)
    assert head.bias.item() == pytest.approx(0.26)  # AdamW's first step, up
    heads.save(head, tmp_path)
    loaded = heads.load(tmp_path, "added", 32)
    assert torch.equal(loaded.weight, head.weight) and torch.equal(loaded.bias, head.bias)


@pytest.mark.parametrize("objective", ["bce", "regression"])
def test_a_head_learns_jointly_however_micro_batches_split(
    tiny_model, tiny_tokenizer, trajectories, objective
):
    config = UNCLIPPED.but(verification_objective=objective)
    whole, split = (
        gradients(
            tiny_model,
            tiny_tokenizer,
            trajectories,
            config.but(tokens_per_microbatch=tokens),
            head_weight=WEIGHT_H,
        )
        for tokens in (10_000, 40)
    )
    assert_same(split, whole, atol=1e-5)
    without = gradients(tiny_model, tiny_tokenizer, trajectories, config.but(verification_coefficient=0.0))
    alone = verification_gradient(tiny_model, tiny_tokenizer, trajectories, config)
    summed = {name: alone[name] + without.get(name, 0.0) for name in alone}
    assert_same(whole, summed, atol=1e-5)


@pytest.mark.parametrize("objective", ["bce", "regression"])
def test_a_new_head_scores_one_half_and_its_gradient_is_clipped_too(
    tiny_model, tiny_tokenizer, trajectories, objective
):
    config = CONFIG.but(verification_objective=objective, gradient_clip=1e-3)
    learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config)
    lesson = learn(learner, trajectories, config, step=0)
    assert lesson.scores_B is not None and lesson.scores_B.tolist() == [0.5] * 9
    # No instruction is read, and the head has moved.
    assert lesson.tokens_trained == sum(len(t.solution_ids) + len(t.prompt_ids) for t in trajectories)
    assert learner.reader.head is not None and learner.reader.head.weight.abs().min() > 0
    clipped = gradients(tiny_model, tiny_tokenizer, trajectories, config)
    norm = sum(value.square().sum() for value in clipped.values()) ** 0.5
    assert float(norm) == pytest.approx(1e-3, rel=1e-3) and clipped["head.weight"].norm() > 0


def test_lesson_where_only_labels_are_learned(tiny_model, tiny_tokenizer, trajectories):
    config = CONFIG.but(epochs=2, minibatches=2)
    learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config, labels_only=True)
    lesson = learn(learner, trajectories, config, step=0)
    assert lesson.policy_loss == 0 and lesson.clip_fraction == 0
    assert lesson.entropy is None and lesson.logprob_gap is None and lesson.kl is None
    assert lesson.verification_loss is not None and lesson.grad_norm > 0


@pytest.mark.parametrize("wrong", [{"kl_coefficient": 0.1}, {"verification_coefficient": 0.0}])
def test_labels_alone_need_the_verification_objective_and_no_kl(tiny_model, tiny_tokenizer, wrong):
    config = CONFIG.but(**wrong)
    with pytest.raises(StudyError, match=r"training\.kl_coefficient 0 and verification\.coefficient"):
        make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config, tiny_model, labels_only=True)
