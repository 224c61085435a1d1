"""The loop of one grading worker, a process that pool.py starts.

Protocol on its connection: the worker sends "ready"; then for each Job it sends the index of every answer
when it begins with it (REFERENCE for the reference), and at last Done. So if a worker dies, the parent knows
on which answer. A worker that has grown beyond half of its memory reports that with its Done and ends, so
that no answer is blamed for what earlier ones left in sympy's caches.

The time limit is a timer of the operating system whose signal, unhandled, ends the process: it stops C code
too, and a worker whose parent was killed. The memory limit is that of the address space; because sympy
swallows MemoryError like any other, a worker that comes near it ends on its own.
"""

from __future__ import annotations

import contextlib
import logging
import resource
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rlv.answers.equivalence import Answer, Classes, Placement, equal, forget, is_read, read, unread

REFERENCE = -1
_NEAR, _GROWN = 0.8, 0.5  # fractions of the memory limit: an answer is to blame; the worker retires


@dataclass(frozen=True)
class Job:
    """The different answer strings of one problem, in order. `hopeless`: indices not to be read.

    If `classes` is false, only whether each equals the reference is asked. After `seconds` no more answers
    are read.
    """

    reference: str
    answers: tuple[str, ...]
    classes: bool = True
    hopeless: frozenset[int] = frozenset()
    seconds: float = float("inf")


@dataclass(frozen=True)
class Done:
    """A job's answer: the placements, and whether the worker ends itself now."""

    placements: list[Placement]  # one an answer
    unread: int  # answers that the job's time was over for
    retires: bool


def run_job(job: Job, connection: Connection, seconds: float, limit: int) -> tuple[list[Placement], int]:
    """Place every answer of the job, with at most `seconds` for each; and how many were left unread.

    An answer that is not read, because it ended a worker or the job's time is over, is placed as a string.
    Raises MemoryError at the first answer after which the process has held most of `limit` bytes.
    """

    def timed_read(text: str) -> Answer:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return read(text)

    forget()
    deadline = time.monotonic() + job.seconds
    connection.send(REFERENCE)
    reference = (unread if REFERENCE in job.hopeless else timed_read)(job.reference)
    classes = Classes(reference)
    placements: list[Placement] = []
    late = 0
    for index, text in enumerate(job.answers):
        connection.send(index)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = unread(text)
        # A string that differs in typesetting only need not be read.
        if (answer.key, answer.mark) == (reference.key, reference.mark):
            answer = reference
        elif index not in job.hopeless and not classes.known(answer):
            if time.monotonic() < deadline:
                answer = timed_read(text)
            else:
                late += not is_read(answer)
        if job.classes:
            classes.add(answer)
        else:
            placements.append(Placement(None, equal(reference, answer), is_read(answer)))
        if _peak_bytes() > _NEAR * limit:
            raise MemoryError
    signal.setitimer(signal.ITIMER_REAL, 0)
    return (classes.placements() if job.classes else placements), late


def main(descriptor: float, seconds: float, megabytes: float) -> None:
    """Serve jobs on the inherited connection of that file descriptor until the other end closes it."""
    logging.disable(logging.CRITICAL)
    equal(read(r"\frac{x}{2}"), read("0.5 x"))  # the first answer need not wait for modules
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    limit = int(megabytes) * 2**20
    with contextlib.suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(int(descriptor)) as connection:
        connection.send("ready")
        with contextlib.suppress(EOFError, BrokenPipeError, MemoryError):
            retires = False
            while not retires:
                placements, late = run_job(connection.recv(), connection, seconds, limit)
                retires = _peak_bytes() > _GROWN * limit
                connection.send(Done(placements, late, retires))


def _peak_bytes() -> int:
    """The largest address space so far; 0 if the system does not report it, and only its own limit holds.

    Not getrusage's maximum: that one is inherited from the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    return int(status.split(b"VmPeak:")[1].split()[0]) * 1024
