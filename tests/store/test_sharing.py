"""A store used by several: upstreams, permissions, and `make` by many at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from rlv.errors import DamagedArtifactError
from rlv.job import Job, Stage
from rlv.run import make as run
from rlv.store import MANIFEST, Artifact, Store
from rlv.store.computed import computed
from rlv.store.folders import is_published
from rlv.store.leasing import Timing
from tests.manifests import how_made

FORK = multiprocessing.get_context("fork")
FAST = Timing(heartbeat=0.05, expiry=5.0, poll=0.02)


def artifact(x: int = 1, inputs: dict[str, Artifact] | None = None) -> Artifact:
    return Artifact("stage", "thing", 1, {"x": x}, inputs or {})


def publish(store: Store, made: Artifact, text: str = "content") -> None:
    with store.publishing(made) as publication:
        (publication.path / "sub").mkdir()
        (publication.path / "sub" / "a.txt").write_text(text)
        publication.facts.update(how_made())


def upset(path: Path, text: str) -> None:
    """Change a published file, as its owner can who means to."""
    path.chmod(0o644)
    path.write_text(text)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All of a folder: modes, times, bytes."""
    return {
        str(p): (p.stat().st_mode, p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"")
        for p in [folder, *folder.rglob("*")]
    }


@pytest.fixture
def stage(monkeypatch):
    """A stage that counts in its output how often it ran, and how."""

    def compute(job: Job) -> dict:
        (job.out / "out.txt").write_text(
            "".join(job.file(r, "out.txt").read_text() for r in job.artifact.inputs)
        )
        with open(job.out / "out.txt", "a") as handle:
            handle.write(f"{job.params['x']};")
        return {}

    monkeypatch.setitem(run.STAGES, "stage", Stage(1, compute, "making", 1, 1))


# ---- upstreams


def test_upstreams_are_read_and_never_written(tmp_path, stage):
    lab, old = Store(tmp_path / "lab"), Store(tmp_path / "old")
    parents = [artifact(1), artifact(2), artifact(3)]
    publish_out(lab, parents[0], "lab;")
    publish_out(old, parents[1], "old;")
    for upstream in (lab.root, old.root):
        (upstream / ".work" / ".readers").mkdir(parents=True)  # the one place for marks; they go again
    before = tree(lab.root), tree(old.root)
    mine = Store(tmp_path / "mine", [lab.root, old.root], timing=FAST)
    assert [mine.exists(a) for a in parents] == [True, True, False]
    assert mine.manifest_path(parents[0]) == lab.manifest_path(parents[0])
    assert mine.manifest_path(parents[2]) == mine.own_location(parents[2]) / MANIFEST
    run.make(parents[2], mine, log=print)
    child = artifact(9, {f"p{i}": p for i, p in enumerate(parents)})
    assert run.make(child, mine, log=print)
    assert mine.open(child, "out.txt").read_text() == "lab;old;3;9;"
    assert is_published(mine.own_location(child))
    for upstream, was in zip((lab.root, old.root), before, strict=True):
        now, marks = tree(upstream), str(upstream / ".work" / ".readers")
        assert now.pop(marks)[0] == was.pop(marks)[0] and now == was
    assert [line["path"] for line in computed(mine.root)] == [parents[2].path, child.path]


def publish_out(store: Store, made: Artifact, text: str) -> None:
    with store.publishing(made) as publication:
        (publication.path / "out.txt").write_text(text)


def test_the_own_store_comes_before_upstreams(tmp_path):
    lab, mine = Store(tmp_path / "lab"), Store(tmp_path / "mine", [tmp_path / "lab"])
    publish_out(lab, artifact(), "lab")
    publish_out(Store(tmp_path / "mine"), artifact(), "mine")
    assert mine.open(artifact(), "out.txt").read_text() == "mine"


