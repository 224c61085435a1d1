"""Progress of a job: a bar on a terminal, a plain line every ten seconds in a log, and reading such lines."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def reporter(what: str, log: Callable[[str], None]) -> Iterator[Callable[[int, int, int], None]]:
    """A function (done, total, tokens) that shows how far a job is; the last line has its mean speed."""
    started = shown = time.monotonic()
    bar = None
    latest = (0, 0, 0)

    def show(done: int, total: int, tokens: int) -> None:
        nonlocal shown, bar, latest
        latest = (done, total, tokens)
        if sys.stderr.isatty():
            if bar is None:
                from tqdm import tqdm

                bar = tqdm(total=total, unit=what, leave=False)
            bar.update(done - bar.n)
        elif time.monotonic() - shown > SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            log(f"{done} of {total} {what}, {tokens / (shown - started):,.0f} tokens/s")

    yield show
    if bar is not None:
        bar.close()
    done, total, tokens = latest
    seconds = max(time.monotonic() - started, 1e-9)
    log(f"{done} of {total} {what}, {tokens:,} tokens in {seconds:.1f} s, {tokens / seconds:,.0f} tokens/s")


# The beginnings of lines that state how far a job is: of `reporter`, of training, of measuring.
_FAR = re.compile(
    r"^(?:(?P<done>\d+) of (?P<total>\d+) (?P<what>\w+)(?:,.*? (?P<speed>[\d,]+) tokens/s)?"
    r"|(?P<kind>step|repeat) +(?P<at>\d+)/(?P<last>\d+)\b)",
    re.MULTILINE,
)
_GOING_ON = re.compile(r"^going on after step (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Progress:
    """How far a job says that it is: `done` of `total` `what`, of which `begun` were there when it began.

    `tokens_per_second`: None for jobs that do not state it.
    """

    done: int
    total: int
    what: str
    begun: int = 0
    tokens_per_second: int | None = None

    def per_second(self, seconds: float) -> float | None:
        """The mean speed of a job that took `seconds` to come here; None if it has done nothing yet."""
        return None if self.done <= self.begun or seconds <= 0 else (self.done - self.begun) / seconds

    def seconds_left(self, seconds: float) -> float | None:
        """Seconds for what is left, at that speed; None if there is none."""
        speed = self.per_second(seconds)
        return None if speed is None else (self.total - self.done) / speed

    def speed(self, seconds: float) -> str:
        """That speed as the end of a line, as `, 4.2/s` or `, 10.0 s a step`; "" if there is none."""
        found = self.per_second(seconds)
        if found is None:
            return ""
        return f", {found:.1f}/s" if found >= 1 else f", {1 / found:.1f} s a {self.what.removesuffix('s')}"


def progress_in(log: str) -> Progress | None:
    """What the last line of a log that states it says; None if none does."""
    *_, last = (None, *_FAR.finditer(log))
    if last is None:
        return None
    if last["kind"] is None:
        speed = None if last["speed"] is None else int(last["speed"].replace(",", ""))
        return Progress(int(last["done"]), int(last["total"]), last["what"], 0, speed)
    before = _GOING_ON.findall(log) if last["kind"] == "step" else []
    begun = int(before[-1]) if before else 0
    return Progress(int(last["at"]), int(last["last"]), f"{last['kind']}s", begun)
