"""Losses against hand computation, finite differences and invariants; array types checked at run time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped

from rlv.training import losses
from rlv.training.advantages import grpo
from rlv.training.objectives import OBJECTIVES

policy_loss = jaxtyped(losses.policy_loss, typechecker=beartype)
kl_loss = jaxtyped(losses.kl_loss, typechecker=beartype)
class_weights = jaxtyped(losses.class_weights, typechecker=beartype)
generative_loss = jaxtyped(losses.generative_loss, typechecker=beartype)
bce_loss = jaxtyped(losses.bce_loss, typechecker=beartype)
regression_loss = jaxtyped(losses.regression_loss, typechecker=beartype)


def clipped(logprobs, old, advantages, n_tokens=None):
    n = len(logprobs) if n_tokens is None else n_tokens
    return policy_loss(logprobs, old, advantages, clip_low=0.2, clip_high=0.3, n_tokens=n)


def test_policy_loss_by_hand():
    ratios = torch.tensor([1.0, 1.5, 0.5, 1.5, 0.5], dtype=torch.float64)
    advantages_S = torch.tensor([2.0, 1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    loss, silenced = clipped(ratios.log(), torch.zeros(5, dtype=torch.float64), advantages_S)
    # unclipped; cut at 1.3; cut at 0.8; the pessimistic side stays unclipped, twice
    assert loss.item() == pytest.approx(-(2.0 + 1.3 - 0.8 - 1.5 + 0.5) / 5)
    assert silenced.item() == 2


def test_policy_gradient_is_silent_exactly_where_clipped():
    logprobs_S = torch.tensor([1.0, 1.5, 0.5, 1.5, 0.5], dtype=torch.float64).log().requires_grad_()
    advantages_S = torch.tensor([2.0, 1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    clipped(logprobs_S, torch.zeros(5, dtype=torch.float64), advantages_S)[0].backward()
    expected = -torch.tensor([2.0, 0, 0, -1.5, 0.5], dtype=torch.float64) / 5
    torch.testing.assert_close(logprobs_S.grad, expected)


def test_gradient_on_policy_is_advantage_times_score():
    logprobs_S = torch.randn(7, dtype=torch.float64, requires_grad=True)
    advantages_S = torch.randn(7, dtype=torch.float64)
    clipped(logprobs_S, logprobs_S.detach(), advantages_S)[0].backward()
    torch.testing.assert_close(logprobs_S.grad, -advantages_S / 7)


def test_kl_by_hand():
    logprobs_S = torch.tensor([0.5, 0.25]).log()
    reference_S = torch.tensor([0.25, 0.5]).log()
    expected = ((0.5 - math.log(0.5) - 1) + (2 - math.log(2) - 1)) / 2
    assert kl_loss(logprobs_S, reference_S, n_tokens=2).item() == pytest.approx(expected, rel=1e-6)
    assert kl_loss(logprobs_S, logprobs_S, n_tokens=2).item() == 0


def test_k3_is_unbiased():
    policy_V, reference_V = torch.tensor([0.7, 0.2, 0.1]).log(), torch.tensor([0.3, 0.3, 0.4]).log()
    d_V = reference_V - policy_V
    expectation = (policy_V.exp() * (d_V.exp() - d_V - 1)).sum()
    per_token = [kl_loss(policy_V[v : v + 1], reference_V[v : v + 1], n_tokens=1) for v in range(3)]
    assert sum(p * k for p, k in zip(policy_V.exp(), per_token, strict=True)).item() == pytest.approx(
        expectation.item()
    )
    assert expectation.item() == pytest.approx((policy_V.exp() * -d_V).sum().item(), rel=1e-5)


def test_tokens_without_an_advantage_count_in_the_mean():
    """A right and a wrong solution, and a group that was all right: GRPO's token mean is over all of them."""
    advantages_PG1 = grpo(np.array([[1.0, 0.0], [1.0, 1.0]]))
    lengths = [3, 5, 4, 8]
    advantages_S = torch.tensor(np.repeat(advantages_PG1.ravel(), lengths))
    logprobs_S = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    clipped(logprobs_S, logprobs_S.detach(), advantages_S)[0].backward()
    # 1 and -1 but for ε, over 20 tokens, of which 12 are of solutions that teach nothing.
    expected = torch.tensor([-1.0] * 3 + [1.0] * 5 + [0.0] * 12, dtype=torch.float64) / 20
    torch.testing.assert_close(logprobs_S.grad, expected, atol=1e-5, rtol=0)


