"""Progress of a job: a bar on a terminal, a plain line every ten seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
