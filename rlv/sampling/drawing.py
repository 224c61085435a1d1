"""How a token is drawn from logits, and what is kept of the distribution that it was drawn from."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from rlv.sampling.engine import SamplingParams


def draw(
    logits_BV: Float[Tensor, "B V"], uniform_B: Float64[Tensor, " B"], params: SamplingParams
) -> tuple[Int64[Tensor, " B"], Float64[Tensor, " B"], Float64[Tensor, " B"]]:
    """A token a row by inverse CDF in float64, its log-probability, and KL(uniform || p) of the row's p.

    The last two are in nats, at temperature 1 over all V tokens; KL(uniform || p) = -1/V Σ_a ln(V p(a)) is
    self-certainty at one token (Kang et al. 2025). Nucleus sampling is exact: the fewest tokens, most
    probable first, whose probabilities reach top_p.
    """
    logprobs_BV = logits_BV.double().log_softmax(-1)
    if params.temperature == 0:
        tokens_B = logits_BV.argmax(-1)
    else:
        scaled = params.temperature != 1.0
        # Log-probabilities, not logits: their maximum is near 0, so a small temperature cannot overflow.
        probs_BV = (logprobs_BV / params.temperature).softmax(-1) if scaled else logprobs_BV.exp()
        if params.top_p < 1:
            probs_BV = _nucleus(probs_BV, params.top_p)
        cdf_BV = probs_BV.cumsum(-1)
        target_B1 = (uniform_B * cdf_BV[:, -1])[:, None]
        tokens_B = torch.searchsorted(cdf_BV, target_B1, right=True)[:, 0]
        tokens_B = tokens_B.clamp_(max=logits_BV.shape[1] - 1)  # only nan gets there; the caller reports it
    certainty_B = -logprobs_BV.mean(-1) - math.log(logits_BV.shape[1])
    return tokens_B, logprobs_BV.gather(1, tokens_B[:, None])[:, 0], certainty_B


def _nucleus(probs_BV: Float64[Tensor, "B V"], top_p: float) -> Float64[Tensor, "B V"]:
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV  # mass of what is more probable; 0 for the first
    kept_BV = sorted_BV.masked_fill(before_BV >= top_p, 0.0)
    return torch.zeros_like(probs_BV).scatter_(1, order_BV, kept_BV)
