"""Whether a checkpoint has the tensors that its architecture needs, by name and shape.

transformers fills a tensor that is missing, or called differently, with random numbers. Training and sampling
then go on, and nothing in a figure shows it. Here the same rules of renaming and tying that load a checkpoint
are followed on the meta device, which has shapes and no numbers: an output matrix tied to the embedding may
be absent, and buffers that older versions wrote may be there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.models.folders import complaint, read_config
from rlv.models.headers import stored_weights

# Tensors that a message names.
_SHOWN = 3


def require_complete(folder: Path) -> None:
    """Raises ModelError, with the names, if tensors are missing, unexpected or of another shape.

    Reads headers only. Raises ModelError, too, for what `complaint` finds, and if transformers has no causal
    language model for the configuration.
    """
    found = complaint(folder) or _layers(folder)
    if found is not None:
        raise ModelError(found)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import convert_and_load_state_dict_in_model
    from transformers.modeling_utils import LoadStateDictConfig

    weights = {name: torch.empty(shape, device="meta") for name, shape in stored_weights(folder).items()}
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        # What `from_pretrained` does with a checkpoint, but for the numbers.
        renamed: Any = get_model_conversion_mapping(model)
        rules = LoadStateDictConfig(device_map={"": torch.device("meta")}, weight_mapping=renamed)
        with _no_bar():
            info, _ = convert_and_load_state_dict_in_model(model, weights, rules)
        model.tie_weights(missing_keys=info.missing_keys, recompute_mapping=False)
        model._adjust_missing_and_unexpected_keys(info)
    # Whatever else a configuration can break in a library that trusts it.
    except Exception as error:
        said = " ".join(str(error).split())
        raise ModelError(
            f"{folder}: transformers makes no causal language model of its configuration "
            f"({type(error).__name__}: {said})"
        ) from error
    require_loaded(folder, info.to_dict())


def require_loaded(where: Path, info: Mapping[str, Any]) -> None:
    """Raises ModelError, with the names, if loading left tensors missing, unexpected or of another shape.

    `info` is transformers' `output_loading_info`; `where` the folder or file that was loaded.
    """
    shapes = [
        f"{name} {list(found)} (expected {list(wanted)})"
        for name, found, wanted in sorted(info["mismatched_keys"])
    ]
    faults = [
        _named("missing", sorted(info["missing_keys"])),
        _named("unexpected", sorted(info["unexpected_keys"])),
        _named("of another shape", shapes),
    ]
    if any(faults):
        raise ModelError(
            f"{where}: the weights are not those of the architecture in its configuration: "
            f"{'; '.join(filter(None, faults))}. What is missing would be random numbers: fetch or save the "
            "checkpoint again, with the names that transformers gives"
        )


@contextmanager
def _no_bar() -> Iterator[None]:
    """Nothing is loaded that would need a bar of progress."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _named(what: str, names: Collection[str]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > _SHOWN else ""
    some = ", ".join(list(names)[:_SHOWN])
    return f"{len(names)} {what} ({some}{more})"


def _layers(folder: Path) -> str | None:
    """The complaint about more layers than tensors, which would take forever to build."""
    layers = (read_config(folder) or {}).get("num_hidden_layers")
    tensors = len(stored_weights(folder))
    if isinstance(layers, int) and layers > tensors:
        return (
            f"{folder}: {tensors} tensors for the {layers} layers of its config.json; fetch or save the "
            "checkpoint again"
        )
    return None
