"""A checkpoint of one layout into an engine of another: other ranks, another ZeRO stage, another type.

DeepSpeed's ZeRO checkpoints are cut up for the ranks that wrote them, and it loads them on as many. This
reads the parts of all ranks (mapped, not loaded), puts each tensor together in float32 with its two AdamW
moments, one tensor at a time, and lets every rank keep what its own layout wants. So nothing is converted on
disk, and no rank holds more than one whole tensor beside its own share.

    stage 0       mp_rank_00_model_states.pt                weights and AdamW's states by parameter
    stage 1, 2    [bf16_]zero_pp_rank_*_optim_states.pt     a flat range of all parameters a rank
    stage 3       the same, and *_model_states.pt           a range of every parameter a rank

The layouts are those of the DeepSpeed that pyproject.toml pins. Left out on purpose: other optimizers,
parameters that are not trained, several parameter groups with settings of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rlv.errors import StoreError

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class TensorState:
    """A parameter in float32, flat and whole: its weights, AdamW's moments by name, updates taken."""

    weights: Tensor
    moments: dict[str, Tensor]
    step: float


def load(engine: DeepSpeedEngine, place: Path, *, n_ranks: int, zero_stage: int) -> dict[str, Any]:
    """Weights, optimizer and scheduler from the checkpoint in `place`, which `n_ranks` wrote at `zero_stage`.

    Collective. Returns what else was saved with it. Raises StoreError if a parameter is not in it.
    """
    module: Any = engine.module
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    common, states = _read(place, n_ranks, zero_stage, [name for name, _ in named])
    keep = {0: _keep_whole, 1: _keep_range, 2: _keep_range, 3: _keep_part}[engine.zero_optimization_stage()]
    with torch.no_grad():
        for name, parameter in named:
            if name not in states:
                raise StoreError(f"{place}: has no states of parameter {name}; remove it to start afresh")
            keep(engine, parameter, states[name]())
        optimizer: Any = engine.optimizer
        if hasattr(optimizer, "update_lp_params"):
            optimizer.update_lp_params()
    scheduler: Any = engine.lr_scheduler
    scheduler.load_state_dict(common["lr_scheduler"])
    for group, rate in zip(_adamw(engine).param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate
    engine.global_steps, engine.skipped_steps = common["global_steps"], common["skipped_steps"]
    return common


# ---- reading


def _read(place: Path, n_ranks: int, stage: int, names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(State that the first rank saved beside tensors, functions that assemble a parameter by its name)."""
    if stage == 0:
        model = _mapped(place / "mp_rank_00_model_states.pt")
        # torch numbers an optimizer's states in the order of its parameters.
        found = {
            name: lambda name=name, k=k: _of(model["module"][name], model["optimizer"]["state"][k])
            for k, name in enumerate(names)
        }
        return model, found
    parts = []
    for rank in range(n_ranks):
        # In bfloat16 the names begin with bf16_.
        (path,) = place.glob(f"*zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        parts.append(_mapped(path)["optimizer_state_dict"])
    if stage < 3:
        model = _mapped(place / "mp_rank_00_model_states.pt")
        pieces = [_ranges(part) for part in parts]
    else:
        model = _mapped(place / "zero_pp_rank_0_mp_rank_00_model_states.pt")
        pieces = [_parts(part, model["param_shapes"], n_ranks, rank) for rank, part in enumerate(parts)]
    found = {
        name: lambda name=name: _joined([piece[name] for piece in pieces if name in piece])
        for name in {name for piece in pieces for name in piece}
    }
    return model, found


def _mapped(path: Path) -> dict[str, Any]:
    return torch.load(path, map_location="cpu", mmap=True, weights_only=False)


def _of(weights: Tensor, state: dict[str, Any]) -> TensorState:
    return TensorState(weights.flatten(), {m: state[m].flatten() for m in MOMENTS}, float(state["step"]))


def _ranges(part: dict[str, Any]) -> dict[str, TensorState]:
    """The part of each parameter that a rank of stage 1 or 2 has; the mapping: where in its flat range."""
    found = {}
    groups = zip(
        part["single_partition_of_fp32_groups"],
        part["base_optimizer_state"]["state"].values(),
        part["param_slice_mappings"],
        strict=True,
    )
    for weights, state, mapping in groups:
        for name, at in mapping.items():
            found[name] = _cut(weights, state, at.start, at.numel)
    return found


def _parts(
    part: dict[str, Any], shapes: list[dict[str, Any]], n_ranks: int, rank: int
) -> dict[str, TensorState]:
    """The part of each parameter that a rank of stage 3 has: one n-th or less, padded to equal sizes."""
    found = {}
    groups = zip(
        part["fp32_flat_groups"], part["optimizer_state_dict"]["state"].values(), shapes, strict=True
    )
    for weights, state, group in groups:
        start = 0
        for name, shape in group.items():
            size = math.ceil(shape.numel() / n_ranks)
            real = max(0, min(size, shape.numel() - rank * size))
            found[name] = _cut(weights, state, start, real)
            start += size
    return found


def _cut(weights: Tensor, state: dict[str, Any], start: int, numel: int) -> TensorState:
    moments = {m: state[m].narrow(0, start, numel) for m in MOMENTS}
    return TensorState(weights.narrow(0, start, numel), moments, float(state["step"]))


def _joined(pieces: list[TensorState]) -> TensorState:
    """The pieces of one parameter, in the order of the ranks."""
    moments = {m: torch.cat([piece.moments[m] for piece in pieces]) for m in MOMENTS}
    return TensorState(torch.cat([piece.weights for piece in pieces]), moments, pieces[0].step)


# ---- keeping


def _adamw(engine: DeepSpeedEngine) -> Any:
    """torch's AdamW, within DeepSpeed's wrapper from stage 1 on."""
    optimizer: Any = engine.optimizer
    return optimizer if engine.zero_optimization_stage() == 0 else optimizer.optimizer


def _keep_whole(engine: DeepSpeedEngine, parameter: Any, state: TensorState) -> None:
    parameter.data.copy_(state.weights.view_as(parameter))
    _adamw(engine).state[parameter] = {
        "step": torch.tensor(state.step, dtype=torch.float32, device=parameter.device),
        **{m: value.view_as(parameter).to(parameter.device).clone() for m, value in state.moments.items()},
    }


def _keep_range(engine: DeepSpeedEngine, parameter: Any, state: TensorState) -> None:
    mapping = parameter._hp_mapping
    if mapping is None:  # none of it is this rank's
        return
    optimizer: Any = engine.optimizer
    in_bfloat16 = hasattr(optimizer, "fp32_groups_flat_partition")
    groups = (
        optimizer.fp32_groups_flat_partition if in_bfloat16 else optimizer.single_partition_of_fp32_groups
    )
    wanted, kept = mapping.lp_fragment_address, mapping.hp_fragment_address
    _fill(engine, groups[mapping.param_group_index], kept.start, _within(state, wanted.start, wanted.numel))


def _keep_part(engine: DeepSpeedEngine, parameter: Any, state: TensorState) -> None:
    import deepspeed

    with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
        parameter.data.copy_(state.weights.view(parameter.ds_shape))
    optimizer: Any = engine.optimizer
    group, start, size = optimizer.grad_position[optimizer.get_param_id(parameter)]
    first = size * optimizer._get_param_partition_rank(parameter)
    real = max(0, min(size, parameter.ds_numel - first))  # what is left is padding
    _fill(engine, optimizer.fp32_partitioned_groups_flat[group], start, _within(state, first, real))


def _within(state: TensorState, start: int, numel: int) -> TensorState:
    start = min(start, state.weights.numel())
    moments = {m: value.narrow(0, start, numel) for m, value in state.moments.items()}
    return TensorState(state.weights.narrow(0, start, numel), moments, state.step)


def _fill(engine: DeepSpeedEngine, flat: Tensor, start: int, state: TensorState) -> None:
    """Put a range of states into a flat group of this rank's optimizer."""
    numel = state.weights.numel()
    flat.data.narrow(0, start, numel).copy_(state.weights)
    kept = _adamw(engine).state[flat]
    for m in MOMENTS:
        if m not in kept:
            kept[m] = torch.zeros_like(flat.data)
        kept[m].narrow(0, start, numel).copy_(state.moments[m])
    kept["step"] = torch.tensor(state.step, dtype=torch.float32, device=flat.device)
