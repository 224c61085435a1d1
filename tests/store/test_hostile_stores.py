"""Manifests of upstreams and indices of archives that name what is none of theirs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rlv.commands.store import fsck_lines
from rlv.errors import DamagedArtifactError, StoreError
from rlv.run import make as run
from rlv.snakemake.copies import publish
from rlv.store import Artifact, Store, copy_file
from rlv.store.archive import INDEX, import_artifacts
from tests.manifests import how_made, rewrite
from tests.store.working import writing

EVIL = b"evil"
ENTRY = {"sha256": hashlib.sha256(EVIL).hexdigest(), "bytes": len(EVIL), "mtime_ns": 1}
MADE = Artifact("stage", "thing", 1, {"x": 1})
# How the file `home/.bashrc` beside the stores would be named from a draft, and other names of no file.
NAMES = {
    "relative": "../../../home/.bashrc",
    "nested": "sub/../../../../home/.bashrc",
    "control": "a\x1b[2J",
    "newline": "a\nb",
    "nul": "a\0b",
    "long": "x" * 300,
    "empty": "",
    "dot": ".",
    "the manifest": "manifest.json",
}


@pytest.fixture(params=[*NAMES, "absolute"])
def name(request, home):
    return str(home) if request.param == "absolute" else NAMES[request.param]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setitem(run.STAGES, "stage", writing("ours"))
    store = Store(tmp_path / "lab")
    with store.publishing(MADE) as publication:
        (publication.path / "a").write_bytes(EVIL)
        publication.facts.update(how_made())
    return store


def plant(folder: Path, name: str) -> None:
    """A file where the name leads, seen from a folder, as far as there can be one."""
    try:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(EVIL)
    except (OSError, ValueError):
        pass


def test_a_name_in_an_upstream_leads_nowhere(tmp_path, lab, home, name):
    rewrite(lab.location(MADE), lambda manifest: manifest["files"].update({name: ENTRY}))
    if "home" not in name and name != "manifest.json":
        plant(lab.location(MADE), name)
    mine = Store(tmp_path / "mine", [lab.root])
    (problem,) = mine.problems_of(MADE)
    assert "no file of an artifact" in problem
    assert not mine.copy_from_upstream(MADE)
    with pytest.raises(StoreError):
        Store(tmp_path / "other", [lab.root]).open(MADE, name)
    assert run.make(MADE, mine, log=lambda line: None)
    assert mine.open(MADE, "a").read_text() == "ours"
    lines, damaged = fsck_lines(lab)
    assert damaged == 1 and "no file of an artifact" in lines[1]


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "folder", "dangling"])
def test_only_regular_files_of_an_upstream_are_read(tmp_path, lab, home, kind):
    folder, name = lab.location(MADE), "sub/b" if kind == "folder link" else "b"
    entry = {"sha256": hashlib.sha256(b"mine").hexdigest(), "bytes": 4, "mtime_ns": home.stat().st_mtime_ns}
    rewrite(folder, lambda manifest: manifest["files"].update({name: entry}))
    if kind == "link":
        (folder / "b").symlink_to(home)
    elif kind == "dangling":
        (folder / "b").symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(folder / "b")
    elif kind == "folder":
        (folder / "b").mkdir()
    else:
        (tmp_path / "aside").mkdir()
        (tmp_path / "aside" / "b").write_bytes(b"mine")
        (folder / "sub").symlink_to(tmp_path / "aside")
    mine = Store(tmp_path / "mine", [lab.root])
    assert mine.problems_of(MADE)
    with pytest.raises(DamagedArtifactError):
        Store(tmp_path / "other", [lab.root]).open(MADE, name)
    assert not mine.copy_from_upstream(MADE) and not list(mine.root.glob("stage/*"))


def test_a_copy_appears_only_with_its_digest(tmp_path, lab):
    """The upstream is looked at, and changes before it is copied."""
    mine = Store(tmp_path / "mine", [lab.root])
    file = lab.location(MADE) / "a"
    file.chmod(0o644)
    file.write_bytes(b"liev")
    assert mine.exists(MADE) and not mine.copy_from_upstream(MADE)
    assert not list(mine.root.glob("stage/*"))


def test_a_copy_has_the_size_that_its_manifest_states(tmp_path, lab):
    rewrite(lab.location(MADE), lambda manifest: manifest["files"]["a"].update(bytes=10**18))
    mine = Store(tmp_path / "mine", [lab.root])
    assert not mine.copy_from_upstream(MADE) and not list(mine.root.glob("stage/*"))


@pytest.mark.parametrize("first", ["x.txt", "x.txt/pwn"])
def test_a_file_and_a_folder_of_one_name_are_no_artifact(tmp_path, lab, first):
    """Names are copied in the manifest's order; the folder changes between the two."""
    names = [first, *({"x.txt", "x.txt/pwn"} - {first})]
    source, target = tmp_path / "source", tmp_path / "target"
    for number, name in enumerate(names):
        folder = source / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(EVIL)
    copy_file(source / "0", names[0], target, ENTRY["sha256"])
    with pytest.raises(DamagedArtifactError, match="names of files meet"):
        copy_file(source / "1", names[1], target, ENTRY["sha256"])
    rewrite(lab.location(MADE), lambda manifest: manifest["files"].update(dict.fromkeys(names, ENTRY)))
    assert not Store(tmp_path / "mine", [lab.root]).copy_from_upstream(MADE)


