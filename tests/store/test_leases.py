"""Leases: whoever races, dies, sleeps or fails, at most one process computes a key, and somebody does."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlv.errors import StoppedError, StoreError
from rlv.store import Artifact, Store, leasing, processes
from rlv.store.leases import Lease
from rlv.store.leasing import Timing

FAST = Timing(heartbeat=0.05, expiry=1.0, poll=0.02)
FORK = multiprocessing.get_context("fork")
QUIET: Callable[[str], None] = lambda line: None  # noqa: E731


def artifact(x: int = 1) -> Artifact:
    return Artifact("stage", "thing", 1, {"x": x})


def start(target: Callable[..., Any], *arguments: Any) -> Any:
    process = FORK.Process(target=target, args=arguments)
    process.start()
    return process


def until(condition: Callable[[], Any]) -> Any:
    """What a condition says as soon as it is true; fails where it never is."""
    for _ in range(3000):
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("never happened")


def elsewhere(host: str) -> None:
    """Make this process one of another machine."""
    processes._machine = lambda: {"host": host, "boot": host, "pids": host}
    socket.gethostname = lambda: host


def compute(root: Path, made: Artifact, referee: Path, seconds: float = 0.0, who: str = "") -> bool:
    """What `rlv make` does; a lock that the system releases with the process sees two computing at once."""
    store = Store(root, timing=FAST)
    while not store.exists(made):
        with store.leasing(made, QUIET) as ours:
            if not ours:
                continue
            with open(referee, "a") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                handle.write(f"{os.getpid()}\n")
                handle.flush()
                time.sleep(seconds)
                with store.publishing(made) as publication:
                    (publication.path / "by.txt").write_text(who)
            return publication.won
    return False


def _many(root: Path, number: int, keys: int) -> None:
    for x in random.Random(number).sample(range(keys), keys):
        compute(root, artifact(x), root.parent / f"referee-{x}", 0.002)


def test_many_processes_compute_each_key_once(tmp_path):
    keys = 12
    (tmp_path / "store").mkdir()
    workers = [start(_many, tmp_path / "store", number, keys) for number in range(8)]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    store = Store(tmp_path / "store")
    for x in range(keys):
        assert store.exists(artifact(x))
        assert len((tmp_path / f"referee-{x}").read_text().split()) == 1
    assert list(store.all_leases()) == []
    assert [p.name for p in (tmp_path / "store" / ".work" / "stage").iterdir()] == []


def test_workers_killed_at_random_are_followed_by_one_other(tmp_path):
    keys, rng = 6, random.Random(0)
    (tmp_path / "store").mkdir()

    def work(number: int) -> None:
        for x in random.Random(number).sample(range(keys), keys):
            compute(tmp_path / "store", artifact(x), tmp_path / f"referee-{x}", 0.03)

    workers = [start(work, number) for number in range(5)]
    for number in range(5, 25):
        time.sleep(0.02)
        victim = rng.randrange(len(workers))
        workers[victim].kill()
        workers[victim].join()
        workers[victim] = start(work, number)
    for worker in workers:
        worker.join()
    # The lock of the referee is never waited for: who meets another there fails.
    assert [worker.exitcode for worker in workers] == [0] * 5
    store = Store(tmp_path / "store")
    assert all(store.problems_of(artifact(x)) == [] for x in range(keys))
    # One that was killed after publishing has left its lease.
    assert all(lease.gone() for lease in store.all_leases())


def _as_other(host: str, root: Path, referee: Path, seconds: float) -> None:
    elsewhere(host)
    compute(root, artifact(), referee, seconds, who=host)


def test_another_machines_living_lease_is_waited_for_and_its_dead_one_expires(tmp_path):
    root, lines = tmp_path / "store", []
    store = Store(root, timing=FAST)
    other = start(_as_other, "other", root, tmp_path / "referee", 3 * FAST.expiry)
    until(lambda: store.lease_of(artifact()))
    with store.leasing(artifact(), lines.append) as ours:
        assert not ours  # it went on for several times the expiry, and published
    assert len(lines) == 1 and "on other" in lines[0] and f"process {other.pid}" in lines[0]
    assert store.open(artifact(), "by.txt").read_text() == "other"
    other.join()

    store = Store(tmp_path / "second", timing=FAST)
    other = start(_as_other, "other", store.root, tmp_path / "referee", 60.0)
    lease = until(lambda: store.lease_of(artifact()))
    other.kill()
    other.join()
    assert not lease.gone()  # nobody here can see its process
    with store.leasing(artifact(), lines.append) as ours:
        assert ours
        mine = store.lease_of(artifact())
        assert mine is not None and mine.generation == lease.generation + 1
    assert "no sign of life for 1 s" in lines[-1]


def _lease_for_ever(root: Path, timing: Timing) -> None:
    with Store(root, timing=timing).leasing(artifact(), QUIET):
        time.sleep(60)


def test_a_process_that_ended_on_this_machine_is_not_waited_for(tmp_path):
    patient = Timing(heartbeat=60, expiry=1e6, poll=0.02)
    other = start(_lease_for_ever, tmp_path, patient)
    until(lambda: Store(tmp_path).lease_of(artifact()))
    other.kill()
    other.join()
    lines: list[str] = []
    with Store(tmp_path, timing=patient).leasing(artifact(), lines.append) as ours:
        assert ours
    assert "its process has ended" in lines[-1]


def test_what_was_published_just_before_we_took_the_lease_is_not_ours(tmp_path):
    answers = iter([False, True, True])
    about: dict[str, Any] = {}
    place = tmp_path / ".work" / "stage" / artifact().directory
    with leasing.leasing(
        place, tmp_path, published=lambda: next(answers), about=about, timing=FAST, log=QUIET
    ) as ours:
        assert not ours
    assert list(place.parent.iterdir()) == []


def test_one_of_many_takes_over_what_a_machine_left(tmp_path):
    root = tmp_path / "store"
    other = start(_as_other, "other", root, tmp_path / "first", 60.0)
    until(lambda: Store(root).lease_of(artifact()))
    other.kill()
    other.join()
    takers = [start(_as_other, f"n{i}", root, tmp_path / "referee", 0.1) for i in range(10)]
    for taker in takers:
        taker.join()
    assert [taker.exitcode for taker in takers] == [0] * 10
    assert len((tmp_path / "referee").read_text().split()) == 1
    assert list(Store(root).all_leases()) == []


def _sleeper(root: Path, marker: Path) -> None:
    store = Store(root, timing=FAST)
    with store.leasing(artifact(), QUIET) as ours, store.working(artifact()) as work:
        assert ours
        work.mkdir()
        marker.touch()
        time.sleep(60)
        (work / "spoilt").touch()


def test_who_was_suspended_for_too_long_ends_when_it_wakes_up(tmp_path, capfd):
    store = Store(tmp_path / "store", timing=FAST)
    sleeper = start(_sleeper, store.root, tmp_path / "marker")
    until((tmp_path / "marker").exists)
    os.kill(sleeper.pid, signal.SIGSTOP)
    with store.leasing(artifact(), QUIET) as ours:
        assert ours
        os.kill(sleeper.pid, signal.SIGCONT)
        sleeper.join()
        assert sleeper.exitcode == StoppedError.status
        lease = store.lease_of(artifact())
        assert lease is not None and lease.content["pid"] == os.getpid()  # still ours
    assert "stage/thing" in (said := capfd.readouterr().err) and "taken over" in said


def _taker(root: Path, taken: Path) -> None:
    timing = Timing(heartbeat=FAST.heartbeat, expiry=2.0, poll=FAST.poll)
    with Store(root, timing=timing).leasing(artifact(), QUIET):
        taken.touch()


def test_where_owner_and_waiter_stood_still_together_nobody_takes_over(tmp_path):
    # As when the file system of both hangs: to the waiter this long time is none without a sign of life.
    root = tmp_path / "store"
    owner = start(_as_other, "other", root, tmp_path / "referee", 6.0)
    until(lambda: Store(root).lease_of(artifact()))
    waiter = start(_taker, root, tmp_path / "taken")
    time.sleep(0.5)
    for process in (owner, waiter):
        os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(waiter.pid, signal.SIGCONT)
    time.sleep(0.3)
    os.kill(owner.pid, signal.SIGCONT)
    time.sleep(0.5)
    assert not (tmp_path / "taken").exists()
    owner.join()
    waiter.join()
    assert owner.exitcode == 0 and Store(root).open(artifact(), "by.txt").read_text() == "other"


@pytest.mark.parametrize("error", [OSError("stale"), StoreError("cannot be read")])
def test_a_store_that_does_not_answer_for_a_while_does_not_end_the_heartbeat(tmp_path, monkeypatch, error):
    store, real, silent = Store(tmp_path, timing=FAST), leasing.lease_of, threading.Event()

    def failing(place):
        if threading.current_thread().name == "lease" and not silent.is_set():
            silent.set()
            raise error
        return real(place)

    monkeypatch.setattr(leasing, "lease_of", failing)
    with store.leasing(artifact(), QUIET):
        assert silent.wait(10)
        first = store.lease_of(artifact())
        assert first is not None
        until(lambda: (now := store.lease_of(artifact())) is not None and now.touched > first.touched)


def test_who_publishes_though_another_took_over_leaves_the_others_lease(tmp_path):
    # Woken up, it publishes before it looks: the other finds that out by itself.
    store = Store(tmp_path, timing=Timing(heartbeat=60))
    with store.leasing(artifact(), QUIET):
        assert leasing._next(store._work(artifact()), 2, {}, FAST) is not None
        with store.publishing(artifact()):
            pass
    lease = store.lease_of(artifact())
    assert lease is not None and lease.generation == 2


def test_a_failure_frees_the_key_and_says_what_it_was(tmp_path):
    store = Store(tmp_path, timing=FAST)
    for generation in (1, 2, 3):
        with pytest.raises(ValueError), store.leasing(artifact(), QUIET) as ours:
            assert ours
            lease = store.lease_of(artifact())
            assert lease is not None and lease.generation == generation and not lease.released
            raise ValueError(f"try {generation}\nmore")
        lease = store.lease_of(artifact())
        assert lease is not None and lease.released and lease.content["error"] == f"try {generation}"
    assert len(list((tmp_path / ".work" / "stage").iterdir())) == 1  # the last one only


def test_a_number_in_the_past_cannot_be_taken(tmp_path):
    # Who looked before others took leases and failed would take a number that is free again.
    store = Store(tmp_path, timing=FAST)
    for _ in range(3):
        with store.leasing(artifact(), QUIET):
            pass
    place = store._work(artifact())
    before = sorted(place.parent.iterdir())
    for generation in (1, 2, 3):
        assert leasing._next(place, generation, {}, FAST) is None
    assert sorted(place.parent.iterdir()) == before


def test_a_number_used_by_a_later_process_is_not_the_one_that_died(tmp_path):
    store = Store(tmp_path, timing=Timing(heartbeat=60, expiry=1e6, poll=0.02))
    with store.leasing(artifact(), QUIET):
        lease = store.lease_of(artifact())
        assert lease is not None and not lease.gone()
        for change in ({"pid_started": lease.content["pid_started"] - 1}, {"pid": 2**22 - 1}):
            reused = Lease(lease.path, 1, {**lease.content, **change}, 0)
            assert reused.gone()
            for other in ("host", "boot", "pids"):
                far = Lease(lease.path, 1, {**reused.content, other: "other"}, 0)
                assert not far.gone()


def test_a_link_whose_answer_was_lost_is_ours(tmp_path, monkeypatch):
    link = os.link

    def lossy(source, target):
        link(source, target)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr(os, "link", lossy)
    with Store(tmp_path, timing=FAST).leasing(artifact(), QUIET) as ours:
        assert ours


FORGED = {"host": "h", "user": "u", "started": "now", "pid": 1}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "[" * 100_000),
        *(json.dumps(FORGED | {name: [1]}) for name in (*FORGED, "heartbeat", "inputs")),
        json.dumps(FORGED | {"pid": 2**70}),
    ],
)
def test_an_unreadable_lease_counts_until_it_expires(tmp_path, text):
    store, lines = Store(tmp_path, timing=FAST), []
    path = tmp_path / ".work" / "stage" / f"{artifact().directory}.lease-7"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with store.leasing(artifact(), lines.append) as ours:
        lease = store.lease_of(artifact())
        assert ours and lease is not None and lease.generation == 8
    assert "cannot be read" in lines[0] and "no sign of life" in lines[-1]


def test_a_lease_says_who_where_and_what_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    made = Artifact("other", "child", 1, {}, {"p": artifact(1), "q": artifact(2)})
    store = Store(tmp_path, timing=FAST)
    with store.leasing(made, QUIET):
        (lease,) = store.all_leases()
        assert lease.target == made.path and lease.content["key"] == made.key
        assert lease.content["inputs"] == sorted([artifact(1).path, artifact(2).path])
        for part in (socket.gethostname(), "SLURM job 4711", str(os.getpid())):
            assert part in lease.owner()
        assert json.loads(lease.path.read_text())["token"] == lease.content["token"]


def test_what_older_versions_left_counts(tmp_path):
    """They called a lease a claim."""
    store, lines = Store(tmp_path, timing=FAST), []
    with store.leasing(artifact(), QUIET):
        lease = store.lease_of(artifact())
        assert lease is not None
        older = lease.path.with_name(f"{artifact().directory}.claim-5")
        older.write_text(json.dumps(lease.content | {"pid": 2**22 - 1}))
    assert store.lease_of(artifact()) == next(store.all_leases())
    with store.leasing(artifact(), lines.append):
        mine = store.lease_of(artifact())
        assert mine is not None and mine.generation == 6 and not older.exists()
    assert "its process has ended" in lines[-1]


@pytest.mark.parametrize("said", ["0", "-1", "soon", "nan", "inf"])
def test_times_that_are_none_are_refused(tmp_path, monkeypatch, said):
    monkeypatch.setenv("RLV_LEASE_EXPIRY", said)
    with pytest.raises(StoreError, match=r"RLV_LEASE_EXPIRY.*seconds above 0"):
        Store(tmp_path).leasing(artifact(), QUIET)
