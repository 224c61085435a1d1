"""Removing what no study needs: what goes, and everything that must never."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from rlv.cli import main
from rlv.errors import StoreError
from rlv.store import Artifact, Store, garbage, processes
from rlv.store.garbage import ABANDONED, find_garbage, gc_lines, remove, work_at
from rlv.store.leasing import Timing
from tests.store.working import Working
from tests.unsealed import unseal

FORK = multiprocessing.get_context("fork")


def artifact(x: int, inputs: dict[str, Artifact] | None = None) -> Artifact:
    return Artifact("stage", "thing", 1, {"x": x}, inputs or {})


def publish(store: Store, made: Artifact, size: int = 100) -> None:
    with store.publishing(made) as publication:
        (publication.path / "sub").mkdir()
        (publication.path / "sub" / "a.txt").write_text("x" * size)


def places(store: Store, *needed: Artifact, older_than: float = 0.0) -> set[str]:
    garbage = find_garbage(store, {a.path for a in needed}, older_than)
    return {str(item.place.relative_to(store.root)) for item in garbage.items}


def everything(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*")}


@pytest.fixture
def store(tmp_path):
    """Four artifacts with all that a store has beside them."""
    store = Store(tmp_path / "store")
    for x in range(4):
        publish(store, artifact(x))
    return store


def test_what_no_study_needs_goes_and_all_else_stays(store):
    kept = {str(store.location(artifact(x)).relative_to(store.root)) for x in (0, 2)}
    before = everything(store.root)
    lines = gc_lines(store, kept, yes=False, older_than=0)
    assert everything(store.root) == before  # said, not done
    size = sum(
        p.stat().st_size for x in (1, 3) for p in store.location(artifact(x)).rglob("*") if p.is_file()
    )
    assert f"2 can go: {size:,} bytes (--yes removes them)" in lines
    assert "may not write" in lines[-1]  # the store is one that others can read, and no more
    assert gc_lines(store, kept, yes=True, older_than=0)[-1] == f"removed 2 of 2: {size:,} bytes"
    assert {str(f.relative_to(store.root)) for f in store.folders()} == kept
    assert everything(store.root) == {p for p in before if not any(artifact(x).path in p for x in (1, 3))}
    assert all(store.problems_of(artifact(x)) == [] for x in (0, 2))
    assert places(store, artifact(0), artifact(2)) == set()


def test_what_is_young_stays(store):
    garbage = find_garbage(store, [], 60.0)
    assert garbage.items == () and garbage.young == 4


def test_upstreams_and_what_is_no_artifact_are_left_alone(tmp_path, store):
    upstream = Store(tmp_path / "store" / "lab")  # even inside of the store
    publish(upstream, artifact(9))
    own = Store(store.root, [upstream.root])
    (store.root / "stage" / "notes").mkdir()
    (store.root / "stage" / "notes" / "mine.txt").write_text("mine")
    (store.root / "stage" / "thing-0123456789ab").mkdir()
    (store.root / "stage" / "thing-0123456789ab" / "mine.txt").write_text("mine")
    # Somebody else's place in the guise of one of ours.
    (tmp_path / "elsewhere").mkdir()
    (store.root / "stage" / "link-0123456789ab").symlink_to(tmp_path / "elsewhere")
    store.manifest_path(artifact(3)).chmod(0o644)
    store.manifest_path(artifact(3)).write_text("{}")  # for fsck
    assert places(own) == {artifact(x).path for x in (0, 1, 2)}


def test_leftovers_go_and_what_is_still_needed_of_them_stays(store):
    needed, gone, done = artifact(10), artifact(11), artifact(0)
    work = store.root / ".work" / "stage"
    for made in (needed, gone, done):
        with pytest.raises(KeyError), store.leasing(made, lambda line: None), store.working(made) as place:
            place.mkdir()
            (place / "checkpoint").write_text("half way")
            raise KeyError
    # Published while its checkpoints stayed: its process was killed in between.
    draft = store.root / "stage" / f".draft-{gone.directory}-3f2a9c1b4d5e-1-abcdef01"
    draft.mkdir()
    (store.root / "stage" / f".trash-{gone.directory}-abcdef01").mkdir()
    (work / f".{gone.directory}-0123456789abcdef").write_text("{}")
    unseal(store.location(artifact(3))).joinpath("sub", "a.txt").write_text("other")
    store.set_aside(artifact(3))
    (store.root / "stage" / "model-0123456789ab").mkdir()  # the workflow manager's, empty
    found = places(store, needed, *(artifact(x) for x in range(4)))
    expected = {f"stage/{draft.name}", f"stage/.trash-{gone.directory}-abcdef01", "stage/model-0123456789ab"}
    expected |= {f".work/stage/{made.directory}{end}" for made in (gone, done) for end in ("", ".lease-1")}
    expected.discard(f".work/stage/{done.directory}.lease-1")  # removed with the lease
    expected.add(f".work/stage/.{gone.directory}-0123456789abcdef")
    (aside,) = (store.root / ".damaged" / "stage").iterdir()
    assert found == {*expected, f".damaged/stage/{aside.name}"}
    for item in find_garbage(store, {needed.path, *(artifact(x).path for x in range(4))}, 0.0).items:
        assert remove(item)
    assert places(store, needed, *(artifact(x) for x in range(4))) == set()
    assert (work / needed.directory / "checkpoint").read_text() == "half way"


def test_nothing_goes_while_another_study_is_running(store):
    other = artifact(20, {"p": artifact(1)})
    with store.leasing(other, lambda line: None), store.publishing(other) as publication:
        listed = {artifact(0).path}
        lines = gc_lines(store, listed, yes=False, older_than=0)
        assert other.path in lines[-1] and "not listed" in lines[-1]
        before = everything(store.root)
        with pytest.raises(StoreError, match=f"not listed is running(.|\n)*{other.path}"):
            gc_lines(store, listed, yes=True, older_than=0)
        assert everything(store.root) == before
        # Listed, its draft and its inputs stay, however old they are.
        gc_lines(store, {other.path, artifact(1).path}, yes=True, older_than=0)
        assert publication.path.is_dir() and store.exists(artifact(1)) and not store.exists(artifact(0))
        (publication.path / "a.txt").write_text("a")
    assert store.problems_of(other) == []


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("where", ["here", "in another store"])
def test_a_study_that_starts_meanwhile_keeps_its_inputs(tmp_path, store, monkeypatch, listed, where):
    child = artifact(20, {"p": artifact(2), "q": artifact(3)})
    elsewhere = store if where == "here" else Store(tmp_path / "mine", [store.root])
    keep = {child.path} if listed else set()
    order = [item.target for item in find_garbage(store, keep, 0.0).items]
    first = next(path for path in order if path not in (artifact(2).path, artifact(3).path))
    started: list[Working] = []

    def then_one_starts(item, *arguments):
        done = remove(item, *arguments)
        if not started:
            started.append(Working(elsewhere, child))
        return done

    # The first to go is one that the child does not read.
    found = find_garbage(store, keep, 0.0)
    items = sorted(found.items, key=lambda item: item.target != first)
    monkeypatch.setattr(garbage, "find_garbage", lambda *_: garbage.Garbage(tuple(items), 0, ()))
    monkeypatch.setattr(garbage, "remove", then_one_starts)
    if listed:
        lines = gc_lines(store, keep, yes=True, older_than=0)
        assert sum(line.startswith("in use since") for line in lines) == 2
        assert lines[-1].startswith("removed 2 of 4: ")
        assert not store.exists(artifact(0)) and not store.exists(artifact(1))
    else:
        with pytest.raises(StoreError, match=f"1 of 4 were removed(.|\n)*{child.path}"):
            gc_lines(store, keep, yes=True, older_than=0)
        assert len(list(store.folders())) == 3
    started[0].end()
    assert store.problems_of(artifact(2)) == store.problems_of(artifact(3)) == []


@pytest.mark.parametrize("needed", ["as an input", "itself", "by who knows"])
def test_who_takes_a_lease_after_the_last_look_gets_its_artifact_back(store, needed):
    child = artifact(20, {"p": artifact(1)} if needed == "as an input" else {})
    (item,) = (i for i in find_garbage(store, [], 0.0).items if i.target == artifact(1).path)
    started: list[Working] = []

    def taken(item):
        assert not store.exists(artifact(1))
        started.append(Working(store, artifact(1) if needed == "itself" else child))
        return garbage._taken(store, set() if needed == "by who knows" else {child.path}, item)

    def unasked(item):
        raise StoreError("cannot be written")

    with pytest.raises(StoreError):
        remove(item, unasked)
    assert store.exists(artifact(1))
    assert not remove(item, taken)
    assert store.problems_of(artifact(1)) == []
    started[0].end()
    assert not [p for p in (store.root / "stage").iterdir() if p.name.startswith(".")]
    assert remove(item, lambda item: False) and not store.exists(artifact(1))


def test_who_takes_a_lease_after_the_last_look_gets_its_checkpoints_back(store):
    training = artifact(30)
    checkpoint = store.root / ".work" / training.path / "checkpoints" / "latest"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("step-005000")
    (item,) = (i for i in find_garbage(store, [], 0.0).items if i.target == training.path)
    started: list[Working] = []

    def taken(item):
        started.append(Working(store, training))
        return garbage._taken(store, set(), item)

    assert not remove(item, taken)
    assert checkpoint.read_text() == "step-005000"
    started[0].end()
    assert remove(item, lambda item: False) and not checkpoint.exists()


def test_what_a_job_of_another_store_reads_stays(tmp_path, store):
    mine = Store(tmp_path / "mine", [store.root], timing=Timing(heartbeat=0.05))
    publish(mine, artifact(3))  # its own one: nothing to do with the upstream's
    child = artifact(20, {"p": artifact(1), "q": artifact(1), "r": artifact(3)})
    before = everything(store.root)
    job = Working(mine, child)
    (mark,) = work_at(store, []).strangers
    assert everything(store.root) - before == {
        ".work",
        ".work/.readers",
        f".work/.readers/{mark.path.name}",
    }
    assert mark.content["inputs"] == [artifact(1).path] and mark.content["for"] == child.path
    assert list(store.all_leases()) == []  # nobody computes anything here
    with pytest.raises(StoreError, match=f"not listed(.|\n)*{child.path}.* for {mine.root}, from here"):
        gc_lines(store, {artifact(0).path}, yes=True, older_than=0)
    assert "not now" in gc_lines(store, {artifact(0).path}, yes=False, older_than=0)[-1]
    assert len(list(store.folders())) == 4
    # It is renewed as a lease is.
    deadline = time.monotonic() + 60
    while mark.path.stat().st_mtime_ns == mark.touched:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    gc_lines(store, {child.path}, yes=True, older_than=0)
    assert {str(f.relative_to(store.root)) for f in store.folders()} == {artifact(1).path}
    assert mark.path.exists()
    job.end()
    assert list((store.root / ".work" / ".readers").iterdir()) == []
    gc_lines(store, {child.path}, yes=True, older_than=0)
    assert list(store.folders()) == []


def test_a_reader_that_was_killed_holds_nothing(tmp_path, store):
    job = Working(Store(tmp_path / "mine", [store.root]), artifact(20, {"p": artifact(1)}))
    job.kill()
    (mark,) = (store.root / ".work" / ".readers").iterdir()
    assert work_at(store, []).strangers == ()
    gc_lines(store, [], yes=True, older_than=0)
    assert list(store.folders()) == [] and not mark.exists()


@pytest.mark.parametrize("dead", ["released", "process gone", "untouched for long"])
def test_a_dead_lease_forbids_nothing(store, dead, monkeypatch):
    other = artifact(20)

    def lease() -> None:
        if dead == "untouched for long":
            monkeypatch.setattr(processes, "_machine", lambda: {"host": "n1", "boot": "n1", "pids": "n1"})
        with Store(store.root, timing=Timing(heartbeat=60)).leasing(other, lambda line: None):
            if dead != "released":
                os._exit(0)

    process = FORK.Process(target=lease)
    process.start()
    process.join()
    found = store.lease_of(other)
    assert found is not None
    if dead == "untouched for long":
        assert find_garbage(store, [], 0.0).strangers
        long_ago = time.time() - ABANDONED - 60
        os.utime(found.path, (long_ago, long_ago))
    assert not find_garbage(store, [], 0.0).strangers
    gc_lines(store, [], yes=True, older_than=0)
    assert not found.path.exists() and list(store.folders()) == []


def test_one_who_reads_meanwhile_finds_all_or_nothing(tmp_path):
    store = Store(tmp_path)
    seen = FORK.Value("i", 0)

    def reader() -> None:
        while True:
            folder = store.location(artifact(1))
            if not (folder / "manifest.json").exists():
                break
            try:
                with open(folder / "manifest.json"), open(folder / "sub" / "a.txt") as handle:
                    assert handle.read() == "x" * 1000
            except FileNotFoundError:
                # Then the folder is gone as a whole.
                assert not folder.exists()
                break
            seen.value += 1

    publish(store, artifact(1), 1000)
    process = FORK.Process(target=reader)
    process.start()
    while seen.value < 10:
        time.sleep(0.001)
    gc_lines(store, [], yes=True, older_than=0)
    process.join()
    assert process.exitcode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="changes between users, which only root can")
def test_what_belongs_to_others_is_said_and_stays(open_path):
    store = Store(open_path / "store")
    publish(store, artifact(1))
    for path in [store.location(artifact(1)), *store.location(artifact(1)).rglob("*")]:
        os.chown(path, 4001, -1)
    for folder in (store.root, store.root / "stage"):
        folder.chmod(0o777)

    def second() -> None:
        os.setgroups([])
        os.setgid(4002)
        os.setuid(4002)
        lines = gc_lines(store, [], yes=True, older_than=0)
        assert lines[0] == "removed 0 of 0: 0 bytes" and "1 of 4001 can go" in lines[1]

    process = FORK.Process(target=second)
    process.start()
    process.join()
    assert process.exitcode == 0 and store.exists(artifact(1))


def test_the_command_asks_for_studies_and_says_before_it_does(tmp_path, capsys):
    where = ["--store", str(tmp_path), "--upstream", ""]
    assert main(["gc", *where]) == 1
    assert "name the studies" in capsys.readouterr().err
    assert main(["gc", "smoke", "--older-than", "nan", *where]) == 1
    assert main(["gc", "no-such-study", *where]) == 1
    capsys.readouterr()
    publish(Store(tmp_path), artifact(1))
    assert main(["gc", "smoke", "--older-than", "0", *where]) == 0
    assert artifact(1).path in capsys.readouterr().out and Store(tmp_path).exists(artifact(1))
    assert main(["gc", "smoke", "--yes", *where]) == 0  # younger than a day
    assert Store(tmp_path).exists(artifact(1))
    assert main(["gc", "smoke", "--older-than", "0", "--yes", *where]) == 0
    assert not Store(tmp_path).exists(artifact(1))


@pytest.mark.parametrize("hours", [-2, 2, 24 * 365])
def test_clocks_of_this_machine_and_of_the_server_are_not_compared(tmp_path, monkeypatch, hours):
    """What was published just now is young, whatever this machine takes the time for."""
    store = Store(tmp_path)
    publish(store, artifact(1))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    for older_than in (3600.0, 24 * 3600.0):
        assert gc_lines(store, set(), yes=True, older_than=older_than)[0].startswith("removed 0 of 0")
    assert store.problems_of(artifact(1)) == []


def test_what_comes_from_a_server_that_is_ahead_is_young(tmp_path):
    store = Store(tmp_path)
    publish(store, artifact(1))
    folder = store.location(artifact(1))
    ahead = time.time() + 2 * 3600
    for path in (folder, folder / "manifest.json"):
        os.utime(path, (ahead, ahead))
    for older_than in (0.0, 24 * 3600.0):
        assert gc_lines(store, set(), yes=True, older_than=older_than)[0].startswith("removed 0 of 0")
    assert store.problems_of(artifact(1)) == store.problems_of(artifact(1), quick=True) == []
