"""The jobs that run, one line each, at the bottom of the terminal that Snakemake writes to.

Snakemake's own lines scroll above: before each of them the block is erased, and drawn again when Snakemake
has been silent for a moment. Nothing is drawn if standard error is no terminal, or one that cannot erase.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Container
from contextlib import suppress
from typing import TextIO

from rlv.run.running import bar, running
from rlv.store import Store

# Up to the first of so many lines, and clear from there.
_ERASE = "\x1b[{}F\x1b[J"
# Seconds without a line of Snakemake's before the block is drawn.
_SILENCE = 0.5
# Of very many jobs only so many have a line.
_MOST = 12

Lines = Callable[[int, int], list[str]]


class Live:
    """A block of lines at the bottom of a terminal, drawn anew every `every` seconds by a thread.

    `lines`: from the terminal's width and the most that fit, the lines to show.
    """

    def __init__(self, lines: Lines, file: TextIO | None = None, *, every: float = 2.0) -> None:
        """`file`: the terminal; default: standard error."""
        self._lines, self._file, self._every = lines, sys.stderr if file is None else file, every
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._drawn, self._logged = 0, 0.0

    def start(self, logger: logging.Logger) -> None:
        """Draw until `stop`, beneath what a logger writes to the same terminal; nothing if it is none."""
        if self._file.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
            logger.addFilter(self.filter)
            threading.Thread(target=self._run, daemon=True, name="progress").start()

    def stop(self) -> None:
        """Erase the block for good."""
        self._ended.set()
        with self._lock:
            self._erase()

    def filter(self, record: logging.LogRecord) -> bool:
        """Of a logger that writes to the same terminal: makes room for a record, and lets it pass."""
        with self._lock:
            self._erase()
            self._logged = time.monotonic()
        return True

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(OSError, ValueError):  # a store that does not answer now, a terminal that is gone
                self.draw()

    def draw(self) -> None:
        """Draw the block once, unless something was logged just now."""
        size = shutil.get_terminal_size()
        lines = self._lines(max(20, size.columns - 1), max(1, min(_MOST, size.lines - 2)))
        with self._lock:
            if self._ended.is_set() or time.monotonic() - self._logged < _SILENCE:
                return
            self._erase()
            self._file.write("".join(f"{line}\n" for line in lines))
            self._file.flush()
            self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._file.write(_ERASE.format(self._drawn))
            self._file.flush()
            self._drawn = 0


def job_lines(store: Store, paths: Container[str]) -> Lines:
    """The jobs of a store that compute these artifacts, as lines for `Live`."""
    ascii = not (sys.stderr.encoding or "").lower().startswith("utf")

    def lines(width: int, most: int) -> list[str]:
        jobs = running(store, paths)
        shown = [bar(job, width, ascii=ascii) for job in jobs[:most]]
        if len(jobs) > most:
            shown[-1] = f"… {len(jobs) - most + 1} more jobs"
        return shown

    return lines