@pytest.mark.parametrize("looked", ["quick", "opened"])
def test_what_is_damaged_in_an_upstream_is_made_in_the_own_store(tmp_path, stage, looked):
    lab = Store(tmp_path / "lab")
    publish_out(lab, artifact(), "1;")
    upset(lab.location(artifact()) / "out.txt", "2;")
    before = tree(lab.root)
    mine = Store(tmp_path / "mine", [lab.root], timing=FAST)
    if looked == "quick":
        (line,) = run.set_aside_damaged([artifact()], mine)
        assert "passed over" in line
    else:
        with pytest.raises(DamagedArtifactError, match="passed over"):
            mine.open(artifact(), "out.txt")
    # Another process knows it, too.
    other = Store(tmp_path / "mine", [lab.root], timing=FAST)
    assert not mine.exists(artifact()) and not other.exists(artifact())
    assert run.make(artifact(), other)
    assert mine.open(artifact(), "out.txt").read_text() == "1;"
    assert tree(lab.root) == before


def test_an_upstream_that_was_mended_is_read_again(tmp_path):
    lab, mine = Store(tmp_path / "lab"), Store(tmp_path / "mine", [tmp_path / "lab"])
    publish_out(lab, artifact(), "sound")
    upset(lab.location(artifact()) / "out.txt", "S0und")
    with pytest.raises(DamagedArtifactError):
        mine.open(artifact(), "out.txt")
    assert "set aside as" in lab.set_aside(artifact())
    publish_out(lab, artifact(), "sound")
    assert Store(tmp_path / "mine", [lab.root]).open(artifact(), "out.txt").read_text() == "sound"


def test_what_an_upstream_published_since_planning_is_copied(tmp_path, stage):
    lab = Store(tmp_path / "lab")
    publish(lab, artifact(), "x" * 1000)
    mine = Store(tmp_path / "mine", [lab.root], timing=FAST)
    assert not run.make(artifact(), mine)
    copy = mine.own_location(artifact()) / MANIFEST
    assert copy.read_bytes() == lab.manifest_path(artifact()).read_bytes()
    assert mine.problems_of(artifact()) == mine.problems_of(artifact(), quick=True) == []
    assert computed(mine.root) == []


# ---- making


def _make_all(root: Path, keys: int) -> None:
    for x in range(keys):
        run.make(artifact(x), Store(root, timing=FAST), log=lambda line: None)


def test_what_many_make_is_computed_and_logged_once(tmp_path, stage):
    makers = [FORK.Process(target=_make_all, args=(tmp_path, 10)) for _ in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0] * 6
    lines = computed(tmp_path)
    assert sorted(line["path"] for line in lines) == sorted(artifact(x).path for x in range(10))
    assert {line["host"] for line in lines} == {os.uname().nodename} and all(line["won"] for line in lines)


