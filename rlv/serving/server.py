"""The socket, and uvicorn behind it."""

from __future__ import annotations

import logging
import socket
from ipaddress import ip_address
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rlv.errors import ServingError
from rlv.serving.refusals import Refused
from rlv.serving.responses import encoded

# Connections at one time; with their files they stay below what a process may open.
MOST_CONNECTIONS = 512
# Seconds in which the head of a request must be there, and those that a stop leaves to what is under way.
HEAD_SECONDS = 30.0
LAST_SECONDS = 5


def bound(host: str, port: int) -> socket.socket:
    """A socket at that address, which does not listen yet. Raises ServingError if it cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ServingError(f"--host {host}: no address of this machine ({error})") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise ServingError(
            f"--host {host} --port {port}: cannot be had ({error.strerror}); another --port, or 0 for any, "
            "would do"
        ) from error
    return made


def is_local(made: socket.socket) -> bool:
    """Whether only this machine reaches the socket."""
    return ip_address(made.getsockname()[0].partition("%")[0]).is_loopback


def url(made: socket.socket) -> str:
    """Where OpenAI's clients find the server."""
    host, port = made.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def server_of(app: Any) -> uvicorn.Server:
    """A server of an ASGI application, for `run(sockets=[…])`; `should_exit` ends it."""
    # What clients send wrongly is their business; what fails here is logged.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
    )


class _Protocol(H11Protocol):
    """uvicorn's HTTP with two changes: a head that does not come ends its connection, and what is no HTTP
    is answered by an error of the API's own format."""

    _deadline: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def _watch(self) -> None:
        waits = self.conn.their_state is h11.IDLE  # for a head, or for the rest of it
        if not waits and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif waits and self._deadline is None:  # more of it does not put the end off
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        body = encoded(Refused(400, msg, "invalid_http").body())
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        )
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()
