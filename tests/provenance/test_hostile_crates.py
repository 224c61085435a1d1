"""A crate can name any file and any place: what it names elsewhere is neither written nor read."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rlv.errors import ModelError, RlvError, StoreError
from rlv.figures import stage as figures
from rlv.figures.stage import FIGURE
from rlv.models import MODEL
from rlv.provenance.crate import METADATA, read_crate, write_crate
from rlv.provenance.history import FileFact, History, Made, Record, artifacts_of
from rlv.provenance.replay import replay
from rlv.run import make as run
from rlv.store import Artifact, Store

EVIL = b"evil"
DIGEST = hashlib.sha256(EVIL).hexdigest()
NAMES = {
    # From the draft in <store>/model/.draft-…/, and from the folder with the "model", which are as deep.
    "relative": "../../../home/.bashrc",
    "control": "a\x1b[2J",
    "newline": "a\nb",
    "nul": "a\0b",
    "long": "x" * 300,
    "separator": "sub/a",
}


@pytest.fixture(params=[*NAMES, "absolute"])
def name(request, home):
    return str(home) if request.param == "absolute" else NAMES[request.param]


def history_with(artifact: Artifact, **changes) -> History:
    made = Made("2026-01-01T00:00:00+00:00", "h", "d", "3.11", {}, None, 1.0, 1.0, 1, 1)
    record = Record(
        artifact.path,
        artifact.name,
        artifact.key,
        artifact.spec,
        {},
        artifact.how,
        {"a": FileFact(DIGEST, 4)},
        made,
    )
    return History("a figure", "s", (replace(record, **changes),))


def model_of(folder: Path, name: str) -> Artifact:
    """A model with one file, which lies where the crate says, seen from a folder that it names."""
    return Artifact("model", "m", MODEL.recipe, {"files": {name: DIGEST}}, how={"folder": str(folder)})


def crate_of(tmp_path: Path, history: History) -> Path:
    return write_crate(history, tmp_path / "crate", None)


def test_files_of_a_model_stay_in_its_artifact(tmp_path, home, name):
    folder = tmp_path / "evil" / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "evil" / "home").mkdir()
    (tmp_path / "evil" / "home" / ".bashrc").write_bytes(EVIL)
    (folder / "sub").mkdir()
    (folder / "sub" / "a").write_bytes(EVIL)
    history = read_crate(crate_of(tmp_path, history_with(model_of(folder, name))))
    (artifact,) = artifacts_of(history).values()
    store = Store(tmp_path / "store")
    with pytest.raises(ModelError, match="stay below") as raised:
        run.make(artifact, store, log=lambda line: None)
    assert str(raised.value).isprintable()
    assert not list(store.root.rglob("a")) and not store.exists(artifact)


def test_the_command_line_writes_no_file_as_the_user(tmp_path, home):
    """All the way: `rlv replay CRATE`."""
    folder = tmp_path / "evil" / "model" / "draft"
    folder.mkdir(parents=True)
    (tmp_path / "evil" / "home").mkdir()
    (tmp_path / "evil" / "home" / ".bashrc").write_bytes(EVIL)
    crate = crate_of(tmp_path, history_with(model_of(folder, NAMES["relative"])))
    command = [sys.executable, "-m", "rlv", "replay", str(crate), "--store", "store", "--any-code"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "stay below" in done.stderr, done.stderr


def test_a_file_of_a_model_appears_only_with_its_digest(tmp_path, home):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").symlink_to(home)  # a link is fine in a folder of the user's; another content is not
    artifact, seen = model_of(folder, "a"), []
    store = Store(tmp_path / "store")
    with pytest.raises(ModelError, match="its content differs"), store.publishing(artifact) as publication:
        try:
            MODEL.run(run.Job(artifact, store, publication.path, tmp_path, 1, print))
        finally:
            seen += publication.path.iterdir()
    assert seen == []


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_model_is_made_of_regular_files(tmp_path, home, kind):
    folder = tmp_path / "model"
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / "a")
    else:
        (folder / "a").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no regular file"):
        run.make(model_of(folder, "a"), Store(tmp_path / "store"), log=lambda line: None)


def test_a_model_without_one_of_its_files_is_said(tmp_path):
    with pytest.raises(ModelError, match=r"has no 'a'"):
        run.make(model_of(tmp_path, "a"), Store(tmp_path / "store"), log=lambda line: None)


def test_a_figure_stays_in_its_artifact(tmp_path, home, name, monkeypatch):
    class Drawn:
        height = 1

        def write_csv(self, path):
            path.write_bytes(EVIL)

    module = type(
        "Module", (), {"data": lambda tables, params: Drawn(), "caption": lambda data: "", "draw": str}
    )
    monkeypatch.setattr(figures, "import_module", lambda name: module)
    params = {"figure": name.removesuffix(".csv"), "drawing": "strategies"}
    monkeypatch.setattr(figures, "gather", lambda job, table, optional=False: None)
    artifact = Artifact("figures", "f", FIGURE.recipe, params)
    with pytest.raises(RlvError, match="stay below"):
        run.make(artifact, Store(tmp_path / "store"), log=lambda line: None)


# An artifact may have folders, a model may not.
@pytest.mark.parametrize("name", [*(name for what, name in NAMES.items() if what != "separator"), "/etc/a"])
def test_files_of_records_have_names_of_files(tmp_path, home, name):
    history = history_with(model_of(tmp_path, "a"), files={name: FileFact(DIGEST, 4)})
    with pytest.raises(StoreError, match="no file of an artifact") as raised:
        read_crate(crate_of(tmp_path, history))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["..", ".", "", "a\0b", "a\x1b[2J", "x" * 300])
def test_the_report_stays_in_the_new_store(tmp_path, home, name):
    history = replace(history_with(model_of(tmp_path, "a")), name=name)
    with pytest.raises(StoreError, match="stay below"):
        replay(history, Store(tmp_path / "store"), None, any_code=True, log=lambda line: None)
    assert not (tmp_path / "store" / METADATA).exists()


def test_a_crate_is_no_link_and_no_pipe(tmp_path, home):
    crate = crate_of(tmp_path, history_with(model_of(tmp_path, "a")))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / METADATA).symlink_to(crate)
    (tmp_path / "piped").mkdir()
    os.mkfifo(tmp_path / "piped" / METADATA)
    for folder, kind in (("linked", "a link"), ("piped", "a pipe")):
        with pytest.raises(StoreError, match=f"is {kind}, no regular file"):
            read_crate(tmp_path / folder)


def test_a_crate_nested_without_end_is_refused(tmp_path):
    (tmp_path / METADATA).write_text("[" * 200_000)
    with pytest.raises(StoreError, match="not readable as a crate"):
        read_crate(tmp_path)


@pytest.mark.parametrize(
    ("repo", "revision"),
    [("a/b", "../../../../evil"), ("../a", "0" * 40), ("a/..", "0" * 40), ("a/b", "main")],
)
def test_a_hub_is_asked_for_repositories_and_commits(tmp_path, repo, revision):
    """The names of both are folders of its cache."""
    artifact = Artifact(
        "model", "m", MODEL.recipe, {"repo": repo, "revision": revision}, how={"key": "k", "study": "s"}
    )
    with pytest.raises(ModelError, match=r"no repository of the hub|is no commit"):
        run.make(artifact, Store(tmp_path / "store"), log=lambda line: None)


def test_an_index_of_weights_names_no_other_folder(tmp_path):
    from rlv.models.folders import complaint
    from rlv.models.headers import INDEX

    (tmp_path / "secret.safetensors").touch()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.safetensors").touch()
    (folder / "config.json").write_text("{}")
    for shard in ("../secret.safetensors", str(tmp_path / "secret.safetensors"), "a\0", 7):
        (folder / INDEX).write_text(json.dumps({"weight_map": {"w": shard}}))
        found = complaint(folder)
        assert found is not None and "not an index of weights" in found


def test_a_gguf_file_lies_in_its_package():
    from rlv.errors import StudyError
    from rlv.models import gguf

    version = __import__("importlib.metadata").metadata.version("pytest")
    for path in ("../../../../etc/passwd", "/etc/passwd", "a\0.gguf"):
        with pytest.raises(StudyError, match="stay below"):
            gguf.locate(f"pytest=={version}", path, "models.m")
