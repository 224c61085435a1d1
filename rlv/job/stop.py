"""Being asked to stop: a signal sets a flag, and the loop stops when nothing is lost.

Sampling is given up at once, since a step's solutions are a function of (seed, step) and can be sampled
again; an update is finished. Either way the checkpoint of the last finished step is written
(rlv/training/loop.py). Left out on purpose: a second signal that stops sooner, which SIGKILL does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

# Schedulers send the first two before they kill (SLURM's scancel and time limit, `--signal=USR1@60`,
# containers), a terminal the last when it closes.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class Abandoned(BaseException):
    """Ends sampling when the run is asked to stop; handlers of errors do not catch it."""


class Stop:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.requested = False

    def progress(self, done: int, total: int, tokens: int) -> None:
        """An engine's progress callback. Raises Abandoned if a stop was asked for."""
        if self.requested:
            raise Abandoned


@contextmanager
def hearing(numbers: Iterable[signal.Signals], ask: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Have signals call `ask` while the block runs, and restore their handlers afterwards.

    Only the main thread can listen to signals; in another nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, lambda number, frame: ask(signal.Signals(number))) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def listening() -> Iterator[Stop]:
    """Have signals set the flag while the block runs."""
    stop = Stop()

    def ask(number: signal.Signals) -> None:
        stop.requested = True

    # A process started by nohup outlives its terminal.
    heard = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    with hearing(heard, ask):
        yield stop
