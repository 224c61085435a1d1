"""Whether the models of a study can work, as far as types cannot check it, and fit how they are used.

Cheap: configurations of folders that are there are read, nothing is fetched. What needs a tokenizer is
checked in rlv/estimate/preflight, before jobs start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rlv.errors import StudyError
from rlv.models.folders import complaint, read_config
from rlv.models.sources import model_folder

if TYPE_CHECKING:
    from rlv.study.types import Model, Sampling, Study

# The keys that each source reads, of those that specify where a model is.
_READS = {
    "package": ("path",),
    "local": ("path",),
    "hub": ("repo", "revision"),
    "gguf": ("package", "path"),
}
_WHAT = {
    "path": "its folder",
    "repo": "owner/name on the hub",
    "revision": "the commit that is read, 40 hexadecimal digits; a branch moves",
    "package": "the installed distribution, `name==version`",
}


def broken_models(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of faulty models, and of settings that they or their engines do not support."""
    for name, model in study.models.items():
        yield from _model(name, model)
    for name, reasoner in study.reasoners.items():
        if reasoner.model in study.models:
            yield from _training(study, name)
    yield from _sampling(study)


def _model(name: str, model: Model) -> Iterator[tuple[str, str]]:
    key, reads = f"models.{name}", _READS[model.source]
    for field in _WHAT:
        value = getattr(model, field)
        if field in reads and value is None:
            what = "the GGUF file inside the package" if (model.source, field) == ("gguf", "path") else ""
            yield f"{key}.{field}", f"source {model.source!r} needs it: {what or _WHAT[field]}"
        elif field not in reads and value is not None:
            yield f"{key}.{field}", f"source {model.source!r} never reads this; leave it out"
    if model.source == "gguf" and model.package and not re.fullmatch(r"[\w.-]+==[\w.+!]+", model.package):
        yield f"{key}.package", f"must be `name==version`, found {model.package!r}"
    if model.source == "local" and model.path:
        try:
            found = complaint(model_folder(name, model))
        except StudyError as error:
            path, _, message = str(error).partition(": ")
            yield path, message
        else:
            if found is not None:
                yield f"{key}.path", found


def read_sizes(name: str, model: Model) -> dict[str, Any] | None:
    """The sizes of a model, as far as known before a fetch: its config.json, else `architecture`."""
    if model.source in ("package", "local") and model.path:
        try:
            config = read_config(model_folder(name, model))
        except StudyError:
            config = None  # `_model` complains about it
        if config is not None:
            return config.get("text_config") or config
    return model.architecture.model_dump() if model.architecture is not None else None


def _training(study: Study, name: str) -> Iterator[tuple[str, str]]:
    entry = study.reasoners[name]
    if entry.dataset is None and entry.recorded_by is None:
        return
    training, model = study.training_of(name), str(entry.model)
    sizes = read_sizes(model, study.models[model])
    if entry.recorded_by is None and sizes is not None:
        own = "max_tokens" in entry.training
        key = f"reasoners.{name}.training.max_tokens" if own else "training.max_tokens"
        yield from _positions(key, training.max_tokens, model, sizes)


def _positions(key: str, tokens: int, model: str, sizes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    positions = sizes.get("max_position_embeddings")
    if isinstance(positions, int) and tokens >= positions:
        yield (
            key,
            f"{tokens} tokens of a solution and its prompt do not fit the {positions} positions of model "
            f"{model!r}; lower it",
        )


def _sampling(study: Study) -> Iterator[tuple[str, str]]:
    read_by_vllm = any(v.engine == "vllm" for v in study.verifiers.values())
    used = {r.model: name for name, r in reversed(study.reasoners.items()) if r.evaluate_on}
    for model, reasoner in used.items():
        if model not in study.models:
            continue  # parts.py complains about it
        own, sampling = study.models[model].sampling, study.sampling_of(reasoner)

        def at(field: str, model: str = model, own: dict[str, Any] = own) -> str:
            return f"models.{model}.sampling.{field}" if field in own else f"sampling.{field}"

        sizes = read_sizes(model, study.models[model])
        if sizes is not None:
            yield from _positions(at("max_tokens"), sampling.max_tokens, model, sizes)
        yield from _parallel(at("tensor_parallel"), sampling, model, sizes, read_by_vllm)


def _parallel(
    key: str, sampling: Sampling, model: str, sizes: dict[str, Any] | None, read_by_vllm: bool
) -> Iterator[tuple[str, str]]:
    parts = sampling.tensor_parallel
    if parts > 1 and sampling.engine == "transformers" and not read_by_vllm:
        yield key, f"only vllm divides a model over GPUs ({parts}); the engine is transformers; leave it out"
    heads = (sizes or {}).get("num_attention_heads")
    if isinstance(heads, int) and heads % parts:
        yield key, f"{parts} does not divide the {heads} attention heads of model {model!r}"
