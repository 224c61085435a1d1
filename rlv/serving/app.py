"""The addresses of the server: /v1/chat/completions, /v1/models and /health."""

from __future__ import annotations

import asyncio
import hmac
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rlv.errors import DataError, ModelError, RlvError
from rlv.sampling.engine import Progress
from rlv.serving.refusals import GONE, Refused, internal
from rlv.serving.requests import MOST_BYTES, Asked, Limits, read_request
from rlv.serving.responses import Answered, encoded, model_entry
from rlv.serving.streams import PATIENCE, Streamed
from rlv.serving.worker import Worker

if TYPE_CHECKING:
    from rlv.reasoner import Reasoner

# Seconds in which a request's body must be there.
BODY_SECONDS = 30.0
# Bytes of a body that is too large but read to its end: before that few clients look for an answer.
MOST_PASSED_OVER = 64 * MOST_BYTES
_HERE = "this server has POST /v1/chat/completions, GET /v1/models and GET /health"


@dataclass(frozen=True)
class Served:
    """What is served. `key`: what requests must show; None: nothing.

    `local`: whether requests must name a loopback address as their host. A page in a browser of this machine
    can have its own name lead here, and would then read answers; only the name tells it from local programs.
    """

    reasoner: Reasoner
    name: str
    limits: Limits
    places: int
    key: str | None = None
    local: bool = False


def make_app(served: Served) -> Starlette:
    """The server's application (ASGI)."""
    addresses = _Addresses(served)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", addresses.chat, methods=["POST"]),
            Route("/v1/models", addresses.models),
            Route("/v1/models/{model:path}", addresses.model),
            Route("/health", addresses.health),
        ],
        exception_handlers={Refused: _refused, HTTPException: _unknown, Exception: _failed},
    )


class _Addresses:
    def __init__(self, served: Served) -> None:
        self.served = served
        self.worker = Worker(served.places)
        reasoner = served.reasoner
        self.entry = model_entry(served.name, int(time.time()), served.limits, reasoner.asking.score)

    async def chat(self, request: Request) -> Response:
        self._admit(request)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # A page of another site may send other types without asking first.
        if media != "application/json":
            raise Refused(
                415,
                f"content-type: expected application/json, found {media!r:.100}",
                "unsupported_media_type",
            )
        self.worker.require_place()
        asked = read_request(await _body(request), self.served.limits, self.served.name)
        task = self.worker.begin(lambda progress: solve(self.served, asked, progress))
        try:
            await _until_done_or_gone(task, request, PATIENCE if asked.stream else None)
        except BaseException:
            task.cancel()
            raise
        if asked.stream and not task.done():
            return Streamed(task)
        answered = task.result()
        return Streamed(task) if asked.stream else _json(answered.whole())

    async def models(self, request: Request) -> Response:
        self._admit(request)
        return _json({"object": "list", "data": [self.entry]})

    async def model(self, request: Request) -> Response:
        self._admit(request)
        name = request.path_params["model"]
        if name != self.served.name:
            message = f"model: found {name!r:.100}; this server has {self.served.name!r}"
            raise Refused(404, message, "model_not_found", "model")
        return _json(self.entry)

    async def health(self, request: Request) -> Response:
        return _json({"status": "ok", "places": self.worker.places, "taken": self.worker.held})

    def _admit(self, request: Request) -> None:
        """Raises Refused for a request without the key, or if there is none from another site's page."""
        if self.served.key is not None:
            scheme, _, shown = request.headers.get("authorization", "").partition(" ")
            fits = hmac.compare_digest(shown.strip().encode(), self.served.key.encode())
            if scheme.lower() != "bearer" or not fits:
                raise Refused(401, "expected Authorization: Bearer with this server's key", "invalid_api_key")
        elif self.served.local and not _is_loopback(request.headers.get("host", "localhost")):
            raise Refused(
                403,
                f"host: found {request.headers['host']!r:.100}, expected localhost or a loopback address; a "
                "server with a key (rlv serve --api-key-env) answers under every name",
                "forbidden_host",
            )


def solve(served: Served, asked: Asked, progress: Progress) -> Answered:
    """Answer one question; runs in the worker's thread. Raises Refused for what cannot be answered."""
    reasoner = served.reasoner
    try:
        prompt_tokens, room = reasoner.room(asked.question, asked.vote, asked.system_prompt)
    except (DataError, ModelError) as error:
        code = "context_length_exceeded" if str(error).endswith("shorten it") else "invalid_value"
        raise Refused(400, _said(served, error), code, "messages") from error
    if asked.max_tokens is not None and asked.max_tokens > room:
        raise Refused(
            400,
            f"max_tokens: found {asked.max_tokens}; a question of {prompt_tokens} tokens leaves "
            f"room for {room}",
            "context_length_exceeded",
            "max_tokens",
        )
    try:
        solved = reasoner.solve(
            asked.question,
            asked.n,
            vote=asked.vote,
            temperature=asked.temperature,
            top_p=asked.top_p,
            max_tokens=asked.max_tokens or min(served.limits.max_tokens, room),
            seed=asked.seed,
            system_prompt=asked.system_prompt,
            progress=progress,
        )
    except RlvError as error:  # the request was right
        raise Refused(500, _said(served, error), "model_error") from error
    return Answered(served.name, asked, solved, prompt_tokens)


def _said(served: Served, error: RlvError) -> str:
    """The message of an error, without the place where the model lies on this machine."""
    return str(error).replace(str(served.reasoner.folder), served.name)


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> bytes:
    """The request's body. Raises Refused if it is too large, too slow, or its client is gone."""
    large = Refused(413, f"the body has more than {MOST_BYTES:,} bytes", "request_too_large")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > MOST_PASSED_OVER:
        raise large
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_PASSED_OVER:
                    raise large
                if size <= MOST_BYTES:
                    body += part
    except TimeoutError:
        raise Refused(408, f"the body took more than {BODY_SECONDS:g} s", "request_timeout") from None
    except ClientDisconnect:
        raise Refused(GONE, "the client is gone", "gone") from None
    if size > MOST_BYTES:
        raise large
    return bytes(body)


async def _until_done_or_gone(task: asyncio.Task[Answered], request: Request, patience: float | None) -> None:
    """Returns when the task is done or `patience` seconds are over. Raises Refused if the client is gone."""
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not task.done():
            raise Refused(GONE, "the client is gone", "gone")
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encoded(value), status, headers, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _json(error.body(), error.status, {"retry-after": "1"} if error.status == 429 else None)


async def _unknown(request: Request, error: Exception) -> Response:
    """Addresses and methods that the server does not have."""
    assert isinstance(error, HTTPException)
    found = f"{request.method} {request.url.path}"
    refused = Refused(error.status_code, f"found {found!r:.200}; {_HERE}", "unknown_url")
    return _json(refused.body(), error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    """What nobody has foreseen; the server's log has the rest."""
    return _json(internal(error).body(), 500)
