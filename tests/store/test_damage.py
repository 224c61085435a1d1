"""What can lie in the place of an artifact and is none: found, survived, and made again by the next run."""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rlv.commands.find import find
from rlv.commands.status import state, status_lines
from rlv.commands.store import fsck_lines
from rlv.commands.time import time_lines
from rlv.commands.why import why_lines
from rlv.errors import StoreError
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.run import make as run
from rlv.run.make import make, set_aside_damaged
from rlv.store import Artifact, Store
from rlv.store.archive import export_artifacts, import_artifacts
from rlv.store.folders import is_published
from rlv.store.garbage import gc_lines
from rlv.store.leasing import Timing
from rlv.store.permissions import remove_tree
from tests.manifests import how_made
from tests.store.test_sharing import as_user, needs_root
from tests.store.working import writing
from tests.unsealed import unseal


def quiet(line: str) -> None:
    """No log."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan(load("mini"))


@pytest.fixture
def made(plan, monkeypatch) -> Artifact:
    """An artifact without inputs, whose stage takes no time."""
    artifact = next(a for a in plan.artifacts.values() if not a.inputs)
    again = replace(writing("again"), recipe=artifact.recipe)
    monkeypatch.setitem(run.STAGES, artifact.stage, again)
    return artifact


def publish(store: Store, made: Artifact) -> Path:
    with store.publishing(made) as publication:
        (publication.path / "a").write_text("content")
        publication.facts.update(how_made())
    return store.location(made)


def manifest_folder(folder: Path) -> None:
    unseal(folder).joinpath("manifest.json").unlink()
    (folder / "manifest.json").mkdir()


def manifest_link(folder: Path) -> None:
    unseal(folder).joinpath("manifest.json").rename(folder.parent / ".manifest")
    (folder / "manifest.json").symlink_to(folder.parent / ".manifest")


def manifest_dangling(folder: Path) -> None:
    unseal(folder).joinpath("manifest.json").unlink()
    (folder / "manifest.json").symlink_to("nowhere")


def manifest_absent(folder: Path) -> None:
    unseal(folder).joinpath("manifest.json").unlink()


def manifest_pipe(folder: Path) -> None:
    unseal(folder).joinpath("manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")


def a_file(folder: Path) -> None:
    remove_tree(folder)
    folder.write_text("file")


def dangling(folder: Path) -> None:
    remove_tree(folder)
    folder.symlink_to("nowhere")


def a_circle(folder: Path) -> None:
    remove_tree(folder)
    folder.symlink_to(folder.name)


def link_to_a_file(folder: Path) -> None:
    remove_tree(folder)
    (folder.parent / ".precious").write_text("precious")
    folder.symlink_to(".precious")


def a_pipe(folder: Path) -> None:
    remove_tree(folder)
    os.mkfifo(folder)


KINDS = {
    manifest_folder: r"its manifest\.json is no regular file",
    manifest_link: r"its manifest\.json is no regular file",
    manifest_dangling: r"its manifest\.json is no regular file",
    manifest_absent: r"has no manifest\.json",
    manifest_pipe: r"its manifest\.json is no regular file",
    a_file: "is no folder",
    dangling: "is a link to no folder",
    a_circle: "is a link to no folder",
    link_to_a_file: "is a link to no folder",
    a_pipe: "is no folder",
}


@pytest.fixture(params=KINDS, ids=lambda damage: damage.__name__)
def damage(request):
    return request.param


def test_fsck_names_it_and_sets_it_aside(tmp_path, made, damage):
    store = Store(tmp_path)
    damage(publish(store, made))
    lines, bad = fsck_lines(store)
    assert bad == 1 and lines[0] == f"damaged: {made.path}" and "set aside as" in lines[2]
    assert re.search(KINDS[damage], lines[1])
    assert fsck_lines(store) == (["0 artifacts sound, 0 damaged"], 0)
    assert len(list((tmp_path / ".damaged" / made.stage).iterdir())) == 1


def test_reports_survive_it(tmp_path, plan, made, damage):
    store = Store(tmp_path)
    damage(publish(store, made))
    before = sorted(tmp_path.rglob("*"))
    assert state(made, store) == "damaged"
    assert any(line.startswith("damaged") and made.path in line for line in status_lines(plan, store))
    assert "state: damaged" in why_lines(plan, store, made.path)
    assert time_lines(plan, store)
    with pytest.raises(Exception, match="nothing in study or store"):
        find(plan, store, "nothing-like-this")
    assert sorted(tmp_path.rglob("*")) == before
    gc_lines(store, set(), yes=True, older_than=0)
    assert os.path.lexists(store.location(made))  # fsck looks at it first


def test_the_next_run_plans_and_makes_it_again(tmp_path, made, damage):
    store = Store(tmp_path)
    damage(publish(store, made))
    assert not store.exists(made)
    (line,) = set_aside_damaged([made], store)
    assert re.search(KINDS[damage], line) and "set aside as" in line
    assert not os.path.lexists(store.location(made))
    assert make(made, store, log=quiet) and store.problems_of(made) == []
    precious = store.location(made).parent / ".precious"
    assert not precious.exists() or precious.read_text() == "precious"


def test_a_job_makes_it_again(tmp_path, made, damage):
    store = Store(tmp_path)
    damage(publish(store, made))
    assert make(made, store, log=quiet)
    assert store.open(made, "a").read_text() == "again" and store.problems_of(made) == []


def test_what_comes_while_computing_is_set_aside(tmp_path, made, damage):
    store = Store(tmp_path)
    with store.publishing(made) as publication:
        (publication.path / "a").write_text("ours")
        damage(publish(Store(tmp_path), made))
    assert publication.won and store.open(made, "a").read_text() == "ours"


def test_an_import_comes_in_its_place(tmp_path, made, damage):
    store, other = Store(tmp_path / "store"), Store(tmp_path / "other")
    publish(store, made)
    export_artifacts([made], store, "s", tmp_path / "s.tar")
    damage(publish(other, made))
    assert "1 artifacts imported" in import_artifacts(other, tmp_path / "s.tar")[0]
    assert other.problems_of(made) == []


def test_it_is_nothing_in_an_upstream(tmp_path, plan, made, damage):
    lab = Store(tmp_path / "lab")
    damage(publish(lab, made))
    mine = Store(tmp_path / "mine", [lab.root], timing=Timing(0.05, 5.0, 0.02))
    assert state(made, mine) == "missing" and set_aside_damaged([made], mine) == []
    assert make(made, mine, log=quiet) and mine.is_own(mine.location(made))


def test_an_empty_folder_is_nothing(tmp_path, made):
    """Snakemake makes it before the job."""
    store = Store(tmp_path)
    store.location(made).mkdir(parents=True)
    assert state(made, store) == "missing" and set_aside_damaged([made], store) == []
    assert fsck_lines(store) == (["0 artifacts sound, 0 damaged"], 0)


def test_another_artifact_in_its_place_is_found(tmp_path, made):
    store = Store(tmp_path)
    other = Artifact(made.stage, made.name, 1, {})
    folder = publish(store, other)
    folder.chmod(0o755)
    folder.rename(store.location(made))
    lines, bad = fsck_lines(store)
    assert bad == 1 and "holds another artifact" in lines[1] and "set aside as" in lines[2]
    # A folder that a link leads to, on another disk, is as good as any.
    elsewhere = tmp_path / "disk"
    shutil.move(unseal(publish(store, made)), elsewhere)
    store.location(made).symlink_to(elsewhere)
    assert fsck_lines(store)[1] == 0 and store.open(made, "a").read_text() == "content"


# ---- folders that may not be entered


def as_user_4001(work) -> None:
    as_user(4001, [], 0o022, work)


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_entered_is_found_and_mended_by_its_owner(open_path, plan, made, mode):
    """It may well be sound: its owner gets the right back, and nothing is computed again."""
    store = Store(open_path / "store")
    store.root.mkdir()
    os.chown(store.root, 4001, 4001)

    def work() -> None:
        for mend in (
            lambda: fsck_lines(store)[1] == 1,
            lambda: len(set_aside_damaged([made], store)) == 1,
            lambda: not make(made, store, log=quiet),
        ):
            if not store.exists(made):
                publish(store, made)
            store.location(made).chmod(mode)
            assert not store.exists(made) and state(made, store) == "damaged"
            assert any("damaged" in line and made.path in line for line in status_lines(plan, store))
            assert time_lines(plan, store)
            assert gc_lines(store, set(), yes=False, older_than=0)[-1].startswith("0 can go")
            assert mend()
            assert store.open(made, "a").read_text() == "content"
            assert store.location(made).stat().st_mode & 0o777 == 0o555
        store.location(made).chmod(0o755)
        (store.location(made) / "a").chmod(0o644)
        (store.location(made) / "a").write_text("changed")
        store.location(made).chmod(mode)
        assert make(made, store, log=quiet)  # and what turns out to be damaged is made again

    as_user_4001(work)


@needs_root
def test_somebody_elses_that_may_not_be_entered_does_not_stop_the_others(open_path, plan, made, monkeypatch):
    store, computed = Store(open_path / "store"), []
    other = Artifact(made.stage, "other", 1, {})
    again = run.STAGES[made.stage]
    counted = replace(again, run=lambda job: computed.append(job) or again.run(job))
    monkeypatch.setitem(run.STAGES, made.stage, counted)
    publish(store, made)
    store.location(made).chmod(0o000)

    def work() -> None:
        assert state(made, store) == "damaged" and status_lines(plan, store)
        (line,) = set_aside_damaged([made, other], store)
        assert made.path in line and "may not be entered" in line and "cannot be set aside" in line
        lines, bad = fsck_lines(store)
        assert bad == 1 and "may not be entered" in lines[1] and "cannot be set aside" in lines[2]
        # Said before anything is computed.
        with pytest.raises(StoreError, match=r"cannot be set aside"):
            make(made, store, log=quiet)
        assert computed == []

    as_user_4001(work)
    # In a store of their group it can be moved out of the way.
    for folder in (store.root, store.location(made).parent, store.root / ".work"):
        folder.mkdir(exist_ok=True)
        os.chown(folder, -1, 5000)
        folder.chmod(0o2775)
    as_user(4001, [5000], 0o022, lambda: _made(made, store))


def _made(made: Artifact, store: Store) -> None:
    assert make(made, store, log=quiet) and store.problems_of(made) == []


@needs_root
def test_a_stage_that_may_not_be_entered_is_named(open_path, plan, made):
    store = Store(open_path / "store")
    publish(store, made)
    store.location(made).parent.chmod(0o000)

    def work() -> None:
        lines, bad = fsck_lines(store)
        assert bad == 1 and f"{store.root / made.stage}: cannot be read" in lines[0]
        assert state(made, store) == "damaged" and status_lines(plan, store) and time_lines(plan, store)
        assert list(store.folders()) == []
        (line,) = set_aside_damaged([made], store)
        assert "may not be entered" in line
        with pytest.raises(StoreError, match="cannot be set aside"):
            make(made, store, log=quiet)

    as_user_4001(work)


def test_what_may_not_be_entered_where_nobody_is_root(tmp_path, plan, made, monkeypatch):
    """The same without another user, as far as refusals can be pretended."""
    store = Store(tmp_path)
    folder = publish(store, made)
    lstat = Path.lstat

    def refused(path):
        if folder in path.parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return lstat(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", refused)
        assert not is_published(folder) and not store.exists(made)
        assert state(made, store) == "damaged" and status_lines(plan, store)
        assert "may not be entered" in (store.obstacle(made) or "")
    lines, bad = fsck_lines(store)
    assert bad == 0, lines


def test_an_upstream_that_does_not_answer_is_one_message(tmp_path, made, monkeypatch):
    folder = publish(Store(tmp_path / "lab"), made)
    store = Store(tmp_path / "mine", [tmp_path / "lab"])
    lstat, fstat = Path.lstat, os.fstat

    def hanging(path):
        if folder in path.parents:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return lstat(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "lstat", hanging)
        assert state(made, store) == "cannot be read"
        with pytest.raises(StoreError, match="Input/output error"):
            make(made, store, log=quiet)

    def failing(number):
        if Path(f"/proc/self/fd/{number}").resolve() == folder / "a":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return fstat(number)

    monkeypatch.setattr(os, "fstat", failing)
    with pytest.raises(StoreError, match=r"cannot be copied .*Input/output error"):
        store.copy_from_upstream(made)
    assert not store.own_location(made).exists()


@pytest.mark.parametrize("look", ["status", "all"])
def test_leases_that_cannot_be_read_do_not_stop_status(tmp_path, plan, monkeypatch, look):
    store = Store(tmp_path)
    work = tmp_path / ".work" / "train"
    work.mkdir(parents=True)
    listed = Path.iterdir

    def refused(path):
        if path == work:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    if look == "status":
        assert any("unknown" in line and "cannot be read" in line for line in status_lines(plan, store))
    else:  # who removes things must know
        with pytest.raises(StoreError, match="cannot be read"):
            list(store.all_leases())


STAGES_PLACES = {
    a_file: "is no folder",
    dangling: "is a link to no folder",
    a_circle: "is a link to no folder",
}


@pytest.mark.parametrize("kind", STAGES_PLACES, ids=lambda kind: kind.__name__)
def test_what_is_no_folder_in_the_place_of_a_stage_is_named(tmp_path, plan, made, kind):
    store = Store(tmp_path / "store")
    stage = publish(store, made).parent
    kind(stage)
    lines, bad = fsck_lines(store)
    assert bad == 1 and lines[0].startswith(f"{stage}: {STAGES_PLACES[kind]}") and "1 that cannot" in lines[1]
    assert state(made, store) == "damaged" and status_lines(plan, store) and time_lines(plan, store)
    assert "state: damaged" in why_lines(plan, store, made.path)
    assert not store.exists(made) and list(store.folders()) == []
    (line,) = set_aside_damaged([made], store)
    assert "cannot be set aside" in line
    with pytest.raises(StoreError, match="cannot be set aside"):
        make(made, store, log=quiet)
    with pytest.raises(StoreError, match=STAGES_PLACES[kind]), store.publishing(made):
        pass
    assert os.path.lexists(stage)  # a disk may only not be mounted
    stage.unlink()
    assert make(made, store, log=quiet) and store.problems_of(made) == []


@pytest.mark.parametrize("kind", STAGES_PLACES, ids=lambda kind: kind.__name__)
def test_a_store_that_is_no_folder_is_named(tmp_path, made, kind):
    (tmp_path / "store").mkdir()
    kind(tmp_path / "store")
    store = Store(tmp_path / "store")
    assert not store.exists(made) and state(made, store) in {"damaged", "missing"}
    with pytest.raises(StoreError, match="no folder"), store.publishing(made):
        pass
    with pytest.raises(StoreError, match="no store here"):
        fsck_lines(store)
