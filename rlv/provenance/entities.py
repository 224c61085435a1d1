"""The entities of a crate: flat JSON-LD objects, each with an `@id`, in the words of the Process Run Crate.

    Collection          an artifact, with its File entities (digest, bytes)
    CreateAction        the run that made it: instrument, object (inputs and settings), result, agent, times
    SoftwareApplication this package with everything that ran beside it; SoftwareSourceCode: its commit
    Place               the machine, with its device
    PropertyValue       what the key is the hash of, and what decided nothing but how it was computed

Files that a crate does not carry have local identifiers (`#…`), as contextual entities must. Entities that
several artifacts share are written once. They are read back in crate.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rlv.provenance.history import FileFact, Made, Record
from rlv.provenance.measured import describe
from rlv.store.artifacts import canonical

Entity = dict[str, Any]
COMPLETED = "http://schema.org/CompletedActionStatus"
# What is measured of a run: (identifier, unit) by the field that holds it; unit codes of UN/CEFACT.
USAGE = {"seconds": ("SEC", "s"), "cpu_seconds": ("SEC", "s"), "peak_memory_mib": ("E63", "MiB")}
LASTING = "sha256 without what is measured"


def ref(identifier: str) -> dict[str, str]:
    """A reference to another entity."""
    return {"@id": identifier}


def local(*parts: str) -> str:
    """The identifier of something that the crate describes and does not carry."""
    return "#" + "/".join(quote(part) for part in parts)


def compact(value: Any) -> Any:
    """The one item of a list of one, as RO-Crate asks for; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def items(value: Any) -> list[Any]:
    """The inverse of `compact`: a list of one, several or no items."""
    return value if isinstance(value, list) else [] if value is None else [value]


class Entities:
    """The graph of a crate as it grows; an entity that is added twice is written once."""

    def __init__(self) -> None:
        self.by_id: dict[str, Entity] = {}

    def add(self, identifier: str, kind: str, /, **properties: Any) -> dict[str, str]:
        """A reference to the entity; empty properties are left out, a list of one is its item."""
        filled = {name: compact(value) for name, value in properties.items() if value not in (None, [], "")}
        self.by_id.setdefault(identifier, {"@id": identifier, "@type": kind, **filled})
        return ref(identifier)

    def value(self, about: str, name: str, value: Any, /, **properties: Any) -> dict[str, str]:
        """A PropertyValue under an identifier of its content."""
        text = value if isinstance(value, str | int | float) else canonical(value)
        digest = _digest([about, name, text, properties])
        return self.add(local(about, digest), "PropertyValue", name=name, value=text, **properties)


def artifact_entity(entities: Entities, record: Record, carried: Mapping[str, str]) -> dict[str, str]:
    """An artifact with its files; `carried` has the places of those that lie in the crate."""
    files = [_file(entities, record, name, fact, carried.get(name)) for name, fact in record.files.items()]
    return entities.add(
        local(record.path),
        "Collection",
        name=record.path,
        description=f"what the stage {record.stage} has left; content-addressed by the identifier",
        identifier=record.key,
        hasPart=files,
        mainEntity=files[_largest(record)] if files else None,
    )


def action_entity(entities: Entities, record: Record) -> dict[str, str]:
    """The run that made an artifact."""
    made = record.made
    settings = [
        entities.add(
            local("spec", record.key[:12]),
            "PropertyValue",
            name="spec",
            value=canonical(record.spec),
            description="what decides the content; the SHA-256 of this value is the artifact's identifier",
        ),
        entities.value(
            "how",
            "how",
            {"how": dict(record.how), "threads": made.threads},
            description="what decides only how it is computed",
        ),
        entities.add(
            local("inputs", record.key[:12]),
            "PropertyValue",
            name="inputs",
            value=canonical(dict(record.inputs)),
            description="the artifact in each role of the specification's inputs",
        ),
    ]
    if made.earlier:
        what = "the processes that did the first steps; time, place, software and usage are of the last one"
        settings.append(entities.value("earlier", "earlier", list(made.earlier), description=what))
    usage = [
        entities.value(
            "usage",
            field,
            getattr(made, field),
            propertyID=local("usage", field),
            unitCode=code,
            unitText=unit,
        )
        for field, (code, unit) in USAGE.items()
    ]
    return entities.add(
        local("make", record.path),
        "CreateAction",
        name=f"{record.stage} {record.name}",
        description=f"rlv make {record.path} --threads {made.threads}",
        startTime=made.started,
        endTime=made.at,
        actionStatus=COMPLETED,
        instrument=_software(entities, made),
        object=[*(ref(local(path)) for path in dict.fromkeys(record.inputs.values())), *settings],
        result=ref(local(record.path)),
        agent=None if made.by is None else _person(entities, made.by),
        location=_machine(entities, made),
        resourceUsage=usage,
    )


def _largest(record: Record) -> int:
    """The index of the file that an artifact is made for: weights, a table, a picture."""
    sizes = [fact.bytes for fact in record.files.values()]
    return sizes.index(max(sizes))


def _file(
    entities: Entities, record: Record, name: str, fact: FileFact, carried: str | None
) -> dict[str, str]:
    lasting = None
    if fact.lasting is not None:
        lasting = entities.value(
            "lasting",
            describe(name),
            fact.lasting,
            propertyID=LASTING,
            description="digest of the content but for what is named here, which every run measures anew",
        )
    return entities.add(
        quote(carried) if carried is not None else local(record.path, name),
        "File",
        name=name,
        contentSize=str(fact.bytes),
        sha256=fact.sha256,
        encodingFormat=_FORMATS.get(name.rsplit(".", 1)[-1]),
        identifier=lasting,
    )


def _software(entities: Entities, made: Made) -> dict[str, str]:
    """This package as it ran. Two runs share it if version, commit and every package agree."""
    code = None
    if made.code is not None:
        edited = made.code.endswith("-dirty")
        code = entities.add(
            local("code", made.code),
            "SoftwareSourceCode",
            name="rlv",
            version=made.code,
            programmingLanguage="Python",
            description="edited since this commit; the edits are not recorded" if edited else None,
        )
    versions = {"python": made.python, **{k: v for k, v in made.packages.items() if k != "rlv"}}
    needed = [
        entities.add(
            local("package", name, version), "SoftwareApplication", name=name, softwareVersion=version
        )
        for name, version in versions.items()
    ]
    return entities.add(
        local("software", _digest([made.code, made.python, dict(made.packages)])),
        "SoftwareApplication",
        name="rlv",
        softwareVersion=made.packages.get("rlv", "unknown"),
        isBasedOn=code,
        softwareRequirements=needed,
    )


def _machine(entities: Entities, made: Made) -> dict[str, str]:
    device = entities.value("device", "device", made.device)
    return entities.add(
        local("machine", _digest([made.host, made.device])),
        "Place",
        name=made.host,
        additionalProperty=device,
    )


def _person(entities: Entities, account: str) -> dict[str, str]:
    return entities.add(local("user", account), "Person", name=account)


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:12]


_FORMATS = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "rst": "text/x-rst",
    "safetensors": "application/octet-stream",
    "tex": "text/x-tex",
}
