"""An answer as server-sent events, which begin before there is one and end when the client is gone.

The winner is known when all solutions are: so a stream is signs of life, then its words in quick succession.
A sign of life is a comment of the format, which clients pass over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rlv.serving.refusals import Refused, internal
from rlv.serving.responses import Answered, encoded

# Seconds without a sign of life; an error before the first has a status of HTTP of its own.
PATIENCE = 10.0


class Streamed(StreamingResponse):
    """The stream of a question that is being answered; it is given up with the connection."""

    def __init__(self, task: asyncio.Task[Answered]) -> None:
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(_events(task), headers=headers, media_type="text/event-stream")
        self.task = task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.task.cancel()


async def _events(task: asyncio.Task[Answered]) -> AsyncIterator[bytes]:
    while not task.done():
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.done():
            yield b": solving\n\n"
    try:
        answered = task.result()
    except Refused as refused:  # too late for a status
        yield _event(encoded(refused.body()))
        return
    except Exception as error:
        yield _event(encoded(internal(error).body()))
        raise  # into the server's log
    for piece in answered.pieces():
        yield _event(encoded(piece))
    yield _event(b"[DONE]")


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
