"""The weights under training, whole: for sampling, for an engine that has weights of its own, for the result.

At ZeRO-3 every rank holds a part of each tensor, and what is here brings the parts together; at other stages
there is nothing to bring together and the tensors are handed out as they are. All of it is collective: every
rank calls it, at the same time, and goes through to the end. Left out on purpose: optimizer states
(reshape.py), and weights that are not trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from rlv.training.ranks import Ranks

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Elements that `named_weights` brings together at a time (half a gigabyte in float32).
GATHERED = 2**27


def is_divided(module: nn.Module) -> bool:
    """Whether the module's weights are divided over ranks (ZeRO-3)."""
    return any(hasattr(parameter, "ds_id") for parameter in module.parameters())


@contextmanager
def whole_weights(module: nn.Module) -> Iterator[None]:
    """The module's own weights are whole within the block, for passes without gradients.

    Ranks may run different numbers of passes there: nothing is communicated until the block ends.
    """
    if not is_divided(module):
        yield
        return
    import deepspeed

    parameters: list[Any] = list(module.parameters())
    # DeepSpeed's hooks would divide each layer again after its pass, so they are off meanwhile.
    offload: Any = next(p for p in parameters if p.requires_grad)._z3_optimizer.parameter_offload
    with deepspeed.zero.GatheredParameters(parameters):
        for parameter in offload.module.parameters():
            parameter.ds_active_sub_modules.clear()
        for hook in (*offload.forward_hooks, *offload.backward_hooks):
            hook.remove()
        offload.forward_hooks, offload.backward_hooks = [], []
        try:
            yield
        finally:
            offload._register_deepspeed_module(offload.module)


def named_weights(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model by the name that it has in a checkpoint, whole, in its own type.

    Tied tensors come once. A tensor is valid until the next one is asked for: copy what is to stay. Go
    through to the end, on every rank.
    """
    named: list[tuple[str, Any]] = list(model.named_parameters())
    if not is_divided(model):
        for name, parameter in named:
            yield name, parameter.detach()
        return
    import deepspeed

    for some in _chunks(named, GATHERED):
        with deepspeed.zero.GatheredParameters([parameter for _, parameter in some]):
            for name, parameter in some:
                yield name, parameter.detach()


def write_model(model: PreTrainedModel, folder: Path, ranks: Ranks) -> None:
    """A Hugging Face directory that transformers and vLLM load as it is; the first rank writes it."""
    if not is_divided(model):
        if ranks.first:
            model.save_pretrained(folder)
        return
    state: dict[str, Tensor] = {}
    for name, tensor in named_weights(model):
        if ranks.first:
            state[name] = tensor.cpu().clone()
    if ranks.first:
        model.save_pretrained(folder, state_dict=state)


def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """A small module's weights on the CPU (a verification head); `named_weights` is for large ones."""
    if not is_divided(module):
        return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
    import deepspeed

    with deepspeed.zero.GatheredParameters(list(module.parameters())):
        return {name: value.detach().cpu().clone() for name, value in module.named_parameters()}


def _chunks(named: list[tuple[str, Any]], limit: int) -> Iterator[list[tuple[str, Any]]]:
    """Runs of tensors of at most `limit` elements together, or one that is larger."""
    some: list[tuple[str, Any]] = []
    elements = 0
    for name, parameter in named:
        if some and elements + parameter.ds_numel > limit:
            yield some
            some, elements = [], 0
        some.append((name, parameter))
        elements += parameter.ds_numel
    if some:
        yield some
