"""Places in front of the model: in order, refused when all are taken, free again when a client is gone."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from rlv.errors import ModelError
from rlv.serving import app, streams
from rlv.serving import server as serving_server
from rlv.serving.app import Served
from rlv.serving.requests import Limits

from .conftest import received, running


def until(condition) -> None:
    """Waits for what happens in another thread."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ask(server, question: str, **options):
    messages = [{"role": "user", "content": question}]
    return server.client().chat.completions.create(model="held", messages=messages, **options)


def taken(server) -> int:
    return json.loads(server.raw(b"GET /health HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")[2])["taken"]


def sent(server, question: str, **body) -> socket.socket:
    """A connection with a request under way, which the caller closes."""
    text = json.dumps({"messages": [{"role": "user", "content": question}]} | body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(text)}\r\n"
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(head.encode() + b"content-type: application/json\r\nconnection: close\r\n\r\n" + text)
    return connection


def test_all_places_taken(slow, held):
    with ThreadPoolExecutor(3) as threads:
        answers = []
        for k in range(3):
            answers.append(threads.submit(ask, slow, f"q{k}"))
            until(lambda k=k: taken(slow) == k + 1)
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError, match="all 3 places") as error:
                ask(slow, "one too many", stream=stream)
            assert error.value.code == "rate_limit_exceeded" and error.value.type == "rate_limit_error"
            assert error.value.response.headers["retry-after"] == "1"
        assert held.begun == ["q0"]
        held.free.set()
        assert [a.result().rlv["answer"] for a in answers] == ["q0", "q1", "q2"]
    assert held.begun == ["q0", "q1", "q2"] and taken(slow) == 0
    assert ask(slow, "again").rlv["answer"] == "again"


def test_a_refused_request_takes_no_place(slow, held):
    held.free.set()
    for _ in range(5):
        with pytest.raises(openai.BadRequestError):
            ask(slow, "q", n=3)
    assert taken(slow) == 0 and held.begun == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_is_gone_frees_its_place(slow, held, monkeypatch, stream):
    monkeypatch.setattr(app, "PATIENCE", 0.05)  # so that streams have begun
    monkeypatch.setattr(streams, "PATIENCE", 0.05)
    first, second, third = (sent(slow, f"q{k}", stream=stream) for k in range(3))
    until(lambda: taken(slow) == 3 and held.begun)
    (running,) = held.begun
    connections = {"q0": first, "q1": second, "q2": third}
    if stream:
        assert connections[running].recv(2**16)
    waiting = sorted(connections.keys() - {running})
    connections[waiting[0]].close()  # one that waits
    until(lambda: taken(slow) == 2)
    connections[running].close()  # and the one whose solutions are being written
    until(lambda: taken(slow) == 1 and held.begun == [running, waiting[1]])
    assert held.given_up == [running]
    held.free.set()
    answer = received(connections[waiting[1]])
    assert waiting[1].encode() in answer and b" 200 " in answer[:20]
    connections[waiting[1]].close()
    until(lambda: taken(slow) == 0)


def test_a_stream_shows_life_before_there_is_an_answer(slow, held, monkeypatch):
    monkeypatch.setattr(app, "PATIENCE", 0.05)
    monkeypatch.setattr(streams, "PATIENCE", 0.05)
    with sent(slow, "q", stream=True) as connection:
        head = connection.recv(2**16)
        while b": solving" not in head:
            head += connection.recv(2**16)
        held.free.set()
        rest = received(connection)
    assert b"text/event-stream" in head and b"data: [DONE]\n\n" in rest
    held.free.clear()
    with ThreadPoolExecutor(1) as threads:  # clients pass it over
        answer = threads.submit(lambda: list(ask(slow, "q", stream=True)))
        until(lambda: len(held.begun) == 2)
        time.sleep(0.2)
        held.free.set()
        assert "".join(p.choices[0].delta.content or "" for p in answer.result()) == "Answer q"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("fault", "said", "code"),
    [
        (ModelError("/secret/place: the logits are not finite"), "held: the logits", "model_error"),
        (RuntimeError("out of memory"), "internal error", "internal_error"),
        (MemoryError(), "internal error", "internal_error"),
        (RecursionError(), "internal error", "internal_error"),
    ],
)
def test_a_model_that_fails_is_the_servers_fault_and_it_stays_up(
    slow, held, monkeypatch, fault, said, code, late
):
    monkeypatch.setattr(app, "PATIENCE", 0.05 if late else 60)
    held.fails = fault
    if not late:
        held.free.set()
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError, match=said) as error:
                ask(slow, "q", stream=stream)
            assert error.value.code == code and error.value.type == "server_error"
            # Of the insides only what is meant for users.
            assert "memory" not in error.value.message and "secret" not in error.value.message
    else:
        with sent(slow, "q", stream=True) as connection:
            head = connection.recv(2**16)
            held.free.set()
            rest = head + received(connection)
        assert b" 200 " in rest[:20]
        event = json.loads(rest.split(b"data: ")[1].split(b"\n\n")[0])
        assert event["error"]["code"] == code and b"[DONE]" not in rest
    held.fails = None
    assert ask(slow, "next").rlv["answer"] == "next" and taken(slow) == 0


def test_a_stop_gives_up_what_does_not_end_in_time(held, monkeypatch):
    monkeypatch.setattr(serving_server, "LAST_SECONDS", 1)
    with running(Served(held, "held", Limits(), places=3)) as found:
        connections = [sent(found, f"q{k}") for k in range(2)]
        until(lambda: taken(found) == 2 and held.begun)
    assert held.given_up == held.begun and len(held.begun) == 1
    for connection in connections:
        connection.close()


def test_more_connections_than_it_takes(held, monkeypatch):
    monkeypatch.setattr(serving_server, "MOST_CONNECTIONS", 3)
    held.free.set()
    with running(Served(held, "held", Limits(), places=3)) as found:
        idle = [socket.create_connection(("127.0.0.1", found.port)) for _ in range(4)]
        with pytest.raises(openai.InternalServerError) as error:
            ask(found, "q")
        assert error.value.status_code == 503
        for connection in idle:
            connection.close()
        assert until_answered(found) == "q"


def until_answered(server) -> str:
    """Connections that were closed are gone a moment later."""
    while True:
        try:
            return ask(server, "q").rlv["answer"]
        except openai.InternalServerError:
            time.sleep(0.01)
