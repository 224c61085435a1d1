"""Reading a study file: overlays, assumptions, validation with messages that name the key and the file.

A study is YAML. `extends: other` starts from another study and changes what it names (a key set to null
removes an entry). A value that is not known from the paper is written as `{assumed: 1.0e-6}`, or with where
it comes from, `{assumed: 1.0e-6, source: TEXT}`; it reads as the value, and `Study.assumed` lists them. Left
out on purpose: the keys themselves (rlv/study/types) and artifacts (chain.py).
"""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rlv.errors import StudyError
from rlv.outside.names import below, fault_of
from rlv.plan.checks.allocation import broken_allocation
from rlv.plan.checks.names import nearest
from rlv.plan.checks.parts import broken_references
from rlv.plan.checks.products import broken_products
from rlv.study.configuration import results_folder
from rlv.study.paths import expand
from rlv.study.types import Assumption, Sampling, Section, Study, Training, replica_name
from rlv.study.yaml_files import read_yaml

STUDY_FOLDER = Path("config/studies")
# The study of people's own samples, in its folder of results.
EVALUATED = "study.yaml"
T = TypeVar("T", bound=BaseModel)


def load(name_or_path: str) -> Study:
    """Read and validate a study by name (in config/studies) or path.

    Raises StudyError naming the file, the key path, what was found and the nearest valid name.
    """
    path = study_path(name_or_path)
    read = _read(path, ())
    if "assumed" in read:
        raise StudyError(
            f"{path}: assumed: filled in on reading; write {{assumed: VALUE}} in a value's place"
        )
    assumed: dict[str, Assumption] = {}
    raw = {key: _unwrap(value, (str(key),), assumed, path) for key, value in read.items()}
    for section, key, settings in (("reasoners", "training", Training), ("models", "sampling", Sampling)):
        entries = raw.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get(key), dict):
                _validated(settings, entry[key], path, (section, name, key))
    study = _validated(Study, {**raw, "assumed": assumed}, path, ())
    for key, message in chain(broken_references(study), broken_products(study), broken_allocation(study)):
        raise StudyError(f"{path}: {key}: {message}")
    return _with_replicas(study)


def _with_replicas(study: Study) -> Study:
    """The study with a copy of every compared reasoner for each further training seed."""
    reasoners = dict(study.reasoners)
    for comparison in study.comparisons.values():
        for name in (comparison.base, comparison.rl_v):
            entry = study.reasoners[name]
            for seed in study.seeds:
                if entry.dataset is not None and seed != study.training_of(name).seed:
                    copy = entry.model_copy(update={"training": {**entry.training, "seed": seed}})
                    reasoners[replica_name(name, seed)] = copy
    return study.model_copy(update={"reasoners": reasoners})


def study_folder() -> Path:
    """Where studies are that are called by their name: $RLV_STUDIES, or config/studies."""
    return expand(os.environ.get("RLV_STUDIES", str(STUDY_FOLDER)), "RLV_STUDIES")


def study_path(name_or_path: str) -> Path:
    """The file of a study. Raises StudyError with the nearest name if there is none."""
    if name_or_path.endswith((".yaml", ".yml")):
        direct = expand(name_or_path, "study")
        if direct.is_file():
            return direct
        raise StudyError(f"{direct}: no such study file")
    folder = study_folder()
    path = _named(folder, name_or_path, "--study")
    # What `rlv evaluate` has written lies with its results.
    evaluated = below(results_folder(), f"{name_or_path}/{EVALUATED}", nested=True, error=StudyError)
    if not path.is_file() and evaluated.is_file():
        return evaluated
    if not path.is_file():
        raise StudyError(
            f"{path}: no such study{_nearest(name_or_path, [p.stem for p in folder.glob('*.yaml')])}"
        )
    return path


def _named(folder: Path, name: object, key: str) -> Path:
    """The file of a study of this name in a folder. Raises StudyError, with `key`, if it can be no name."""
    fault = fault_of(name) or fault_of(f"{name}.yaml")
    if fault is not None:
        said = repr(name) if len(repr(name)) <= 100 else f"{repr(name)[:60]}…"
        raise StudyError(f"{key}: {said} {fault}; expected the name of a study in {folder}, without .yaml")
    return below(folder, f"{name}.yaml", error=StudyError)


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The file's mapping on top of the one it extends."""
    if path.resolve() in seen:
        raise StudyError(f"{path}: extends: studies extend each other in a circle")
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: a study is a mapping of keys, found {type(raw).__name__}")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    beside = _named(path.parent, parent, f"{path}: extends")
    if not beside.is_file():
        names = [p.stem for p in path.parent.glob("*.yaml")]
        raise StudyError(f"{path}: extends: no study {parent!r} beside it{_nearest(str(parent), names)}")
    return _overlay(_read(beside, (*seen, path.resolve())), raw)


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; null removes; everything else replaces."""
    merged = dict(base)
    for key, value in top.items():
        if value is None:
            merged.pop(key, None)
        elif (
            isinstance(value, dict) and isinstance(merged.get(key), dict) and not _assumes(value, merged[key])
        ):
            merged[key] = _overlay(merged[key], value)
        else:
            merged[key] = value
    return merged


def _assumes(*mappings: dict[str, Any]) -> bool:
    """Whether one of them stands in a value's place."""
    return any("assumed" in mapping for mapping in mappings)


def _unwrap(value: Any, where: tuple[str, ...], assumed: dict[str, Assumption], path: Path) -> Any:
    """Replace `{assumed: v}` by v, and note its key path and its source."""
    if not isinstance(value, dict):
        return value
    if not _assumes(value):
        return {k: _unwrap(v, (*where, str(k)), assumed, path) for k, v in value.items()}
    given = {"value" if key == "assumed" else key: v for key, v in value.items()}
    if "value" in value or not given.keys() <= Assumption.model_fields.keys():
        raise StudyError(
            f"{path}: {'.'.join(where)}: an assumed value is {{assumed: VALUE}} or {{assumed: VALUE, source: "
            f"TEXT}}, found the keys {', '.join(map(str, value))}"
        )
    assumed[".".join(where)] = _validated(Assumption, given, path, where)
    return value["assumed"]


def _validated(model: type[T], raw: Any, path: Path, prefix: tuple[str, ...]) -> T:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            location = (*prefix, *map(str, problem["loc"]))
            key = ".".join(location)
            if problem["type"] == "extra_forbidden":
                valid = _fields_at(model, problem["loc"][:-1])
                lines.append(f"{path}: {key}: unknown key{_nearest(location[-1], valid)}")
            elif problem["type"] == "literal_error":
                valid = [
                    v.strip(" '")
                    for v in problem.get("ctx", {}).get("expected", "").replace(" or ", ",").split(",")
                ]
                lines.append(
                    f"{path}: {key}: found {problem['input']!r}{_nearest(str(problem['input']), valid)}"
                )
            else:
                lines.append(f"{path}: {key}: {problem['msg']}, found {problem.get('input')!r}")
        raise StudyError("\n".join(lines)) from None


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid in place of an unknown one."""
    current: Any = model
    entry = False  # inside a dict[Name, Section] the next part of the location names an entry
    for part in location:
        if entry or current is None:
            entry = False
            continue
        annotation = current.model_fields[str(part)].annotation
        entry = get_origin(annotation) is dict
        candidates = (annotation, *get_args(annotation))
        current = next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), None)
    return list(current.model_fields) if current is not None else []


def _nearest(found: str, valid: list[str]) -> str:
    """The nearest valid name and all valid ones, for the end of a message."""
    return f"{nearest(found, valid)} (valid: {', '.join(sorted(valid))})" if valid else ""
