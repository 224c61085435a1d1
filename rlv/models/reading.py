"""From token ids to hidden states, and from hidden states to logits: the pass that trainer and scorer share.

A reader needs logits at some positions only, and with a large vocabulary those of all positions are most of
its memory. So the backbone runs over everything and the output matrix meets what is asked for. What a model's
own forward pass does after its output matrix must then be done here, too:

    logits_scaling           Granite: logits / logits_scaling
    logit_scale              Cohere: logits · logit_scale
    final_logit_softcapping  Gemma 2: cap · tanh(logits / cap); a backward pass keeps one more copy for it

A name is not enough: HyperCLOVA X multiplies by its logits_scaling. So `check_reading` compares this pass
with the model's own forward pass, and refuses every model for which the two differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rlv.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Tokens of the sequence that is compared.
PROBE_TOKENS = 8
# Largest difference of a log-probability, as a share of the largest logit; types that are coarser get two of
# their steps: the model's own forward pass rounds what it does with its logits, this one does not.
TOLERANCE = 1e-4


def last_hidden(model: PreTrainedModel, tokens_BT: Int64[Tensor, "B T"]) -> Float[Tensor, "B T H"]:
    """The backbone's hidden states, after its last norm.

    Without an attention mask: rows are padded on the right, where causal attention cannot see it.
    """
    backbone: Any = model.base_model
    return backbone(input_ids=tokens_BT, use_cache=False).last_hidden_state


def logits(model: PreTrainedModel, hidden_NH: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
    """The model's own logits at these hidden states, at temperature 1, in float32.

    Raises ModelError if the model has no output matrix.
    """
    output = model.get_output_embeddings()
    if output is None:
        raise ModelError(f"{model.name_or_path}: not a causal language model (no output embeddings)")
    logits_NV = output(hidden_NH).float()
    config = model.config.get_text_config()
    divisor = getattr(config, "logits_scaling", None)
    factor = getattr(config, "logit_scale", None)
    cap = getattr(config, "final_logit_softcapping", None)
    if divisor not in (None, 1):
        logits_NV = logits_NV / divisor
    if factor not in (None, 1):
        logits_NV = logits_NV * factor
    if cap is not None:
        logits_NV = (logits_NV / cap).tanh() * cap
    return logits_NV


@torch.no_grad()
def check_reading(model: PreTrainedModel) -> None:
    """Raises ModelError if this pass and the model's own forward pass differ on a short sequence.

    The weights must be whole. Logits that are not finite pass: whoever meets them can say in which problem.
    """
    own: Any = model
    ids_1T = probe(model)
    was_training = model.training
    model.eval()
    try:
        wanted_TV = own(input_ids=ids_1T, use_cache=False).logits[0]
        found_TV = logits(model, last_hidden(model, ids_1T)[0])
    finally:
        model.train(was_training)
    gap, allowed = largest_gap(found_TV, wanted_TV, model.dtype)
    # "not <=": a gap that is no number must not pass.
    if not gap <= allowed:
        raise ModelError(
            f"{model.name_or_path or 'the model'}: the forward pass of {type(model).__name__} does with "
            "the logits what rlv/models/reading.py does not: log-probabilities of a test sequence differ by "
            f"up to {gap:.3g} nats. It knows logits_scaling, logit_scale and final_logit_softcapping; use "
            "another model, or add there what this one does"
        )


def probe(model: PreTrainedModel) -> Int64[Tensor, "1 T"]:
    """A short sequence of token ids from all over the vocabulary, the same each time."""
    vocabulary = model.config.get_text_config().vocab_size
    ids_T = torch.arange(1, PROBE_TOKENS + 1, device=model.device) * vocabulary // (PROBE_TOKENS + 2)
    return ids_T[None]


def largest_gap(
    found_TV: Float[Tensor, "T V"], wanted_TV: Float[Tensor, "T V"], dtype: torch.dtype
) -> tuple[float, float]:
    """The largest difference of two passes' log-probabilities, in nats, and what weights of `dtype` allow.

    0 if the wanted logits are not finite.
    """
    if not wanted_TV.isfinite().all():
        return 0.0, 0.0
    gap_TV = found_TV.double().log_softmax(-1) - wanted_TV.double().log_softmax(-1)
    step = max(TOLERANCE, 2 * torch.finfo(dtype).eps)
    return gap_TV.abs().max().item(), step * max(1.0, wanted_TV.abs().max().item())