def test_dual_clip_by_hand():
    ratios = torch.tensor([0.5, 1.0, 2.5, 3.5, 1e30, 3.5], dtype=torch.float64)
    advantages_S = torch.tensor([-1.0, -1.0, -1.0, -2.0, -1.0, 2.0], dtype=torch.float64)
    logprobs_S = ratios.log().requires_grad_()
    loss, silenced = policy_loss(
        logprobs_S,
        torch.zeros(6, dtype=torch.float64),
        advantages_S,
        clip_low=0.2,
        clip_high=0.3,
        n_tokens=6,
        dual_clip=3.0,
    )
    # The pessimistic side of the first clip, unclipped twice, at most 3 times the advantage twice; a positive
    # advantage is no business of the second clip.
    assert loss.item() == pytest.approx((0.8 + 1.0 + 2.5 + 6.0 + 3.0 - 2.6) / 6)
    assert silenced.item() == 4
    loss.backward()
    expected = torch.tensor([0, 1.0, 2.5, 0, 0, 0], dtype=torch.float64) / 6
    torch.testing.assert_close(logprobs_S.grad, expected)


def test_guards_that_nothing_reaches_change_no_bit():
    generator = torch.Generator().manual_seed(5)
    logprobs_S, old_S, advantages_S = torch.randn(3, 50, generator=generator) / 10
    plain = clipped(logprobs_S, old_S, advantages_S)
    guarded = policy_loss(
        logprobs_S, old_S, advantages_S, clip_low=0.2, clip_high=0.3, n_tokens=50, dual_clip=3.0
    )
    assert torch.equal(plain[0], guarded[0]) and torch.equal(plain[1], guarded[1])
    assert torch.equal(
        kl_loss(logprobs_S, old_S, n_tokens=50), kl_loss(logprobs_S, old_S, n_tokens=50, clamp=10.0)
    )


@pytest.mark.parametrize("far", [15.0, 95.0, 1e4])
def test_one_token_carries_the_kl_gradient_unless_it_is_clamped(far):
    def gradient(clamp):
        logprobs_S = torch.full((4096,), -1.0)
        logprobs_S[7] -= far
        logprobs_S.requires_grad_()
        reference_S = torch.full((4096,), -1.1)
        reference_S[7] = -1.0
        loss = kl_loss(logprobs_S, reference_S, n_tokens=4096, clamp=clamp)
        loss.backward()
        assert logprobs_S.grad is not None
        return loss, logprobs_S.grad

    loss, gradient_S = gradient(10.0)
    assert gradient_S[7] == 0 and loss.item() == pytest.approx((10 + 4095 * (math.expm1(-0.1) + 0.1)) / 4096)
    others_S = torch.cat([gradient_S[:7], gradient_S[8:]])
    torch.testing.assert_close(others_S, torch.full((4095,), -math.expm1(-0.1) / 4096))
    if far < 80:
        _, gradient_S = gradient(None)
        assert gradient_S[7].abs() / gradient_S.abs().sum() > 0.9998


def test_a_clamped_token_keeps_its_gradient_up_to_the_bound():
    # e^d - d - 1 = 10 at d = 2.6106 and at d = -10.99998
    d_S = torch.tensor([-11.1, -10.9, 2.6, 2.62], dtype=torch.float64)
    logprobs_S = (-d_S).requires_grad_()
    kl_loss(logprobs_S, torch.zeros(4, dtype=torch.float64), n_tokens=4, clamp=10.0).backward()
    gradients = [0.0, 1 - math.exp(-10.9), 1 - math.exp(2.6), 0.0]
    torch.testing.assert_close(logprobs_S.grad, torch.tensor(gradients, dtype=torch.float64) / 4)


