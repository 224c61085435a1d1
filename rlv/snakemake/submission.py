"""Submission that outlasts a controller which is away: it waits and tries again, as questions about jobs do.

The executor takes any failure of `sbatch`, and of the questions it asks before it (which partition is the
default, which accounts there are), for a failure of the job. That uses up a retry; a controller restarted
for a minute would end a run of days. So these commands are tried again here for as long as they say that
the controller cannot be reached, and the executor learns of it only where that lasts too long. Every other
refusal goes through at once.

A job that was accepted although the answer was lost is submitted twice. That is harmless: the second copy
finds the first one's lease in the store (rlv/store/leases.py) and waits for it. Left out on purpose: the
checks before the first job (checks.py), which fail while somebody is there to read why.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from rlv.errors import SiteError

# How SLURM puts it that the controller cannot be reached, does not answer in time, or is only the one in
# reserve (slurm_errno.c, from 20.11 on).
_AWAY = re.compile(
    r"unable to contact slurm controller|socket timed out on send/recv|zero bytes were transmitted"
    r"|in standby mode|communication (connection|shutdown) failure|message (send|receive) failure",
    re.IGNORECASE,
)
# What means something between double quotes, or ends the single ones that the executor puts around words.
_MEANS = re.compile(r"['`$\\\n]")
# Seconds for which a controller may be away; between two tries; between two lines about it.
LONGEST = 3600.0
_PAUSE = 10.0
_SAID_EVERY = 60.0

Done = subprocess.CompletedProcess[str]


def away(said: str) -> bool:
    """Whether a command that failed with these words could not reach the controller.

    What sbatch says last counts: it may have missed one controller and been refused by the other.
    """
    return _AWAY.search(said.rpartition("submission failed:")[2]) is not None


class Patience:
    """Tries commands again while the controller is away. One for all jobs of a run, from any thread.

    `longest`: seconds, counted from the first command that did not reach it; afterwards commands fail as
    they do without this, and the next that reaches it begins anew. `say` gets a line about once a minute.
    """

    def __init__(
        self,
        say: Callable[[str], Any],
        longest: float = LONGEST,
        pause: float = _PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._longest, self._pause, self._clock = say, longest, pause, clock
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = 0.0

    def outlast(self, attempt: Callable[[], Done]) -> Done:
        """The first attempt that reached the controller, whatever it said; or the last that did not."""
        while True:
            done = attempt()
            if done.returncode == 0 or not away(done.stderr or ""):
                self._answered()
                return done
            if not self._waits(done.stderr) or self._stopped.wait(self._pause):
                return done

    def stop(self) -> None:
        """Whoever waits does so no longer: the run is being ended."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def _answered(self) -> None:
        with self._lock:
            if self._since is None:
                return
            self._since = None
        self._say("SLURM's controller answers again; submitting goes on")

    def _waits(self, said: str) -> bool:
        now = self._clock()
        with self._lock:
            first = self._since is None
            self._since = now if self._since is None else self._since
            left = self._since + self._longest - now
            tells = left > 0 and (first or now - self._told >= _SAID_EVERY)
            self._told = now if tells else self._told
        if tells:
            self._say(
                f"SLURM's controller cannot be reached ({' '.join(said.split())}); jobs wait to be "
                f"submitted, for {max(1, round(left / 60))} minutes more at most"
            )
        return left > 0


class Submission:
    """A process of the executor's that submits, as far as it uses one: `communicate`, then `returncode`."""

    def __init__(self, patience: Patience, *arguments: Any, **more: Any) -> None:
        self._patience, self._arguments, self._more = patience, arguments, more
        self.returncode: int | None = None

    def communicate(self, input: str | None = None) -> tuple[str, str]:
        """What sbatch printed, output and errors, when it was tried for the last time.

        In a run that is being ended nothing is submitted any more: the executor would still submit whatever
        waited behind a job that was not accepted, and nobody would be there to cancel it.
        """
        if self._patience.stopped:
            self.returncode = 1
            return "", "not submitted: this run is being ended"

        def attempt() -> Done:
            with subprocess.Popen(*self._arguments, **self._more) as process:
                said, errors = process.communicate(input)
            return subprocess.CompletedProcess(process.args, process.returncode, said, errors)

        done = self._patience.outlast(attempt)
        self.returncode = done.returncode
        return done.stdout, done.stderr


def install(executor: Any, longest: float = LONGEST, pause: float = _PAUSE) -> Patience:
    """Have the SLURM executor of a workflow submit patiently; `cancel`, as for Ctrl-C, ends all waiting.

    Raises SiteError where the plug-in does not submit in the way that is wrapped here.
    """
    import snakemake_executor_plugin_slurm as plugin
    from snakemake_executor_plugin_slurm import accounts, partitions

    _require(plugin.Executor.run_job, "Popen")
    _require(partitions.get_default_partition, "check_output")
    _require(accounts.validate_account, "check_output")
    patience = Patience(executor.logger.warning, longest, pause)

    def submit(*arguments: Any, **more: Any) -> Submission:
        return Submission(patience, *arguments, **more)

    def check_output(*arguments: Any, **more: Any) -> str:
        done = patience.outlast(lambda: subprocess.run(*arguments, stdout=subprocess.PIPE, **more))
        done.check_returncode()
        return done.stdout

    # The modules' own views of `subprocess`; the rest of the process keeps the real one.
    plugin.subprocess = _like_subprocess(Popen=submit)
    partitions.subprocess = _like_subprocess(check_output=check_output)
    accounts.subprocess = _like_subprocess(check_output=check_output)
    cancel = executor.cancel

    def cancel_at_once() -> None:
        patience.stop()
        cancel()

    executor.cancel = cancel_at_once
    return patience


def require_plain(workflow: Any) -> None:
    """Raises SiteError where a word of the command that a job runs would mean something to a shell.

    The executor gives that command to `sbatch --wrap` between double quotes. In it are what was said behind
    `--config` and `--configfile`, and where the workflow lies.
    """
    words = {
        "--config": workflow.config_settings.config_args or (),
        "--configfile": map(str, workflow.overwrite_configfiles),
        "the workflow's folder": (workflow.workdir_init, workflow.main_snakefile),
    }
    for where, each in words.items():
        for word in each:
            found = _MEANS.search(str(word))
            if found is not None:
                raise SiteError(
                    f"{where}: found {found[0]!r} in {word!r}, which a shell of SLURM's jobs would read; "
                    "write the value in config/config.yaml, or choose another name"
                )


def _like_subprocess(**changed: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(subprocess), **changed})


def _require(function: Any, used: str) -> None:
    names = getattr(getattr(function, "__code__", None), "co_names", ())
    if "subprocess" not in names or used not in names:
        version = importlib.metadata.version("snakemake-executor-plugin-slurm")
        where = f"{function.__module__}.{function.__qualname__}"
        raise SiteError(
            f"snakemake-executor-plugin-slurm {version}: {where} does not call subprocess.{used}, so that an "
            "outage of SLURM's controller would fail jobs; install the version that pyproject.toml names "
            "(its extra `slurm`)"
        )
