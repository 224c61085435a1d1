"""Models of the hub: read offline from a cache of the hub's own layout, and what its errors become."""

from __future__ import annotations

import hashlib
import json
import os

import httpx2
import pytest
from huggingface_hub import constants, errors

from rlv.errors import ModelError
from rlv.models import MODEL, hub, load_model
from rlv.models.sources import at_hand
from rlv.run.make import make
from rlv.store import Artifact, Store

REPO, REVISION = "somebody/small", "0123456789abcdef0123456789abcdef01234567"
HOW = {"key": "models.small", "study": "mine"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and no network."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


@pytest.fixture
def snapshot(cache, tmp_path, tiny_model, tiny_tokenizer):
    """The tiny model in the cache, in two shards: large files by their SHA-256, links in the snapshot."""
    made = tmp_path / "made"
    tiny_model.save_pretrained(made, max_shard_size="60KB")
    tiny_tokenizer.save_pretrained(made)
    for name in ("pytorch_model.bin", "modeling_own.py"):
        (made / name).write_text("not wanted")
    root = cache / f"models--{REPO.replace('/', '--')}"
    place = root / "snapshots" / REVISION
    (root / "blobs").mkdir(parents=True)
    place.mkdir(parents=True)
    for file in made.iterdir():
        blob = root / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.write_bytes(file.read_bytes())
        (place / file.name).symlink_to(os.path.relpath(blob, place))
    return place


def artifact(**params) -> Artifact:
    return Artifact("model", "small", MODEL.recipe, {"repo": REPO, "revision": REVISION, **params}, how=HOW)


def test_a_snapshot_enters_the_store_as_one_directory(snapshot, tmp_path, tiny_model):
    store = Store(tmp_path / "store")
    assert at_hand(artifact(), store) == snapshot
    make(artifact(), store, log=lambda line: None)
    folder = store.open_all(artifact())
    names = {p.name for p in folder.iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors.index.json"} <= names
    assert sum(name.endswith(".safetensors") for name in names) > 1  # sharded as it was
    assert not {"pytorch_model.bin", "modeling_own.py"} & names
    assert not any(p.is_symlink() for p in folder.iterdir())  # the cache may go
    model, _ = load_model(folder)
    for name, value in model.state_dict().items():
        assert value.equal(tiny_model.state_dict()[name]), name
    assert at_hand(artifact(), store) == folder


def test_a_cache_that_differs_from_the_hub_is_named(snapshot, tmp_path):
    blob = (snapshot / "model-00001-of-00002.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="differs from what the hub published"):
        hub.place(snapshot, tmp_path)


def test_an_incomplete_snapshot_is_not_taken(snapshot):
    (snapshot / "model-00001-of-00002.safetensors").unlink()
    assert hub.cached(REPO, REVISION) is None


def test_without_a_network_the_command_and_the_keys_are_named(cache):
    with pytest.raises(ModelError) as error:
        hub.fetch(REPO, REVISION, key="models.small", study="mine")
    for words in ("rlv fetch mine", "models.small.path", "models.small.source: local"):
        assert words in str(error.value)


def response(status: int, code: str) -> httpx2.Response:
    request = httpx2.Request("GET", "http://localhost")
    return httpx2.Response(status, headers={"X-Error-Code": code}, request=request)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.GatedRepoError("no", response=response(403, "GatedRepo")), ["gated", "accept its terms"]),
        (
            errors.RevisionNotFoundError("no", response=response(404, "RevisionNotFound")),
            ["has no commit", "models.small.revision", REVISION],
        ),
        (
            errors.RepositoryNotFoundError("no", response=response(404, "RepoNotFound")),
            ["no model somebody", "models.small.repo"],
        ),
        (errors.HfHubHTTPError("500 is bad", response=response(500, "")), ["500 is bad", "try again"]),
        (httpx2.ConnectError("no route"), ["cannot be reached", "rlv fetch mine"]),
        (errors.OfflineModeIsEnabled("offline"), ["cannot be reached", "rlv fetch mine"]),
    ],
)
def test_the_hubs_errors_say_what_would_do(cache, monkeypatch, error, words):
    def download(*_args, local_files_only=False, **_kwargs):
        raise errors.LocalEntryNotFoundError("not here") if local_files_only else error

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(ModelError) as raised:
        hub.fetch(REPO, REVISION, key="models.small", study="mine")
    for word in ["models.small", REPO, *words]:
        assert word in str(raised.value)


def test_a_repository_without_safetensors_is_refused(cache, monkeypatch, tmp_path):
    asked = {}

    def download(*_args, local_files_only=False, **kwargs):
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not here")
        asked.update(kwargs)
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(ModelError, match=r"no \*\.safetensors.*unpickling.*models\.small\.revision"):
        hub.fetch(REPO, REVISION, key="models.small")
    assert not any(name.endswith((".bin", ".py", ".pt", "*")) for name in asked["allow_patterns"][:-1])