def test_an_infinite_ratio_has_no_gradient_under_the_dual_clip():
    logprobs_S = torch.tensor([0.0, 0.0], requires_grad=True)
    old_S, advantages_S = torch.tensor([-200.0, -200.0]), torch.tensor([-1.0, 1.0])
    loss, _ = policy_loss(
        logprobs_S, old_S, advantages_S, clip_low=0.2, clip_high=0.3, n_tokens=2, dual_clip=3.0
    )
    loss.backward()
    assert loss.item() == pytest.approx((3 - 1.3) / 2)
    assert logprobs_S.grad is not None and logprobs_S.grad.tolist() == [0, 0]


def test_class_weights_balance_within_bounds():
    balanced = class_weights(torch.tensor([True, True, True, False]), bound=10.0)
    torch.testing.assert_close(balanced, torch.tensor([2 / 3, 2 / 3, 2 / 3, 2.0]))
    correct_B = torch.tensor([True] * 99 + [False])
    bounded = class_weights(correct_B, bound=4.0)
    # n/(2 n_c) is 0.505 and 50, the second cut to 4
    assert (bounded[-1] / bounded[0]).item() == pytest.approx(4 / (100 / 198), rel=1e-5)
    assert bounded.mean().item() == pytest.approx(1, rel=1e-6)
    torch.testing.assert_close(class_weights(correct_B, bound=1.0), torch.ones(100))


@pytest.mark.parametrize("correct", [True, False])
def test_one_class_alone_weighs_one(correct):
    torch.testing.assert_close(class_weights(torch.full((5,), correct), bound=4.0), torch.ones(5))


def test_verification_loss_by_hand():
    yes_no_B2 = torch.tensor([[0.9, 0.05], [0.4, 0.5]]).log()
    correct_B = torch.tensor([True, False])
    loss = generative_loss(yes_no_B2, correct_B, torch.tensor([1.5, 0.5]), n_solutions=2)
    assert loss.item() == pytest.approx(-(1.5 * math.log(0.9) + 0.5 * math.log(0.5)) / 2, rel=1e-6)


def test_bce_is_torchs_own_with_class_weights():
    logits_B = torch.tensor([0.3, -1.2, 40.0, -40.0], dtype=torch.float64)
    correct_B = torch.tensor([True, False, False, True])
    weights_B = torch.tensor([1.5, 0.5, 1.25, 0.75], dtype=torch.float64)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits_B, correct_B.double(), weight=weights_B, reduction="sum"
    )
    found = bce_loss(logits_B[:, None], correct_B, weights_B, n_solutions=7)
    assert found.item() == pytest.approx(expected.item() / 7)
    small = bce_loss(logits_B[:2, None], correct_B[:2], weights_B[:2], n_solutions=2).item()
    probability = [1 / (1 + math.exp(-z)) for z in (0.3, -1.2)]
    assert small == pytest.approx(-(1.5 * math.log(probability[0]) + 0.5 * math.log(1 - probability[1])) / 2)


def test_bce_gradient_is_weight_times_probability_minus_label():
    logits_B1 = torch.tensor([[0.3], [-1.2], [2.0]], dtype=torch.float64, requires_grad=True)
    correct_B = torch.tensor([True, False, False])
    weights_B = torch.tensor([1.5, 0.5, 1.0], dtype=torch.float64)
    bce_loss(logits_B1, correct_B, weights_B, n_solutions=3).backward()
    expected_B = weights_B * (logits_B1.detach()[:, 0].sigmoid() - correct_B.double()) / 3
    torch.testing.assert_close(logits_B1.grad, expected_B[:, None])


def test_regression_by_hand_and_silent_at_the_label():
    outputs_B1 = torch.tensor([[1.0], [0.0], [0.25], [1.5]], dtype=torch.float64, requires_grad=True)
    correct_B = torch.tensor([True, False, True, False])
    weights_B = torch.tensor([2.0, 1.0, 0.5, 0.5], dtype=torch.float64)
    loss = regression_loss(outputs_B1, correct_B, weights_B, n_solutions=4)
    assert loss.item() == pytest.approx((0.5 * 0.75**2 + 0.5 * 1.5**2) / 4)
    loss.backward()
    expected = torch.tensor([[0.0], [0.0], [-2 * 0.5 * 0.75 / 4], [2 * 0.5 * 1.5 / 4]], dtype=torch.float64)
    torch.testing.assert_close(outputs_B1.grad, expected)


