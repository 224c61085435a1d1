"""The marks of those who read a store as an upstream: where there is one, and where nothing is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlv.store import Artifact, Store
from rlv.store.readers import readers_of
from tests.store.working import Working

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes between users, which only root can")


def artifact(x: int, inputs: dict[str, Artifact] | None = None) -> Artifact:
    return Artifact("stage", "thing", 1, {"x": x}, inputs or {})


def publish(store: Store, made: Artifact) -> None:
    with store.publishing(made) as publication:
        (publication.path / "a.txt").write_text("content")


def everything(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*")}


def test_every_upstream_that_is_read_from_has_a_mark_of_its_own(tmp_path):
    stores = [Store(tmp_path / name) for name in ("first", "second", "unused", "mine")]
    for x, store in enumerate(stores):
        publish(store, artifact(x))
    publish(stores[1], artifact(0))  # hidden by the first
    mine = Store(tmp_path / "mine", [store.root for store in stores[:3]])
    child = artifact(9, {f"p{x}": artifact(x) for x in (0, 1, 3)})
    before = everything(tmp_path)
    with mine.leasing(child, lambda line: None) as ours:
        assert ours
        found = [[mark.content["inputs"] for mark in readers_of(store.root)] for store in stores]
        assert found == [[[artifact(0).path]], [[artifact(1).path]], [], []]
        assert all(not mark.gone() for store in stores for mark in readers_of(store.root))
    folders = {f"{name}/.work{end}" for name in ("first", "second") for end in ("", "/.readers")}
    left = everything(tmp_path) - before
    assert {p for p in left if not p.startswith("mine/.work")} == folders


def test_no_mark_outlives_an_error_and_who_waited_in_vain_leaves_none(tmp_path):
    lab = Store(tmp_path / "lab")
    publish(lab, artifact(1))
    mine, child = Store(tmp_path / "mine", [lab.root]), artifact(9, {"p": artifact(1)})
    with pytest.raises(KeyError), mine.leasing(child, lambda line: None):
        assert len(list(readers_of(lab.root))) == 1
        raise KeyError
    assert list(readers_of(lab.root)) == []
    publish(mine, child)
    with mine.leasing(child, lambda line: None) as ours:
        assert not ours and list(readers_of(lab.root)) == []


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o2775])
def test_who_may_not_write_reads_all_the_same(open_path, mode):
    lab = Store(open_path / "lab")
    publish(lab, artifact(1))
    lab.root.chmod(mode)
    os.chown(lab.root, 4001, 5000)
    (open_path / "mine").mkdir()
    os.chown(open_path / "mine", 4002, 4002)
    before = everything(lab.root)
    for uid in (4002, 0):
        if uid or mode == 0o755:  # root leaves nothing of its own in somebody's private store
            job = Working(Store(open_path / "mine", [lab.root]), artifact(20, {"p": artifact(1)}), uid)
            assert everything(lab.root) == before
            job.end()


@needs_root
def test_a_member_s_mark_keeps_a_shared_store_open_to_its_group(open_path):
    lab = Store(open_path / "lab")
    publish(lab, artifact(1))
    os.chown(lab.root, 4001, 5000)
    lab.root.chmod(0o2770)
    (open_path / "mine").mkdir()
    os.chown(open_path / "mine", 4002, 4002)
    (open_path / "mine").chmod(0o700)
    mine = Store(open_path / "mine", [lab.root])
    before = os.umask(0o077)
    try:
        job = Working(mine, artifact(20, {"p": artifact(1)}), 4002, (5000,))
    finally:
        os.umask(before)
    (mark,) = readers_of(lab.root)
    assert mark.path.stat().st_mode & 0o777 == 0o660 and mark.path.stat().st_uid == 4002
    # The next of the group works in folders that the reader made.
    other = Working(lab, artifact(21), 4003, (5000,))
    other.end()
    job.end()
    assert list(readers_of(lab.root)) == []
