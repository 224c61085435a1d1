"""The joint objective of RL^V, written once (paper, "The method"):

    J(θ) = J_RL(θ) + λ · J_verify(θ),      J_verify(θ) = E over (x, y, c) of log π_θ(c | x, y, I)

as a loss to minimise: policy_loss + β · kl_loss + λ · verification loss. Which verification loss that is
follows the objective (objectives.py): J_verify, or the classification or regression head that the paper
compares it with.

π_θ, π_old and π_ref of solution tokens are at the rollouts' temperature (forward.py): the policy that learns
is the one that sampled. π_θ(c | x, y, I) is at temperature 1, as the scores at test time are.

Every reduction is a sum divided by a normaliser of the whole minibatch that the caller passes in, so the
losses of its micro-batches add up to the minibatch's loss however it was split. Axes: S solution tokens of a
micro-batch, all solutions one after the other; B solutions. Left out on purpose: anything that needs a model.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# A difference of log-probabilities, in nats, whose exponential is still a float32.
_FINITE = 60.0


def policy_loss(
    logprobs_S: Float[Tensor, " S"],
    old_logprobs_S: Float[Tensor, " S"],
    advantages_S: Float[Tensor, " S"],
    *,
    clip_low: float,
    clip_high: float,
    n_tokens: int,
    dual_clip: float | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """−J_RL: the PPO clip (Schulman et al. 2017, equation 7) at token level, and how many tokens it silenced.

        −1/n_tokens · Σ_t min(ρ_t A_t, clip(ρ_t, 1 − low, 1 + high) A_t),      ρ_t = π_θ(y_t) / π_old(y_t)

    `n_tokens` counts the solution tokens of the whole minibatch: every token weighs the same, in long and
    short solutions, and those with an advantage of 0 count too. A group whose rewards are all equal adds
    nothing to the sum and its tokens to the normaliser, so a batch of many such groups takes a smaller step.

    That minimum has no lower bound if A_t < 0 and ρ_t is large. `dual_clip` c > 1 bounds it (Ye et al.
    2020, equation 5): if A_t < 0, max(min(...), c A_t), without gradient from ρ_t = c on. None: no bound.

    The second value counts tokens whose gradient the clips have set to zero.
    """
    log_ratio_S = logprobs_S - old_logprobs_S
    if dual_clip is not None:
        # Every gradient is 0 there, and infinity times 0 would not be.
        log_ratio_S = log_ratio_S.clamp(max=_FINITE)
    ratio_S = torch.exp(log_ratio_S)
    unclipped_S = ratio_S * advantages_S
    clipped_S = ratio_S.clamp(1 - clip_low, 1 + clip_high) * advantages_S
    silenced_S = clipped_S < unclipped_S
    surrogate_S = torch.minimum(unclipped_S, clipped_S)
    if dual_clip is not None:
        bound_S = dual_clip * advantages_S
        beyond_S = (advantages_S < 0) & (surrogate_S < bound_S)
        surrogate_S = torch.where(beyond_S, bound_S, surrogate_S)
        silenced_S = silenced_S | beyond_S
    return -surrogate_S.sum() / n_tokens, silenced_S.sum().to(logprobs_S.dtype).detach()


def kl_loss(
    logprobs_S: Float[Tensor, " S"],
    reference_logprobs_S: Float[Tensor, " S"],
    *,
    n_tokens: int,
    clamp: float | None = None,
) -> Float[Tensor, ""]:
    """KL(π_θ ‖ π_ref) by the k3 estimator (Schulman 2020; GRPO, equation 4): mean of e^d − d − 1.

    d = log π_ref(y_t) − log π_θ(y_t). Never negative, and unbiased on tokens drawn from π_θ.

    One token can outweigh all others: its gradient is 1 − e^d, three million at d = 15 nats. With `clamp` a
    token's estimate e^d − d − 1 (not d) is at most that, as the code of VinePPO has it (Kazemnejad et al.
    2024, with 10); beyond it the token's gradient is 0. With 10 that leaves −11 < d < 2.62 and gradients
    below 13, and the estimate is no longer unbiased. None: no bound.
    """
    d_S = reference_logprobs_S - logprobs_S
    if clamp is None:
        return (torch.expm1(d_S) - d_S).sum() / n_tokens
    d_S = d_S.clamp(max=_FINITE)  # the clamp below has no gradient there, and infinity times 0 would not be 0
    return (torch.expm1(d_S) - d_S).clamp(max=clamp).sum() / n_tokens


def class_weights(correct_B: Bool[Tensor, " B"], *, bound: float) -> Float[Tensor, " B"]:
    """A weight a solution, so that a rare class counts as much as a common one, within bounds.

    clip(n / (2 n_c), 1/bound, bound) for class c with n_c of the minibatch's n solutions, then scaled to
    average 1. Unbounded weights let a handful of rare labels drown both objectives; bound = 1 switches
    balancing off.
    """
    n = len(correct_B)
    n_correct = correct_B.sum().clamp(min=1)
    n_wrong = (~correct_B).sum().clamp(min=1)
    weight_correct = (n / (2 * n_correct)).clamp(1 / bound, bound)
    weight_wrong = (n / (2 * n_wrong)).clamp(1 / bound, bound)
    weights_B = torch.where(correct_B, weight_correct, weight_wrong)
    return weights_B / weights_B.mean()


def generative_loss(
    yes_no_logprobs_B2: Float[Tensor, "B 2"],
    correct_B: Bool[Tensor, " B"],
    weights_B: Float[Tensor, " B"],
    *,
    n_solutions: int,
) -> Float[Tensor, ""]:
    """−J_verify: −1/n Σ_i w_i log π_θ(c_i | x_i, y_i, I), c_i = Yes if the solution is correct, else No.

    `yes_no_logprobs_B2`: log-probabilities of (Yes, No) in the full vocabulary. `weights_B` come from
    `class_weights` of the whole minibatch, `n_solutions` counts its solutions.
    """
    label_logprobs_B = torch.where(correct_B, yes_no_logprobs_B2[:, 0], yes_no_logprobs_B2[:, 1])
    return -(weights_B * label_logprobs_B).sum() / n_solutions


def bce_loss(
    logits_B1: Float[Tensor, "B 1"],
    correct_B: Bool[Tensor, " B"],
    weights_B: Float[Tensor, " B"],
    *,
    n_solutions: int,
) -> Float[Tensor, ""]:
    """Binary cross-entropy: −1/n Σ_i w_i log σ(±z_i), + for correct solutions. Rest as above."""
    signed_B = torch.where(correct_B, logits_B1[:, 0], -logits_B1[:, 0])
    return -(weights_B * torch.nn.functional.logsigmoid(signed_B)).sum() / n_solutions


def regression_loss(
    outputs_B1: Float[Tensor, "B 1"],
    correct_B: Bool[Tensor, " B"],
    weights_B: Float[Tensor, " B"],
    *,
    n_solutions: int,
) -> Float[Tensor, ""]:
    """Squared error to the reward: 1/n Σ_i w_i (z_i − r_i)², r_i in {0, 1}. Rest as above."""
    errors_B = outputs_B1[:, 0] - correct_B.to(outputs_B1.dtype)
    return (weights_B * errors_B.square()).sum() / n_solutions


def joint_loss(
    policy: Float[Tensor, ""] | None,
    kl: Float[Tensor, ""] | None,
    verification: Float[Tensor, ""] | None,
    *,
    kl_coefficient: float,
    verification_coefficient: float,
) -> Float[Tensor, ""]:
    """−J(θ) = −J_RL + β · KL − λ · J_verify. A term that is off is None; raises ValueError if all are."""
    terms = [] if policy is None else [policy]
    if kl is not None:
        terms.append(kl_coefficient * kl)
    if verification is not None:
        terms.append(verification_coefficient * verification)
    if not terms:
        raise ValueError("joint_loss: no objective is on")
    loss = terms[0]
    for term in terms[1:]:
        loss = loss + term
    return loss