def test_scores_of_objectives_are_between_0_and_1():
    says = {
        "generative": (torch.tensor([[0.7, 0.2], [0.1, 0.9]]).log(), [0.7, 0.1]),
        "bce": (torch.tensor([[0.0], [math.log(3)]]), [0.5, 0.75]),
        "regression": (torch.tensor([[-0.5], [0.25], [1.5]]), [0.0, 0.25, 1.0]),
    }
    assert says.keys() == set(OBJECTIVES)
    for name, (verification_BX, scores) in says.items():
        found_B = OBJECTIVES[name].scores(verification_BX)
        torch.testing.assert_close(found_B, torch.tensor(scores))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_verification_losses_of_micro_batches_add_up(name):
    generator = torch.Generator().manual_seed(4)
    verification_BX = torch.randn(10, 2 if name == "generative" else 1, generator=generator)
    correct_B, weights_B = torch.arange(10) % 3 == 0, torch.rand(10, generator=generator)
    loss = OBJECTIVES[name].loss
    whole = loss(verification_BX, correct_B, weights_B, n_solutions=10)
    parts = [
        loss(verification_BX[s], correct_B[s], weights_B[s], n_solutions=10)
        for s in (slice(0, 1), slice(1, 7), slice(7, 10))
    ]
    torch.testing.assert_close(whole, torch.stack(parts).sum())


def test_micro_batches_add_up():
    generator = torch.Generator().manual_seed(0)
    logprobs_S, old_S, advantages_S, reference_S = torch.randn(
        4, 20, dtype=torch.float64, generator=generator
    )
    whole = clipped(logprobs_S, old_S, advantages_S)[0] + kl_loss(logprobs_S, reference_S, n_tokens=20)
    parts = sum(
        clipped(logprobs_S[s], old_S[s], advantages_S[s], 20)[0]
        + kl_loss(logprobs_S[s], reference_S[s], n_tokens=20)
        for s in (slice(0, 3), slice(3, 17), slice(17, 20))
    )
    torch.testing.assert_close(whole, torch.as_tensor(parts))


def test_joint_gradient_by_finite_differences():
    generator = torch.Generator().manual_seed(1)
    logits_SV = torch.randn(6, 4, dtype=torch.float64, generator=generator).requires_grad_()
    label_logits_BV = torch.randn(3, 4, dtype=torch.float64, generator=generator).requires_grad_()
    old_S, reference_S = -torch.rand(2, 6, dtype=torch.float64, generator=generator) - 1
    advantages_S = torch.randn(6, dtype=torch.float64, generator=generator)
    correct_B = torch.tensor([True, False, False])
    weights_B = class_weights(correct_B, bound=2.0).double()

    def joint(logits_SV, label_logits_BV):
        logprobs_S = logits_SV.log_softmax(-1)[:, 0]
        return losses.joint_loss(
            clipped(logprobs_S, old_S, advantages_S)[0],
            kl_loss(logprobs_S, reference_S, n_tokens=6),
            generative_loss(label_logits_BV.log_softmax(-1)[:, :2], correct_B, weights_B, n_solutions=3),
            kl_coefficient=0.05,
            verification_coefficient=0.3,
        )

    assert torch.autograd.gradcheck(joint, (logits_SV, label_logits_BV))


def test_terms_that_are_off_cost_nothing():
    policy = torch.tensor(1.25)
    assert losses.joint_loss(policy, None, None, kl_coefficient=9.0, verification_coefficient=9.0) is policy
    alone = losses.joint_loss(None, None, policy, kl_coefficient=9.0, verification_coefficient=0.5)
    assert alone.item() == 0.625
    with pytest.raises(ValueError, match="no objective"):
        losses.joint_loss(None, None, None, kl_coefficient=9.0, verification_coefficient=9.0)
