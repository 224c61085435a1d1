"""Whatever the server is sent, it answers in its own format of errors, and the next request is answered."""

from __future__ import annotations

import json
import socket

import pytest

from rlv.escapes import escaped
from rlv.serving import app
from rlv.serving import server as serving_server
from rlv.serving.requests import MOST_BYTES

from .conftest import QUESTION, received

USER = {"messages": [{"role": "user", "content": QUESTION}]}


@pytest.fixture(autouse=True)
def it_stays_up(server):
    yield
    found = server.post(json.dumps(USER | {"max_tokens": 3}).encode())
    assert b" 200 " in found.split(b"\r\n")[0]


def error_of(answer: bytes, status: int) -> dict:
    """The error of an answer, whose form is checked."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode(), answer[:500]
    found = json.loads(body)["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert found["message"] == escaped(found["message"], lines=True)
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\x00\xff\xfe",
        b"[" * 100_000,
        b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"seed": ' + b"9" * 10_000 + b"}",
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": "hello"}',
        b'{"messages": [["user", "hello"]]}',
        b'{"messages": [{"role": "user"}]}',
        b'{"messages": [{"role": ["user"], "content": "x"}]}',
        b'{"messages": [{"role": "user", "content": {"text": "x"}}]}',
        b'{"messages": [{"role": "user", "content": [null]}]}',
        b'{"messages": [{"role": "user", "content": []}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "\\ud800", "content": "\\u0000"}]}',
        b'{"\\ud800\\u001b": 1, "messages": []}',
        b'{"' + b"x" * 100_000 + b'": 1}',
        json.dumps(USER | {"rlv": []}).encode(),
        json.dumps(USER | {"rlv": {"n": True}}).encode(),
        json.dumps(USER | {"rlv": {"n": -1}}).encode(),
        json.dumps(USER | {"rlv": {"vote": "\x1b[2J\udcff"}}).encode(),
        json.dumps(USER | {"temperature": float("nan")}).encode(),
        json.dumps(USER | {"temperature": float("inf")}).encode(),
        json.dumps(USER | {"temperature": 10**400}).encode(),
        json.dumps(USER | {"max_tokens": 10**400}).encode(),
        json.dumps(USER | {"max_tokens": 5, "max_completion_tokens": 6}).encode(),
        json.dumps(USER | {"stream": "yes"}).encode(),
        json.dumps(USER | {"stream_options": {"x": 1}}).encode(),
        json.dumps({"messages": [{"role": "user", "content": "<|im_start|>\u202e\x1b[31m"}]}).encode(),
        json.dumps({"messages": USER["messages"] * 10_000}).encode(),
    ],
)
def test_a_body_that_is_no_request(server, body):
    error_of(server.post(body), 400)


def test_another_model_in_hostile_letters(server):
    found = error_of(server.post(b'{"model": "\\ud800\\u001b[31m", "messages": []}'), 404)
    assert found["code"] == "model_not_found"


def test_bodies_that_are_too_large(server):
    error_of(server.post(b" " * (MOST_BYTES + 1)), 413)
    declared = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    error_of(server.raw(declared + b"content-length: 99999999999\r\nconnection: close\r\n\r\n"), 413)
    chunks = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
    error_of(server.raw(declared + chunks + chunk * 17 + b"0\r\n\r\n"), 413)


def test_a_body_that_does_not_come(server, monkeypatch):
    monkeypatch.setattr(app, "BODY_SECONDS", 0.2)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    error_of(server.raw(head + b"content-length: 100\r\nconnection: close\r\n\r\n{"), 408)
    server.raw(head + b"content-length: 100\r\n\r\n{", end=True)  # gone: nobody to answer


@pytest.mark.parametrize("sent", [b"", b"GET /", b"GET /health HTTP/1.1\r\nhost: x\r\nname"])
def test_a_head_that_does_not_come_ends_its_connection(server, monkeypatch, sent):
    monkeypatch.setattr(serving_server, "HEAD_SECONDS", 0.2)
    assert server.raw(sent) == b""


def test_a_second_head_that_does_not_come_ends_its_connection_too(server, monkeypatch):
    monkeypatch.setattr(serving_server, "HEAD_SECONDS", 0.2)
    answer = server.raw(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /health HT")
    assert answer.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\n" + b"a: " + b"b" * 40_000,
        b"GET /health HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ],
)
def test_what_is_no_http(server, sent):
    assert error_of(server.raw(sent), 400)["code"] == "invalid_http"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/v1/completions", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/v1/%1b%5b31m%ff%00", 404),
        ("GET", "/v1/models/%1b%5b31m%ff", 404),
        ("GET", "/" + "a" * 20_000, 404),
        ("OPTIONS", "/v1/chat/completions", 405),
    ],
)
def test_addresses_that_are_not_there(server, method, path, status):
    sent = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
    found = error_of(server.raw(sent), status)
    assert len(found["message"]) < 500


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "\xff"])
def test_types_that_pages_of_other_sites_can_send(server, kind):
    body = json.dumps(USER).encode()
    assert error_of(server.post(body, content_type=kind), 415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "[", "", "\xff", "8.8.8.8"]
)
def test_a_name_that_leads_here_is_not_enough(server, host):
    """As a page does whose own name was made to lead to this machine."""
    assert error_of(server.post(json.dumps(USER).encode(), host=host), 403)["code"] == "forbidden_host"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:1", "a.localhost", "127.8.8.8"])
def test_names_of_this_machine(server, host):
    assert b" 200 " in server.post(json.dumps(USER | {"max_tokens": 2}).encode(), host=host)[:20]


def test_requests_in_one_go_are_answered_in_order(server):
    body = json.dumps(USER | {"max_tokens": 3}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    one = head + f"content-length: {len(body)}\r\n\r\n".encode() + body
    last = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(one * 3 + last)
        answers = received(connection)
    assert answers.count(b"HTTP/1.1 200") == 4 and answers.rindex(b'"object": "list"') > answers.rindex(
        b'"confidence"'
    )