@pytest.mark.parametrize("name", ["a/" * 2000 + "a", "a/" * 600 + "a"])
def test_a_deep_name_is_no_file_of_an_artifact(tmp_path, lab, name):
    rewrite(lab.location(MADE), lambda manifest: manifest["files"].update({name: ENTRY}))
    mine = Store(tmp_path / "mine", [lab.root])
    (problem,) = mine.problems_of(MADE)
    assert "no file of an artifact" in problem and not mine.copy_from_upstream(MADE)
    with pytest.raises(StoreError, match="no file of an artifact"):
        import_artifacts(Store(tmp_path / "other"), archive(tmp_path / "a.tar", name))


def test_figures_are_published_only_with_their_digest(tmp_path, lab, monkeypatch):
    monkeypatch.setattr(Store, "open_all", Store.location)  # as if it had changed after that look
    file = lab.location(MADE) / "a"
    file.chmod(0o644)
    file.write_bytes(b"liev")
    with pytest.raises(DamagedArtifactError, match="its content differs"):
        publish(MADE, lab, tmp_path / "figures")
    assert list((tmp_path / "figures").iterdir()) == []


def archive(
    file: Path,
    name: str,
    *,
    path: str = MADE.path,
    link: str | None = None,
    origin: dict[str, Any] | None = None,
) -> Path:
    """An archive with one artifact that has a file of this name, as its index and its manifest say."""
    manifest = {"key": MADE.key, "name": MADE.name, "spec": MADE.spec, "files": {name: ENTRY}}
    manifest |= how_made() if origin is None else origin
    contents = {name: EVIL, "manifest.json": json.dumps(manifest).encode()}
    files = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in contents.items()}
    index = {
        "format": "rlv artifacts 1",
        "study": "s",
        "artifacts": {path: {"key": MADE.key, "files": files}},
    }
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in [(INDEX, json.dumps(index).encode()), *contents.items()]:
            info = tarfile.TarInfo(member if member == INDEX else f"{path}/{member}")
            info.size = len(content)
            if link is not None and member == name:
                info.type, info.linkname, info.size, content = tarfile.SYMTYPE, link, 0, b""
            tar.addfile(info, io.BytesIO(content))
    return file


# The manifest itself is one that an archive's index does name.
@pytest.mark.parametrize(
    "name", [*(name for what, name in NAMES.items() if what != "the manifest"), "/etc/a"]
)
def test_a_name_in_an_archive_leads_nowhere(tmp_path, home, name):
    with pytest.raises(StoreError, match="no file of an artifact") as raised:
        import_artifacts(Store(tmp_path / "mine"), archive(tmp_path / "a.tar", name))
    assert str(raised.value).isprintable()
    assert not (tmp_path / "mine").exists()


def test_a_link_in_an_archive_is_refused(tmp_path, home):
    bad = archive(tmp_path / "a.tar", "a", link=str(home))
    with pytest.raises(StoreError, match="no ordinary file"):
        import_artifacts(Store(tmp_path / "mine"), bad)
    assert not list((tmp_path / "mine").glob("stage/*"))


@pytest.mark.parametrize("name", ["x" * 300, "../home", "a\x1b[2J", "a\nb", "a\0b", ".a", "-a", ""])
def test_a_place_in_an_archive_leads_nowhere(tmp_path, home, name):
    bad = archive(tmp_path / "a.tar", "a", path=f"stage/{name}-{MADE.key[:12]}")
    with pytest.raises(StoreError, match="no place of an artifact") as raised:
        import_artifacts(Store(tmp_path / "mine"), bad)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("left", ["link", "pipe", "control"])
def test_a_stage_that_leaves_no_regular_file_publishes_nothing(tmp_path, lab, home, left):
    mine = Store(tmp_path / "mine")
    with pytest.raises(StoreError), mine.publishing(MADE) as publication:
        if left == "link":
            (publication.path / "a").symlink_to(home)
        elif left == "pipe":
            os.mkfifo(publication.path / "a")
        else:
            (publication.path / "a\x1b").touch()
    assert not list((tmp_path / "mine").glob("stage/*"))
