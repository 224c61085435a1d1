"""The one thread that runs the model, and the places in front of it.

torch's models are not to be run by two threads at once, and one question's solutions fill a batch already. So
questions are answered one after the other, in the order in which they came, each as if it were alone. Whoever
is given up leaves its place at once; if its solutions are being written, within half a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rlv.job.stop import Stop
from rlv.sampling.engine import Progress
from rlv.serving.refusals import Refused

T = TypeVar("T")


class Worker:
    """`places`: questions that are answered or wait at one time. Used by one event loop."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.held = 0
        self._turn = asyncio.Lock()  # those who wait get it in their order
        self._thread = ThreadPoolExecutor(1, "rlv-serving")

    def require_place(self) -> None:
        """Raises Refused if no place is free."""
        if self.held >= self.places:
            raise Refused(
                429,
                f"all {self.places} places of this server are taken (rlv serve --queue); try again later",
                "rate_limit_exceeded",
            )

    def begin(self, work: Callable[[Progress], T]) -> asyncio.Task[T]:
        """Have the thread do it when its turn comes; cancelling the task gives it up.

        `work` must call the progress function that it is given now and then, and let pass what that raises.
        Raises Refused if no place is free.
        """
        self.require_place()
        self.held += 1
        task = asyncio.create_task(self._run(work))
        task.add_done_callback(self._left)
        return task

    def _left(self, task: asyncio.Task[T]) -> None:
        self.held -= 1
        if not task.cancelled():
            task.exception()  # of one that nobody waits for, or asyncio logs it

    async def _run(self, work: Callable[[Progress], T]) -> T:
        async with self._turn:
            stop = Stop()
            done = asyncio.get_running_loop().run_in_executor(self._thread, work, stop.progress)
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                stop.requested = True
                await asyncio.wait([done])  # the next one's turn comes when the thread is free
                raise
