"""What decides a model's bytes: files by digest, hub by commit, GGUF by digest; and paths with variables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rlv.errors import StudyError
from rlv.models.sources import model_spec
from rlv.models.stage import MODEL
from rlv.run.make import make
from rlv.store import Artifact, Store, digests, file_digest
from rlv.store.digests import digest_of
from rlv.study.paths import expand, written
from rlv.study.types import Model


@pytest.fixture
def folder(tmp_path, tiny_model):
    tiny_model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_counts_by_content_wherever_it_lies(folder, tmp_path, monkeypatch):
    params, how = model_spec("small", Model(source="local", path=str(folder)), "mine")
    assert params == {"files": {p.name: file_digest(p) for p in sorted(folder.iterdir())}}
    monkeypatch.setenv("MODELS", str(tmp_path))
    again, there = model_spec("small", Model(source="local", path="$MODELS/model"), "mine")
    assert again == params and there["folder"] == how["folder"]
    (folder / "config.json").write_text(json.dumps({"changed": True}))
    assert model_spec("small", Model(source="local", path=str(folder)), "mine")[0] != params


def test_a_checkpoint_that_was_copied_out_of_a_store_is_a_model(folder, tmp_path):
    plain, _ = model_spec("small", Model(source="local", path=str(folder)), "mine")
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    params, how = model_spec("small", Model(source="local", path=str(folder)), "mine")
    artifact = Artifact("model", "small", MODEL.recipe, params, {}, how)
    make(artifact, first, log=lambda line: None)
    copy = tmp_path / "copy"
    shutil.copytree(first.location(artifact), copy)
    params, how = model_spec("small", Model(source="local", path=str(copy)), "mine")
    assert (copy / "manifest.json").exists() and params == plain
    again = Artifact("model", "small", MODEL.recipe, params, {}, how)
    make(again, second, log=lambda line: None)
    assert second.problems_of(again) == []


def test_a_model_of_the_hub_counts_by_commit_and_needs_no_network():
    model = Model(source="hub", repo="somebody/small", revision="0" * 40)
    assert model_spec("small", model, "mine")[0] == {"repo": "somebody/small", "revision": "0" * 40}


def test_pickled_weights_are_refused_while_planning(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(StudyError, match=r"models\.small\.path.*pickled"):
        model_spec("small", Model(source="local", path=str(folder)), "mine")


def test_variables_in_paths(monkeypatch):
    monkeypatch.setenv("RLV_HERE", "/data")
    assert str(expand("$RLV_HERE/x/${RLV_HERE}", "models.a.path")) == "/data/x/data"
    monkeypatch.delenv("RLV_NOT_THERE", raising=False)
    with pytest.raises(StudyError, match=r"models\.a\.path.*RLV_NOT_THERE; it is not set"):
        expand("$RLV_NOT_THERE/x", "models.a.path")


def test_home_folders_and_dollars_in_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/$me")
    monkeypatch.setenv("RLV_HERE", "~")
    assert str(expand("~/x", "store")) == "/home/$me/x" and str(expand("~", "store")) == "/home/$me"
    # Only at the beginning, and only as it was written.
    assert str(expand("x/~", "store")) == "x/~" and str(expand("$RLV_HERE/x", "store")) == "~/x"
    assert str(expand("a$$RLV_HERE$(b)$", "store")) == "a$RLV_HERE$(b)$"
    with pytest.raises(StudyError, match=r"store: '~nobody_of_that_name/x': no home folder"):
        expand("~nobody_of_that_name/x", "store")


@pytest.mark.parametrize(
    "text", ["a\nb", "a\x00b", "\x7f", "s3://bucket/store", "hf://datasets/x", "file:///data"]
)
def test_what_is_no_path_of_a_file_is_refused(text):
    with pytest.raises(StudyError, match="store: found"):
        expand(text, "store")


@pytest.mark.parametrize("name", ["~", "~x/y", "$HOME/x", "$$", "a$", "${HOME}", "-x", "plain/x", "x/~"])
def test_a_path_is_written_so_that_it_is_read_again(name):
    assert expand(written(Path(name)), "store") == Path(name)


def test_a_large_files_digest_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "REMEMBERED_BYTES", 1)
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    reads = []
    monkeypatch.setattr(digests, "file_digest", lambda path: reads.append(path) or file_digest(path))
    for _ in range(2):
        digests._digest.cache_clear()  # as another process
        assert digest_of(file) == file_digest(file)
    assert len(reads) == 1
    file.write_bytes(b"another")
    assert digest_of(file) == file_digest(file) and len(reads) == 2