def test_what_was_computed_in_vain_is_logged_too(tmp_path, monkeypatch):
    """So that counting its lines would show a lease that keeps nobody off."""
    monkeypatch.setattr(Store, "leasing", lambda *arguments: nullcontext(True))
    ready = FORK.Barrier(3)

    def compute(job: Job) -> dict:
        ready.wait(30)
        (job.out / "x.txt").write_text("x")
        return {}

    monkeypatch.setitem(run.STAGES, "stage", Stage(1, compute, "making", 1, 1))
    makers = [FORK.Process(target=_make_all, args=(tmp_path, 1)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert sorted(line["won"] for line in computed(tmp_path)) == [False, False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_takes_lease_and_draft_with_it(tmp_path, number):
    script = textwrap.dedent(f"""
        import signal, sys, time
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # not as where the tests were started with nohup
        from rlv.run import make as run
        from rlv.errors import RlvError
        from rlv.job import Stage
        from rlv.store import MANIFEST, Artifact, Store

        def compute(job):
            (job.out / "half.txt").write_text("half")
            print("computing", flush=True)
            try:
                time.sleep(60)
            except Exception:
                print("swallowed")
        run.STAGES["stage"] = Stage(1, compute, "making", 1, 1)
        try:
            thing = Artifact("stage", "thing", 1, {{"x": 1}})
            run.make(thing, Store({str(tmp_path)!r}), log=lambda line: None)
        except RlvError as error:
            print(error)
            sys.exit(error.status)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "computing\n"
    process.send_signal(number)
    said = process.stdout.read()
    assert process.wait() == 75 and f"stopped by {signal.Signals(number).name}" in said
    store = Store(tmp_path)
    assert list((tmp_path / "stage").iterdir()) == []
    lease = store.lease_of(artifact())
    assert lease is not None and lease.released


# ---- permissions


def modes(folder: Path) -> set[str]:
    return {f"{stat.S_IMODE(p.stat().st_mode):o}" for p in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize(
    ("root", "umask", "files", "folders"),
    [(0o755, 0o022, 0o444, 0o555), (0o700, 0o077, 0o400, 0o500), (0o750, 0o022, 0o440, 0o550)],
)
def test_what_is_published_is_read_only(tmp_path, root, umask, files, folders):
    place = tmp_path / "store"
    place.mkdir()
    place.chmod(root)
    before = os.umask(umask)
    try:
        publish(Store(place), artifact())
    finally:
        os.umask(before)
    assert modes(Store(place).location(artifact())) == {f"{files:o}", f"{folders:o}"}


def test_a_linked_file_of_a_cache_is_not_opened_to_more_readers(tmp_path):
    (tmp_path / "blob").write_text("weights")
    (tmp_path / "blob").chmod(0o600)
    (tmp_path / "store").mkdir()
    store = Store(tmp_path / "store")
    with store.publishing(artifact()) as publication:
        os.link(tmp_path / "blob", publication.path / "model")
    assert stat.S_IMODE((tmp_path / "blob").stat().st_mode) == 0o400
    assert stat.S_IMODE((store.location(artifact()) / "model").stat().st_mode) == 0o444
    assert store.problems_of(artifact()) == []


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes between users, which only root can")


def user_process(uid: int, gids: list[int], umask: int, work) -> multiprocessing.process.BaseProcess:
    """Do something as another user, in a process of its own; it ends with 0 where nothing was raised."""

    def child() -> None:
        os.setgroups(gids)
        os.setgid(uid)
        os.setuid(uid)
        os.umask(umask)
        work()

    process = FORK.Process(target=child)
    process.start()
    return process


def as_user(uid: int, gids: list[int], umask: int, work) -> None:
    """Do something as another user and wait for it; fails where it raises."""
    process = user_process(uid, gids, umask, work)
    process.join()
    assert process.exitcode == 0


@pytest.fixture
def group_store(open_path):
    """A store of the group 5000."""
    root = open_path / "store"
    root.mkdir()
    os.chown(root, 4001, 5000)
    root.chmod(0o2770)
    return Store(root, timing=FAST)


@needs_root
def test_two_users_share_a_store_by_its_group(group_store, stage):
    store, children = group_store, [artifact(x, {"p": artifact(0)}) for x in (1, 2)]

    def first() -> None:
        run.make(artifact(0), store)
        with pytest.raises(PermissionError):
            (store.location(artifact(0)) / "new").touch()
        with pytest.raises(PermissionError):
            (store.location(artifact(0)) / "out.txt").write_text("other")
        with store.leasing(children[1]), store.working(children[1]) as work, store.group_umask():
            (work / "checkpoints").mkdir(parents=True)
            (work / "checkpoints" / "1").write_text("half way")
            os._exit(0)  # killed: the other goes on from there

    def second() -> None:
        assert store.problems_of(artifact(0)) == []
        run.make(children[0], store)
        with store.leasing(children[1]) as ours, store.working(children[1]) as work:
            assert ours
            (work / "checkpoints" / "1").unlink()
            run._compute(children[1], store, 1, print)
        assert not work.exists()

    as_user(4001, [5000], 0o077, first)
    as_user(4002, [5000], 0o022, second)
    for made in (artifact(0), *children):
        assert modes(store.location(made)) == {"440", "2550"}
        assert all(p.stat().st_gid == 5000 for p in store.location(made).rglob("*"))
    assert {line["path"] for line in computed(store.root)} == {a.path for a in (artifact(0), *children)}


@needs_root
def test_two_users_at_once_compute_each_key_once(group_store, stage):
    """Three processes of each, with umasks that let nobody in, over the same chain in different orders."""
    leaves = [artifact(x, {"p": artifact(0)}) for x in range(1, 9)]
    top = artifact(9, {f"p{i}": leaf for i, leaf in enumerate(leaves)})
    start = FORK.Barrier(6)

    def member(number: int) -> None:
        start.wait(60)
        run.make(artifact(0), group_store)
        for leaf in leaves[number:] + leaves[:number]:
            run.make(leaf, group_store)
        run.make(top, group_store)
        assert group_store.problems_of(top) == []

    processes = [
        user_process(4001 + number % 2, [5000], (0o077, 0o027)[number % 2], partial(member, number))
        for number in range(6)
    ]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    lines = computed(group_store.root)
    assert sorted(line["path"] for line in lines) == sorted(a.path for a in (artifact(0), *leaves, top))
    assert all(line["won"] for line in lines)
    # Else it was no race.
    assert {line["user"] for line in lines} == {"4001", "4002"}
    for made in (artifact(0), *leaves, top):
        assert modes(group_store.location(made)) == {"440", "2550"}
    assert not list(group_store.root.glob("*/.draft-*"))


@needs_root
def test_who_is_not_of_the_group_is_told_what_would_do(group_store):
    def stranger() -> None:
        with pytest.raises((PermissionError, DamagedArtifactError)):
            publish(group_store, artifact())

    as_user(4003, [], 0o022, stranger)
    store = Store(group_store.root)
    (store.root / "stage").mkdir(mode=0o755)
    store.root.chmod(0o2775)

    def second() -> None:
        with pytest.raises(Exception, match=r"cannot be written; .*stage belongs to root .*chmod g\+rwxs"):
            publish(store, artifact())

    as_user(4002, [5000], 0o022, second)


@needs_root
@pytest.mark.parametrize("user", [4001, 4002])
def test_damage_is_set_aside_by_its_owner_and_by_others(group_store, stage, user):
    as_user(4001, [5000], 0o022, lambda: run.make(artifact(), group_store) or None)
    upset(group_store.location(artifact()) / "out.txt", "other")

    def again() -> None:
        assert run.make(artifact(), group_store)
        assert group_store.open(artifact(), "out.txt").read_text() == "1;"

    as_user(user, [5000], 0o022, again)
    kept = [p for p in group_store.root.rglob("out.txt") if p.read_text() == "other"]
    assert len(kept) == 1 and any(part.startswith(".damaged") for part in kept[0].parts)
    assert len(list(group_store.folders())) == 1


@needs_root
def test_a_draft_that_came_second_leaves_nothing_though_it_is_sealed(group_store):
    def child() -> None:
        with group_store.publishing(artifact()) as late:
            publish(group_store, artifact())
        assert not late.won and not late.path.exists()
        assert [p.name for p in (group_store.root / "stage").iterdir()] == [artifact().directory]

    as_user(4001, [5000], 0o022, child)


def test_the_manifest_and_its_folder_move_together(tmp_path):
    # What a copy by hand leaves: writable, and as sound as before.
    store = Store(tmp_path / "store")
    publish(store, artifact())
    shutil.copytree(store.root, tmp_path / "copy")
    copy = Store(tmp_path / "copy")
    assert copy.problems_of(artifact()) == []
    assert json.loads(copy.manifest_path(artifact()).read_text())["key"] == artifact().key
