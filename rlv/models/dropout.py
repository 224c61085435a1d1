"""Dropout off: old, reference and sampler log-probabilities must be of the function that is trained.

PPO's ratio and the KL term compare a policy with what it was some updates ago. If each pass draws its own
dropout, the two differ before anything was learned. A policy is therefore trained without, whatever its
configuration has: dropout, whole layers left out (layerdrop), noise in a router (jitter).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from rlv.errors import ModelError
from rlv.models.reading import largest_gap, last_hidden, logits, probe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
# Parts of names under which modules and configurations keep such probabilities as numbers.
_NAMES = ("drop", "jitter")


def without_dropout(model: PreTrainedModel) -> None:
    """Set everything random in a forward pass to 0, in modules and configurations; weights stay.

    A checkpoint that is written afterwards has these zeros in its configuration. Raises ModelError if the
    model still gives other logits when it is trained than when it is evaluated.
    """
    for module in model.modules():
        if isinstance(module, _DROPOUTS):
            module.p = 0.0
        _silence(module)
        config = getattr(module, "config", None)
        if isinstance(config, PreTrainedConfig):
            _silence(config)
    gap, allowed = largest_gap(_logits(model, training=True), _logits(model, training=False), model.dtype)
    # "not <=": a gap that is no number must not pass.
    if not gap <= allowed:
        raise ModelError(
            f"{model.name_or_path or 'the model'}: {type(model).__name__} gives other logits when it is "
            f"trained than when it is evaluated, by up to {gap:.3g} nats on a test sequence, although all "
            "dropout that rlv/models/dropout.py finds is 0; use another model, or add there where this one "
            "keeps it"
        )


def _silence(holder: nn.Module | PreTrainedConfig) -> None:
    for name, value in list(vars(holder).items()):
        if isinstance(value, PreTrainedConfig):  # a part of a configuration: text, ...
            _silence(value)
        elif isinstance(value, float) and value > 0 and any(part in name for part in _NAMES):
            setattr(holder, name, 0.0)


@torch.no_grad()
def _logits(model: PreTrainedModel, *, training: bool) -> Tensor:
    was_training = model.training
    model.train(training)
    try:
        return logits(model, last_hidden(model, probe(model))[0])
    finally:
        model.train(was_training)
