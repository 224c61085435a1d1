"""How the workflow learns that a job has ended: the command that SLURM answers here, and its answers.

`sacct` may be installed and answer nothing, if no accounts are kept; so what works is found out at the start
(`question`). An answer is read as follows (`Watch`):

- A job that squeue lists no more has ended, and whether its output is there shows how.
- A job that sacct does not list yet is still there.
- No answer, as while the controller is restarted: jobs are what they were before.
- PREEMPTED and NODE_FAIL are failures like others: the profile lets SLURM requeue nothing, and SLURM itself
  keeps jobs off nodes that are down.

Left out on purpose: how jobs are submitted (submission.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rlv.cluster.inventory import Records, records, sacct_answers

# A job in one of these is still there; anything else, except COMPLETED, is a failure.
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "COMPLETING"}
ALIVE |= {"STAGE_OUT", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
ALIVE |= {"POWER_UP_NODE", "UPDATE_DB", "EXPEDITING"}
# Seconds without an answer after which people should know.
_SILENCE = 300


@dataclass(frozen=True)
class Question:
    """The command that reports the states of jobs, `sacct` or `squeue`, and the most seconds between two."""

    command: str
    seconds: int


@dataclass(frozen=True)
class Outcome:
    """How a job has ended. `said`: SLURM's own words."""

    failed: bool
    said: str


def question(
    most_seconds: int, found: Records | None = None, sacct: Callable[[], bool] = sacct_answers
) -> Question:
    """The question for this cluster: sacct if accounts are kept and it answers, else squeue.

    squeue forgets a job some time after its end, and one that it never showed is not missed: it is asked
    often enough to see each. Raises SiteError if the controller does not answer.
    """
    found = found or records()
    if found.kept and sacct():
        return Question("sacct", most_seconds)
    # 0: it never forgets.
    forgets = found.finished_seconds
    return Question("squeue", min(most_seconds, max(1, forgets // 3)) if forgets > 0 else most_seconds)


class Watch:
    """Reads outcomes of jobs from SLURM's answers; `warn` gets a line if it is silent for long."""

    def __init__(self, warn: Callable[[str], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._warn, self._clock = warn, clock
        self._seen: set[str] = set()
        self._answered = clock()
        self._warned = False

    def outcomes(
        self, command: str, states: Mapping[str, str] | None, jobs: Iterable[str]
    ) -> Iterator[Outcome | None]:
        """The outcome of each job; None: it is still there. `states`: the answer; None: there was none."""
        if states is None:
            self._silent(command)
            yield from (None for _ in jobs)
            return
        self._answered, self._warned = self._clock(), False
        self._seen.update(states)
        for job in jobs:
            # A task of an array may be listed by the number of the array only.
            names = (job, job.partition("_")[0])
            said = next((states[name] for name in names if name in states), None)
            if said is not None:
                yield _outcome(said)
            else:
                gone = command == "squeue" and not self._seen.isdisjoint(names)
                yield Outcome(False, "gone") if gone else None

    def _silent(self, command: str) -> None:
        if self._clock() - self._answered > _SILENCE and not self._warned:
            self._warned = True
            self._warn(
                f"SLURM has not reported the states of jobs for {_SILENCE // 60} minutes (`{command}`); "
                "waiting for it"
            )


def _outcome(said: str) -> Outcome | None:
    """The outcome of a job in a state, such as "CANCELLED by 1000"; None: it has not ended."""
    word = said.split()[0].rstrip("+") if said.split() else ""
    return None if word in ALIVE else Outcome(word != "COMPLETED", said)
