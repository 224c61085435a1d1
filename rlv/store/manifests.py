"""manifest.json of an artifact: the spec, the files with their digests, how it was made, and its own digest.

    key, name, spec, input_paths    the artifact, and all that decides its content
    files                           name -> sha256, bytes, mtime_ns
    made, seconds, ..., facts, how  how it was made (rlv/run/make.py)
    digest                          SHA-256 of all of the above as canonical JSON

A manifest of another user's store can have any content: its form and its names are checked here, once, for
every reader. Those of older versions have no digest of their own and are read all the same, but named
(`unsealed_lines`), since an edit of one goes unnoticed; one that has lost its digest looks the same.
Manifests are not signed: an edit is noticed, but a forgery with a new digest is not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rlv.errors import DamagedArtifactError, StoreError
from rlv.outside.files import parse_json
from rlv.outside.names import fault_of, opened
from rlv.store.artifacts import key_of

MANIFEST = "manifest.json"
DIGEST = "digest"
# One of a hundred thousand files has some 20 MB.
_LARGEST = 1 << 28


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Entry(_Form):
    sha256: _Digest
    bytes: Annotated[int, Field(ge=0)]
    mtime_ns: Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Spec(_Form):
    stage: str
    recipe: int
    params: dict[str, Any]
    inputs: dict[str, str]


class _Manifest(_Form):
    key: _Digest
    spec: _Spec
    files: dict[str, _Entry]


def _time(text: str) -> str:
    if datetime.fromisoformat(text).year < 1970:
        raise ValueError("too long ago")
    return text


class _Run(_Form):
    at: Annotated[str, AfterValidator(_time)]
    host: str
    device: str
    python: str
    packages: dict[str, str]
    code: str | None


class _Part(_Run):
    from_step: int
    to_step: int
    seconds: _Amount
    cpu_seconds: _Amount


class _Facts(_Form):
    earlier: list[_Part] = []


class _Origin(_Form):
    made: _Run
    seconds: _Amount
    cpu_seconds: _Amount
    peak_memory_mib: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=1)]
    how: dict[str, Any]
    facts: _Facts


def origin_fault(manifest: Mapping[str, Any]) -> str | None:
    """The fault in a manifest's record of how its artifact was made ("made.at: Field required"), or None."""
    return _fault(_Origin, manifest)


def unsealed_lines(paths: Sequence[str]) -> list[str]:
    """One line on the artifacts whose manifests have no digest of their own; no line if there are none."""
    if not paths:
        return []
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return [
        "no digest of its own in the manifest: made by an older version, or edited without a trace; to be "
        f"sure how it was made, make it again: {paths[0]}{more}"
    ]


def _fault(form: type[_Form], value: object) -> str | None:
    try:
        form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    return None


def digest_of(manifest: Mapping[str, Any]) -> str:
    """SHA-256 in hex of a manifest without its digest, written as canonical JSON."""
    body = {name: value for name, value in manifest.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it is written, with the digest of itself."""
    # Keys that sort as numbers here sort as text when the JSON is read.
    body = json.loads(json.dumps(manifest))
    return json.dumps({**body, DIGEST: digest_of(body)}, indent=1, sort_keys=True) + "\n"


def read_manifest(folder: Path, key: str | None = None) -> dict[str, Any]:
    """A folder's manifest. Raises DamagedArtifactError as `parsed_manifest` and if there is none, StoreError
    if it cannot be read."""
    return parsed_manifest(manifest_bytes(folder), folder / MANIFEST, key)


def manifest_bytes(folder: Path) -> bytes:
    """The bytes of a folder's manifest, a regular file. Raises as `read_manifest`."""
    path = folder / MANIFEST
    try:
        with reading(path), opened(folder, MANIFEST, error=DamagedArtifactError) as handle:
            data = handle.read(_LARGEST + 1)
    except OSError as error:
        raise DamagedArtifactError(f"{path}: not a readable manifest ({error})") from error
    if len(data) > _LARGEST:
        raise DamagedArtifactError(f"{path}: not a readable manifest (more than {_LARGEST:,} bytes)")
    return data


def parsed_manifest(data: bytes, path: Path, key: str | None = None) -> dict[str, Any]:
    """A manifest from its bytes; `path` names it in messages.

    Raises DamagedArtifactError if it has another form, names a file that is none of its folder's, belongs to
    another key, or does not have its own digest.
    """
    try:
        manifest = parse_json(data)
        fault = _fault(_Manifest, manifest)
        belongs = fault is None and key_of(manifest["spec"]) == manifest["key"]
        digest = digest_of(manifest) if fault is None else ""
    except (ValueError, RecursionError) as error:
        raise DamagedArtifactError(f"{path}: not a readable manifest ({error})") from error
    if fault is not None:
        raise DamagedArtifactError(f"{path}: not a readable manifest ({fault})")
    if not belongs or key not in (None, manifest["key"]):
        raise DamagedArtifactError(f"{path}: the manifest's spec does not belong to its key")
    for name in manifest["files"]:
        why = "is the manifest itself" if name == MANIFEST else fault_of(name, nested=True)
        if why is not None:
            raise DamagedArtifactError(
                f"{path}: names {name[:100]!r}, which is no file of an artifact: it {why}"
            )
    if manifest.get(DIGEST, digest) != digest:
        raise DamagedArtifactError(
            f"{path}: the manifest was edited: it does not have the digest that it states"
        )
    return manifest


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within the block errors that keep a sound file from being read are StoreError.

    A disk that does not answer, too many open files or no right to read is no damage, for which an artifact
    would be set aside. That there is no such file stays an OSError.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); no damage, so it stays: run again when it can"
        ) from error
