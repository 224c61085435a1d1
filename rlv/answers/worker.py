"""The loop of one grading worker, a process that pool.py starts.

Protocol on its connection: the worker says "ready"; then for each Job it says the index of every answer
as it begins with it (REFERENCE for the reference) and at last Done. So when a worker dies, the parent knows
on which answer. A worker that has grown beyond half of its memory says so with its Done and ends, so that no
answer is blamed for what earlier ones left in sympy's caches.

The time limit is a timer of the operating system whose signal, unhandled, ends the process: it stops C code
too, and a worker whose parent was killed. The memory limit is that of the address space; because sympy and
math-verify swallow MemoryError like any other, a worker that comes near it ends on its own.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rlv.answers.equivalence import Answer, Classes, Placement, equal, forget, read, same_typesetting

REFERENCE = -1
_NEAR, _GROWN = 0.8, 0.5  # fractions of the memory limit: an answer is to blame; the worker retires


@dataclass(frozen=True)
class Job:
    """The different answer strings of one problem, in order. `hopeless`: indices that ended a worker.

    `classes` false asks only whether each equals the reference.
    """

    reference: str
    answers: tuple[str, ...]
    classes: bool = True
    hopeless: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Done:
    placements: list[Placement]  # one an answer
    retires: bool


def run_job(job: Job, connection: Connection, seconds: float, limit: int) -> list[Placement]:
    """Place every answer of the job, with at most `seconds` for each reading and each comparison.

    Raises MemoryError at the first answer after which the process has held most of `limit` bytes.
    """

    def timed_read(text: str) -> Answer:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return read(text)

    def timed_equal(gold: Answer, answer: Answer) -> bool:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return equal(gold, answer)

    forget()
    connection.send(REFERENCE)
    unreadable = REFERENCE in job.hopeless
    reference = Answer(job.reference, unparsed="") if unreadable else timed_read(job.reference)
    classes = Classes(reference, timed_equal)
    placements = []
    for index, text in enumerate(job.answers):
        connection.send(index)
        if index in job.hopeless:
            placements.append(Placement(None, False))
            continue
        # What is typeset otherwise only is right, even if nobody can read it, and need not be read.
        answer = reference if text == job.reference or same_typesetting(reference, text) else timed_read(text)
        if job.classes:
            placements.append(classes.place(answer))
        else:
            placements.append(Placement(None, timed_equal(reference, answer)))
        if _peak_bytes() > _NEAR * limit:
            raise MemoryError
    signal.setitimer(signal.ITIMER_REAL, 0)
    return placements


def main(descriptor: float, seconds: float, megabytes: float) -> None:
    """Serve jobs on the inherited connection of that file descriptor until the other end closes it."""
    logging.disable(logging.CRITICAL)  # math-verify warns that its timeouts are off
    equal(read(r"\frac{x}{2}"), read("0.5 x"))  # loads what the first answer would otherwise wait for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    limit = int(megabytes) * 2**20
    with contextlib.suppress(ValueError, OSError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(int(descriptor)) as connection:
        connection.send("ready")
        with contextlib.suppress(EOFError, BrokenPipeError, MemoryError):
            retires = False
            while not retires:
                placements = run_job(connection.recv(), connection, seconds, limit)
                retires = _peak_bytes() > _GROWN * limit
                connection.send(Done(placements, retires))


def _peak_bytes() -> int:
    """The largest address space so far; 0 where the system does not tell, and only its own limit holds.

    Not getrusage's maximum: that one is inherited from the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return int(status.split(b"VmPeak:")[1].split()[0]) * 1024
