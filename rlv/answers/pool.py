"""Grading workers that may be killed, by themselves or by the system, and are replaced.

A ProcessPoolExecutor is broken for good when one of its processes dies; here a death costs one answer. The
workers are fresh interpreters (no fork, no import of the caller's main module), so the pool may live beside
torch and its threads. Their hash seed is fixed: sympy's order of arguments, and so the result, does not
change from run to run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Self

from rlv.answers.equivalence import Placement
from rlv.answers.worker import REFERENCE, Done, Job
from rlv.errors import RlvError

_COMMAND = "import sys; from rlv.answers.worker import main; main(*map(float, sys.argv[1:]))"
_PATIENCE = 3  # deaths that no answer explains, before giving up


@dataclass(frozen=True)
class Limits:
    """What one answer may cost. An answer beyond a limit is not read, and stands for its string."""

    seconds: float = 5.0  # wall clock, each answer
    problem_seconds: float = 60.0  # wall clock, all answers of a problem; the rest is not read
    megabytes: int = 1024  # address space of a worker, its libraries (some 70) included
    characters: int = 2000  # longer answers are not read

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.problem_seconds <= 0 or self.megabytes < 256 or self.characters < 1:
            raise RlvError(
                f"grading limits: found {self}; both seconds must be above 0, megabytes 256 or more, "
                "characters 1 or more"
            )


@dataclass(frozen=True)
class Result:
    """One job's placements, how many of its answers ended a worker, and for how many its time was over."""

    placements: list[Placement]
    timed_out: int
    killed: int
    unread: int


@dataclass
class _Task:
    number: int
    job: Job
    timed_out: int = 0
    killed: int = 0
    begun: float = 0.0  # when its worker began, by the monotonic clock


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Any  # a Connection; its type has another name on every system
    ready: bool = False
    task: _Task | None = None
    answer: int | None = None  # the index that it has begun with


@dataclass
class Pool:
    """At most `workers` processes, started when there is work for them. A context manager."""

    workers: int
    limits: Limits
    _processes: list[_Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise RlvError(f"grading workers: expected 1 or more, found {self.workers}")

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        """(index, result) of every job, in the order in which they end. Jobs begin in the given order.

        Raises RlvError if workers die without an answer that explains it.
        """
        waiting = deque(
            _Task(number, replace(job, seconds=min(job.seconds, self.limits.problem_seconds)))
            for number, job in enumerate(jobs)
        )
        unexplained = 0
        try:
            while waiting or any(w.task for w in self._processes):
                self._assign(waiting)
                busy = {w.connection: w for w in self._processes if w.task}
                for connection in wait(list(busy)):
                    worker = busy[connection]  # pyright: ignore[reportArgumentType]
                    assert worker.task is not None
                    try:
                        message = worker.connection.recv()
                    except (EOFError, ConnectionError):
                        unexplained = 0 if worker.answer is not None else unexplained + 1
                        waiting.appendleft(self._bury(worker, unexplained))
                        continue
                    if isinstance(message, Done):
                        task = worker.task
                        worker.task = worker.answer = None
                        if message.retires:
                            self._remove(worker)
                        yield (
                            task.number,
                            Result(message.placements, task.timed_out, task.killed, message.unread),
                        )
                    elif not worker.ready:
                        worker.ready = True
                    else:
                        if message == REFERENCE:
                            worker.task.begun = time.monotonic()
                        worker.answer = message
        finally:
            # Left early, by an error or by a caller that stopped listening: answers of this run must not
            # turn up in the next.
            for worker in [w for w in self._processes if w.task]:
                self._remove(worker)

    def close(self) -> None:
        """End all workers. The pool may be used again; it starts new ones."""
        for worker in list(self._processes):
            self._remove(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _assign(self, waiting: deque[_Task]) -> None:
        idle = [w for w in self._processes if w.task is None]
        while waiting and (idle or len(self._processes) < self.workers):
            worker = idle.pop() if idle else self._start()
            task = waiting.popleft()
            try:
                worker.connection.send(task.job)
            except ConnectionError:  # died while idle; the next one takes the job
                self._remove(worker)
                waiting.appendleft(task)
                continue
            worker.task = task

    def _start(self) -> _Worker:
        ours, theirs = Pipe()
        package_root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        arguments = [theirs.fileno(), self.limits.seconds, self.limits.megabytes]
        process = subprocess.Popen(
            # -c and not -m: under -m the worker's own classes would be pickled as __main__'s. -P: an
            # untidy working directory must not shadow the standard library.
            [sys.executable, "-P", "-c", _COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )
        theirs.close()
        worker = _Worker(process, ours)
        self._processes.append(worker)
        return worker

    def _bury(self, worker: _Worker, unexplained: int) -> _Task:
        """Remove a worker that died, and return its task without the answer that killed it."""
        task, answer = worker.task, worker.answer
        assert task is not None
        status = self._remove(worker)
        if answer is None:
            if unexplained >= _PATIENCE:
                raise RlvError(
                    f"grading: {unexplained} workers in a row ended with status {status} before they read an "
                    f"answer; their own message stands above; limits were {self.limits}"
                )
            return task
        if status == -signal.SIGALRM:
            task.timed_out += 1
        else:
            task.killed += 1
        # The next worker reads the other answers again: what this one took counts, or bombs take for ever.
        left = task.job.seconds - (time.monotonic() - task.begun)
        task.job = replace(task.job, hopeless=task.job.hopeless | {answer}, seconds=left)
        return task

    def _remove(self, worker: _Worker) -> int:
        """End a worker and return its exit status: that of its own death, if it is dead already."""
        self._processes.remove(worker)
        worker.connection.close()
        worker.process.kill()
        return worker.process.wait()
