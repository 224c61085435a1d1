"""A history as a folder with RO-Crate metadata, and read back from it.

    <folder>/ro-crate-metadata.json   the history, in RO-Crate 1.1 and Process Run Crate 0.5
    <folder>/<name>.png, .csv, ...    the target's own files

The metadata is plain JSON-LD: the graph is regular, and a library would add nothing. Everything behind the
target is described with its digests, and only the target's files are carried. Reading gives back what was
written. Crates of other programs are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlv.errors import StoreError
from rlv.outside.files import parse_json
from rlv.outside.names import fault_of, regular
from rlv.provenance.entities import (
    Entities,
    Entity,
    action_entity,
    artifact_entity,
    compact,
    items,
    ref,
)
from rlv.provenance.history import FileFact, History, Made, Record, artifacts_of, made_from
from rlv.store import Artifact, copy_file

METADATA = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
# A history of a hundred thousand artifacts has less.
_LARGEST = 2**30
# What an archive asks for and only the authors of a result can give.
NO_LICENSE = "No licence is stated; ask its authors."


def metadata_of(history: History, carried: Mapping[str, str], published: datetime) -> dict[str, Any]:
    """The metadata of a history as JSON; `carried`: places of the target's files in the crate, by name."""
    entities = Entities()
    entities.add(METADATA, "CreativeWork", conformsTo=ref(SPECIFICATION), about=ref("./"))
    root = entities.add("./", "Dataset")
    entities.add(PROFILE, "CreativeWork", name="Process Run Crate", version=PROFILE.rsplit("/", 1)[-1])
    collections, actions = [], []
    for record in history.records:
        of_target = carried if record is history.target else {}
        collections.append(artifact_entity(entities, record, of_target))
        actions.append(action_entity(entities, record))
    entities.by_id[root["@id"]] |= {
        "name": f"{history.name} of the study {history.study}",
        "description": f"{history.name} with all artifacts behind it, {len(history.records)} in number",
        "datePublished": published.isoformat(timespec="seconds"),
        "license": entities.add("#licence", "CreativeWork", name="licence", description=NO_LICENSE),
        "conformsTo": ref(PROFILE),
        "hasPart": compact([ref(part["@id"]) for part in _carried_files(entities.by_id, collections[-1])]),
        "mainEntity": collections[-1],
        "mentions": [*actions, *collections],
        "identifier": history.name,
        "keywords": history.study,
    }
    return {"@context": CONTEXT, "@graph": list(entities.by_id.values())}


def _carried_files(by_id: Mapping[str, Entity], collection: Mapping[str, str]) -> list[Entity]:
    files = [by_id[part["@id"]] for part in items(by_id[collection["@id"]].get("hasPart"))]
    return [entity for entity in files if not entity["@id"].startswith("#")]


