"""Submission of jobs while SLURM's controller may be away: it waits and tries again.

The executor takes any failure of `sbatch`, and of the questions it asks before it (which partition is the
default, which accounts there are), for a failure of the job. That uses up a retry; a controller restarted
for a minute would end a run of days. So a job that was refused because the controller cannot be reached is
submitted again (executor.py), and counts as failed only if that lasts too long. Every other refusal counts
at once.

A job that was accepted although the answer was lost is submitted twice. That is harmless: the second copy
finds the first one's lease in the store (rlv/store/leases.py) and waits for it. Left out on purpose: the
checks before the first job (rlv/cluster/checks.py): the user is still there to read why they fail.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from rlv.errors import SiteError

# SLURM's messages if the controller cannot be reached, does not answer in time, or is only the one in
# reserve (slurm_errno.c, from 20.11 on).
_AWAY = re.compile(
    r"unable to contact slurm controller|socket timed out on send/recv|zero bytes were transmitted"
    r"|in standby mode|communication (connection|shutdown) failure|message (send|receive) failure",
    re.IGNORECASE,
)
# Characters that a shell interprets between double quotes, or that end single quotes around words.
_MEANS = re.compile(r"['`$\\\n]")
# Seconds for which a controller may be away; between two tries; between two lines about it.
LONGEST = 3600.0
PAUSE = 10.0
_SAID_EVERY = 60.0


def away(said: str) -> str | None:
    """The line of an error output that reports an unreachable controller, or None.

    The last message of sbatch counts: it may have missed one controller and been refused by the other.
    """
    last = said.rpartition("submission failed:")[2]
    return next((line.strip(" '.") for line in last.splitlines() if _AWAY.search(line)), None)


class Patience:
    """Decides whether a refused job is submitted again. One serves all jobs of a run, from any thread.

    `longest`: seconds, counted from the first refusal for that reason; afterwards refusals are final until
    the controller has been reached again. `say` gets a line about once a minute.
    """

    def __init__(
        self,
        say: Callable[[str], Any],
        longest: float = LONGEST,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._longest, self._pause, self._clock = say, longest, pause, clock
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = 0.0

    def again(self, refusal: str | None) -> bool:
        """Whether to submit a job again, after waiting. `refusal`: the error; None: it was accepted."""
        line = None if refusal is None else away(refusal)
        if line is None:
            self._answered()
            return False
        return self._waits(line) and not self._stopped.wait(self._pause)

    def stop(self) -> None:
        """End all waiting: the run is being ended."""
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
                f"SLURM's controller cannot be reached ({said}); jobs wait to be submitted, for "
                f"{max(1, round(left / 60))} minutes more at most"
            )
        return left > 0


def require_plain(workflow: Any) -> None:
    """Raise SiteError if a word of the command that a job runs contains a character that a shell interprets.

    The executor gives that command to `sbatch --wrap` between double quotes. It contains the arguments of
    `--config` and `--configfile`, and the workflow's folder.
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
