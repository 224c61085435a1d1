"""How the workflow learns that a job has ended: which question SLURM answers here, and what an answer means.

The executor asks `sacct` wherever that command is installed. Without accounting it answers nothing, and a
run waits for ever with every output in place; so what works is found out at the start (`choose`). And four
answers are put into words that the executor acts upon (`tidied`), each of which it would take for a running
job, or for no job at all:

- "CANCELLED by 1000", as sacct says it;
- PREEMPTED, which it leaves to SLURM to resume; the profile lets SLURM requeue nothing;
- a job that squeue lists no more: it has ended, and whether its output is there says how;
- no answer, as while the controller is restarted: jobs are what they were before.

NODE_FAIL is a failure like others: the executor would keep all later jobs off the node, and a small cluster
has too few left then; SLURM itself keeps jobs off nodes that are down.

Two things more of the executor's are set right: it guesses an account from the user's last jobs where none is
named, and SLURM has a default for that; and in a job it hides from `srun` where SLURM's configuration lies.
Left out on purpose: SLURM's job arrays; how jobs are submitted (submission.py).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

from rlv.cluster.inventory import Records, records, sacct_answers
from rlv.snakemake import submission

# A job in one of these is still there; anything else, but for COMPLETED, is a failure.
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "COMPLETING"}
ALIVE |= {"STAGE_OUT", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
ALIVE |= {"POWER_UP_NODE", "UPDATE_DB", "EXPEDITING"}
# What the executor knows as failures.
_FAILURES = ("BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT")
# The executor takes such a job for finished, and Snakemake then looks for its output.
GONE = "UNKNOWN"
# Seconds without an answer after which somebody should know.
_SILENCE = 300
# Seconds for which SLURM remembers jobs, as far as the executor needs to know.
_LONG = 10**9

Query = Callable[[str, Any], Awaitable[tuple[dict[str, str] | None, float | None]]]


def choose(found: Records | None = None, sacct: Callable[[], bool] = sacct_answers) -> str:
    """The command that answers on this cluster: "sacct" where accounts are kept and it works, or "squeue"."""
    found = found or records()
    return "sacct" if found.kept and sacct() else "squeue"


def tidied(states: Mapping[str, str], seen: set[str], command: str) -> dict[str, str]:
    """What SLURM said of each job, in the executor's words. Adds to `seen`, the jobs that it ever listed."""
    found = {}
    for job, said in states.items():
        word = said.split()[0].rstrip("+") if said.split() else ""
        if word not in ALIVE and word != "COMPLETED" and word not in _FAILURES:
            word = "CANCELLED" if word == "PREEMPTED" else "FAILED"
        found[job] = word
    if command.startswith("squeue"):
        found.update(dict.fromkeys(seen - found.keys(), GONE))
    seen.update(states)
    return found


def patient(query: Query, clock: Callable[[], float] = time.monotonic) -> Query:
    """The executor's own query with the answers above; never None, for which it would drop every job."""
    seen: set[str] = set()
    last = clock()
    told = False

    async def asked(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        nonlocal last, told
        states, seconds = await query(command, logger)
        if states is None:
            if clock() - last > _SILENCE and not told:
                told = True
                logger.warning(
                    f"SLURM has not said how jobs are for {_SILENCE // 60} minutes (`{command.split()[0]}`); "
                    "waiting for it"
                )
            return {}, 0.0
        last, told = clock(), False
        return tidied(states, seen, command), seconds

    return asked


def install(workflow: Any, most_seconds: int, longest_outage: float = submission.LONGEST) -> str:
    """Have a workflow's SLURM executor ask what answers, at least every `most_seconds`. Returns the command.

    It also waits for the controller when it submits, for up to `longest_outage` seconds (submission.py).
    Called once, before the first job is submitted. Raises SiteError where the controller does not answer, or
    the executor is not the one that this was written for.
    """
    import snakemake_executor_plugin_slurm as plugin

    found = records()
    command = choose(found)
    settings = workflow.executor_settings
    settings.status_command = command
    # squeue forgets, unless it says 0, and a job that it never showed is not missed: it is asked often enough
    # to see each.
    if command.startswith("squeue") and found.finished_seconds > 0:
        most_seconds = min(most_seconds, max(1, found.finished_seconds // 3))
    first = min(settings.init_seconds_before_status_checks, most_seconds)
    settings.init_seconds_before_status_checks = first
    # Where it finds that SLURM forgets soon it would ask sacct again, whether that answers or not.
    plugin.get_min_job_age = lambda: _LONG
    plugin.query_job_status = patient(plugin.query_job_status)
    _bound_waiting(plugin.Executor, most_seconds)
    executor = workflow.scheduler._executor
    # An empty argument, rather than none, which means: guess.
    executor._fallback_account_arg = ""
    submission.install(executor, longest_outage)
    return command


def keep_configuration() -> None:
    """In a job: the step's `srun` is told where SLURM's configuration lies, as this process was.

    Of SLURM's variables the executor keeps those that name the job; without this one `srun` finds no
    controller where the configuration is not in its usual place.
    """
    import snakemake_executor_plugin_slurm_jobstep as plugin

    kept = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}

    def start(*arguments: Any, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[Any]:
        return subprocess.Popen(*arguments, env=None if env is None else {**env, **kept}, **more)

    plugin.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": start})


def _bound_waiting(executor: Any, most_seconds: int) -> None:
    """It waits ten seconds longer after each question in vain, up to three minutes; not here."""
    known: Any = executor.next_seconds_between_status_checks

    def waiting(self: Any) -> float:
        said = known.fget(self)
        return most_seconds if said is None else min(said, most_seconds)

    executor.next_seconds_between_status_checks = property(waiting, known.fset)