def write_crate(history: History, folder: Path, source: Path | None) -> Path:
    """Write a crate's metadata, and copies of the target's files from `source`, if given; returns its path.

    Raises StoreError if the folder cannot be written, DamagedArtifactError if a copy differs.
    """
    carried = {} if source is None else {name: name for name in history.target.files}
    metadata = metadata_of(history, carried, datetime.now(UTC))
    path = folder / METADATA
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if source is not None:
            for name, fact in history.target.files.items():
                copy_file(source, name, folder, fact.sha256)
        draft = path.with_name(f"{METADATA}.{os.getpid()}")
        draft.write_text(json.dumps(metadata, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreError(
            f"{folder}: the crate cannot be written ({error}); name another folder with --into"
        ) from error
    return path


def read_crate(place: Path) -> History:
    """The history in a crate: its folder, or the metadata file.

    Raises StoreError if it is no such crate, is a link, or has a name in it that leads elsewhere.
    """
    path = place / METADATA if place.is_dir() else place
    try:
        with regular(path) as handle:
            graph = parse_json(handle.read(_LARGEST))["@graph"]
        by_id = {entity["@id"]: entity for entity in graph}
        root = by_id["./"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: not readable as a crate of `rlv provenance` ({error})") from error
    try:
        return _history(by_id, root)
    except (KeyError, ValueError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        raise StoreError(
            f"{path}: lacks what `rlv provenance` writes ({type(error).__name__}: {error}); it is a crate of "
            "another program, or was edited"
        ) from error


def artifact_in(crate: Path, path: str) -> Artifact:
    """One artifact of a crate. Raises StoreError if the crate has no such artifact."""
    found = artifacts_of(read_crate(crate))
    if path not in found:
        raise StoreError(f"{crate}: has no artifact {path!r}; it has {', '.join(found)}")
    return found[path]


def _history(by_id: Mapping[str, Entity], root: Entity) -> History:
    actions = [by_id[part["@id"]] for part in items(root["mentions"])]
    records = tuple(_record(by_id, entity) for entity in actions if entity["@type"] == "CreateAction")
    if not records or by_id[root["mainEntity"]["@id"]]["name"] != records[-1].path:
        raise ValueError("its main entity is not what the last action made")
    history = History(str(root["identifier"]), str(root["keywords"]), records)
    for record in records:
        _refuse_names(record)
    artifacts_of(history)
    return history


def _refuse_names(record: Record) -> None:
    """Raise StoreError if the crate names a file that would lie outside of its artifact."""
    for name in record.files:
        why = fault_of(name, nested=True)
        if why is not None:
            raise StoreError(f"{record.path!r}: {name[:100]!r} is no file of an artifact: it {why}")


def _record(by_id: Mapping[str, Entity], action: Entity) -> Record:
    collection = by_id[action["result"]["@id"]]
    settings = {
        entity["name"]: parse_json(entity["value"])
        for entity in (by_id.get(part["@id"], {}) for part in items(action["object"]))
        if entity.get("@type") == "PropertyValue"
    }
    files = [by_id[part["@id"]] for part in items(collection.get("hasPart"))]
    path = collection["name"]
    name = path.split("/", 1)[1].rsplit("-", 1)[0]
    return Record(
        path=path,
        name=name,
        key=collection["identifier"],
        spec=settings["spec"],
        inputs=settings["inputs"],
        how=settings["how"]["how"],
        files={entity["name"]: _file(by_id, entity) for entity in files},
        made=_made(by_id, action, settings),
    )


def _file(by_id: Mapping[str, Entity], entity: Entity) -> FileFact:
    lasting = by_id[entity["identifier"]["@id"]]["value"] if "identifier" in entity else None
    return FileFact(entity["sha256"], int(entity["contentSize"]), lasting)


def _made(by_id: Mapping[str, Entity], action: Entity, settings: Mapping[str, Any]) -> Made:
    software = by_id[action["instrument"]["@id"]]
    needed = [by_id[part["@id"]] for part in items(software["softwareRequirements"])]
    packages = {entity["name"]: entity["softwareVersion"] for entity in needed}
    python = packages.pop("python")
    if software["softwareVersion"] != "unknown":
        packages["rlv"] = software["softwareVersion"]
    machine = by_id[action["location"]["@id"]]
    usage = {e["name"]: e["value"] for e in (by_id[part["@id"]] for part in items(action["resourceUsage"]))}
    made = {
        "at": action["endTime"],
        "host": machine["name"],
        "device": by_id[machine["additionalProperty"]["@id"]]["value"],
        "python": python,
        "packages": packages,
        "code": by_id[software["isBasedOn"]["@id"]]["version"] if "isBasedOn" in software else None,
    }
    manifest = {
        "made": made,
        "seconds": usage["seconds"],
        "cpu_seconds": usage["cpu_seconds"],
        "peak_memory_mib": usage["peak_memory_mib"],
        "how": settings["how"]["how"],
        "threads": settings["how"]["threads"],
        "facts": {"earlier": settings.get("earlier", [])},
    }
    return made_from(manifest, str(by_id[action["agent"]["@id"]]["name"]) if "agent" in action else None)
