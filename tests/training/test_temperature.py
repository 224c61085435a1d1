"""The policy that is differentiated is the policy that sampled: log π_T at the rollouts' temperature T."""

from __future__ import annotations

import copy

import pytest
import torch

from rlv.job import Job
from rlv.prompts import label_ids, verification_ids
from rlv.sampling.engine import Request, SamplingParams
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.store import Artifact, Store
from rlv.training import stage
from rlv.training.batches import Trajectory, micro_batches
from rlv.training.forward import Reader
from rlv.training.learner import make_learner
from rlv.training.run import Run
from rlv.training.update import learn

CPU = torch.device("cpu")
UNMOVED = Run.of(learning_rate=1e-12, warmup_steps=0, temperature=0.6)
PROMPT = (7, 8, 9)


def next_probabilities(model, ids, temperature):
    with torch.no_grad():
        return (model(torch.tensor([ids])).logits[0, -1].double() / temperature).softmax(-1)


def every_solution(model, sampled_at):
    """All solutions of two tokens with a first one of two, weighted by how often they are sampled.

    The reward is the first token's, and the advantage stands at the second: what is expected of it is
    Σ_y π(y) A(y_1) ∇ log π(y_2 | y_1), zero for the policy that samples, whatever its weights.
    """
    first_V = next_probabilities(model, PROMPT, sampled_at)
    rows = []
    for first, reward in ((5, 1.0), (6, 0.0)):
        second_V = next_probabilities(model, (*PROMPT, first), sampled_at)
        share_V = (first_V[first] * second_V).tolist()
        rows += [(first, second, reward, (reward - 0.5) * p) for second, p in enumerate(share_V)]
    return [
        Trajectory(
            problem_id="p",
            sample_id=i,
            prompt_ids=PROMPT,
            solution_ids=(first, second),
            sampled_logprobs=(0.0, 0.0),
            finished=True,
            reward=reward,
            advantages=(0.0, weight * 2 * len(rows)),  # the loss divides by the number of tokens
        )
        for i, (first, second, reward, weight) in enumerate(rows)
    ]


def gradient_norm(model, tokenizer, trajectories, temperature, **changes):
    config = UNMOVED.but(temperature=temperature, gradient_clip=1e9, **changes)
    return learn(make_learner(copy.deepcopy(model), tokenizer, config), trajectories, config, 0).grad_norm


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.5])
def test_a_token_that_cannot_matter_has_an_expected_gradient_of_zero(tiny_model, tiny_tokenizer, temperature):
    trajectories = every_solution(tiny_model, temperature)
    assert gradient_norm(tiny_model, tiny_tokenizer, trajectories, temperature) < 1e-6
    other = 1.0 if temperature != 1.0 else 0.6
    assert gradient_norm(tiny_model, tiny_tokenizer, trajectories, other) > 1e-3


def read(model, tokenizer, trajectories, temperature):
    instruction = verification_ids(tokenizer, "plain")
    (batch,) = micro_batches(trajectories, range(9), instruction, padded_tokens=10_000, pad_id=0, device=CPU)
    return batch, Reader(model, label_ids(tokenizer), temperature=temperature)(batch)


def test_solutions_are_read_at_the_temperature_and_labels_at_1(tiny_model, tiny_tokenizer, trajectories):
    batch, reading = read(tiny_model, tiny_tokenizer, trajectories, 0.6)
    _, at_1 = read(tiny_model, tiny_tokenizer, trajectories, 1.0)
    assert torch.equal(reading.verification_BX, at_1.verification_BX)
    torch.testing.assert_close(reading.as_sampled_S, at_1.logprobs_S.detach(), atol=2e-6, rtol=1e-5)
    assert torch.equal(at_1.as_sampled_S, at_1.logprobs_S)
    expected = []
    for i in batch.trajectories_B.tolist():
        x, y = trajectories[i].prompt_ids, trajectories[i].solution_ids
        logits_TV = tiny_model(torch.tensor([[*x, *y]])).logits[0, len(x) - 1 : -1] / 0.6
        expected.append(logits_TV.log_softmax(-1).gather(1, torch.tensor(y)[:, None])[:, 0])
    torch.testing.assert_close(reading.logprobs_S, torch.cat(expected), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("minibatches", [1, 3])
def test_a_policy_that_has_not_moved_is_neither_clipped_nor_away_from_its_reference(
    tiny_model, tiny_tokenizer, trajectories, minibatches
):
    config = UNMOVED.but(minibatches=minibatches, kl_coefficient=0.1)
    learner = make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config, copy.deepcopy(tiny_model))
    lesson = learn(learner, trajectories, config, 0)
    assert lesson.clip_fraction == 0 and lesson.kl == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("minibatches", [1, 2])
def test_what_the_sampler_returns_stays_comparable(tiny_model, tiny_tokenizer, minibatches):
    requests = [Request(f"p{i}", 0, PROMPT, seed=i) for i in range(12)]
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=4)
    sampled = engine.sample(requests, SamplingParams(temperature=0.6, max_tokens=12))
    trajectories = [
        Trajectory(s.problem_id, 0, PROMPT, s.token_ids, s.logprobs, True, 0.0, (0.5,) * len(s.token_ids))
        for s in sampled
    ]
    config = UNMOVED.but(minibatches=minibatches)
    lesson = learn(make_learner(copy.deepcopy(tiny_model), tiny_tokenizer, config), trajectories, config, 0)
    assert lesson.logprob_gap is not None and lesson.logprob_gap < 1e-5
    # The entropy is that of the policy that sampled, sharper than the model's at temperature 1.
    surprisals = []
    for s in sampled:
        with torch.no_grad():
            logits_TV = tiny_model(torch.tensor([[*PROMPT, *s.token_ids]])).logits[0, len(PROMPT) - 1 : -1]
        logprobs_TV = (logits_TV / 0.6).log_softmax(-1)
        surprisals += (-logprobs_TV.gather(1, torch.tensor(s.token_ids)[:, None])[:, 0]).tolist()
    assert lesson.entropy == pytest.approx(sum(surprisals) / len(surprisals), abs=1e-5)


def test_the_mark_of_a_temperature_in_the_key_is_no_setting(tmp_path):
    params = {"temperature": 0.6, "logprobs": "tempered", "steps": 3}
    job = Job(Artifact("train", "a", 2, params, {}, {}), Store(tmp_path), tmp_path, tmp_path, 1, print)
    assert stage._run(job) == Run.of(temperature=0.6, steps=3)


def test_no_further_copy_of_the_logits_is_kept(tiny_model, tiny_tokenizer, trajectories):
    n_tokens = sum(len(t.solution_ids) for t in trajectories)
    whole = n_tokens * tiny_model.config.vocab_size

    def kept(temperature):
        held = set()
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (held.add(t.data_ptr()) if t.numel() == whole else None, t)[1], lambda t: t
        ):
            _, reading = read(tiny_model, tiny_tokenizer, trajectories, temperature)
        assert reading.logprobs_S is not None
        return len(held)

    assert kept(0.6) == kept(1.0) == 1
