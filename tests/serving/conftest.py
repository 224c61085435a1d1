"""Servers on real ports, in a thread: of the mini base, and of a reasoner that a test holds back."""

from __future__ import annotations

import socket
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest

import rlv
from rlv.evaluation.picking import Candidate
from rlv.reasoner import Solution, Solved
from rlv.serving.app import Served, make_app
from rlv.serving.requests import Limits
from rlv.serving.server import bound, is_local, server_of, url

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base"
QUESTION = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"


@dataclass
class Running:
    """A server that runs. `port` of 127.0.0.1; `url` as clients want it."""

    url: str
    port: int

    def client(self, key: str = "none", **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0, **options)

    def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """What comes back until the connection is closed, or the answer to a request is there."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return received(connection)

    def post(self, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> bytes:
        """The answer to a request, its connection closed."""
        fields = {"content-type": "application/json", "host": "localhost", "connection": "close"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.raw(
            f"POST {path} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        )


def received(connection: socket.socket) -> bytes:
    """All bytes until the other side closes."""
    found = b""
    while part := connection.recv(2**16):
        found += part
    return found


@contextmanager
def running(served: Served) -> Iterator[Running]:
    with bound("127.0.0.1", 0) as made:
        assert is_local(made)
        made.listen()
        server = server_of(make_app(served))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [made]}, daemon=True)
        thread.start()
        try:
            yield Running(url(made), made.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def reasoner():
    with rlv.load(BASE, prompt_style="plain", answer_format="marker", threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def served(reasoner):
    return Served(reasoner, "base", Limits(n=4, max_n=8, max_tokens=100), places=8, local=True)


@pytest.fixture(scope="session")
def server(served):
    with running(served) as found:
        yield found


@pytest.fixture
def client(server):
    return server.client()


@dataclass
class Held:
    """A reasoner that writes for as long as a test says. `begun`: the questions that it was asked."""

    free: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    fails: BaseException | None = None
    folder: Path = Path("/secret/place")
    asking: Any = field(default_factory=lambda: types.SimpleNamespace(score="judge"))

    def room(self, question, vote, system_prompt):
        return len(question), 100

    def solve(self, question, n, *, progress, **_):
        self.begun.append(question)
        try:
            while not self.free.wait(0.01):
                progress(0, n, 0)
        except BaseException:
            self.given_up.append(question)
            raise
        if self.fails is not None:
            raise self.fails
        solution = Solution(f"Answer {question}", question, 0.5, 3, True)
        return Solved(question, 1.0, (solution,) * n, "judge", (Candidate(question, 1.0, tuple(range(n))),))


@pytest.fixture
def held():
    found = Held()
    yield found
    found.free.set()


@pytest.fixture
def slow(held):
    """A server of it with three places."""
    with running(Served(held, "held", Limits(), places=3)) as found:
        yield found
        held.free.set()
