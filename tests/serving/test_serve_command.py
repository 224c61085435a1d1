"""`rlv serve`: what it loads, what it refuses before it loads a model, and a process that serves and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import openai
import pytest

from rlv.cli import main
from rlv.commands import serving

from .conftest import BASE, QUESTION

ROOT = Path(__file__).parents[2]
ASKED = ("--prompt-style", "plain", "--answer-format", "marker")


def test_help_loads_neither_the_model_nor_the_server():
    program = (
        "import sys; from rlv.cli import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('torch', 'transformers', 'starlette', 'uvicorn', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_libraries_that_are_missing_are_named_with_the_extra(monkeypatch, capsys):
    find = serving.importlib.util.find_spec
    monkeypatch.setattr(
        serving.importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    assert main(["serve", str(BASE)]) == 1
    said = capsys.readouterr().err
    assert "uvicorn" in said and 'pip install "rlv[serve]"' in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--n", "0"], "--n: found 0"),
        (["--max-n", "-1"], "--max-n: found -1"),
        (["--n", "65"], "--n: found 65, expected at most 64"),
        (["--max-tokens", "0"], "--max-tokens: found 0"),
        (["--queue", "0"], "--queue: found 0"),
        (["--port", "65536"], "--port: found 65536"),
        (["--port", "-1"], "--port: found -1"),
        (["--vote", "pass_at_n"], "knows which answers are right"),
        (["--host", "999.1.1.1"], "no address of this machine"),
        (["--host", "a" * 300], "no address of this machine"),
        (["--host", "8.8.8.8"], "cannot be had"),
        (["--api-key-env", "RLV_NO_SUCH_KEY"], "export RLV_NO_SUCH_KEY"),
        (["--api-key-env", "RLV_BAD_KEY"], "other characters"),
        (["--port", "0"], "no such folder"),  # the last of all: the model
    ],
)
def test_what_cannot_be_is_one_message_before_a_model_is_loaded(capsys, monkeypatch, arguments, named):
    monkeypatch.setenv("RLV_BAD_KEY", "open sesame\n")
    assert main(["serve", "/no/such/model", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rlv: ") and named in said and "Traceback" not in said and "sesame" not in said


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["serve", "/no/such/model", "--port", str(other.getsockname()[1])]) == 1
    assert "cannot be had" in capsys.readouterr().err


def started(*arguments: str, **variables: str) -> tuple[subprocess.Popen[str], str, str]:
    """A process that serves the mini base, the name of its model, and its URL."""
    command = [sys.executable, "-m", "rlv", "serve", str(BASE), *ASKED, "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )
    assert process.stdout is not None
    found = re.fullmatch(r"(\S+): (http://\S+/v1)\n", process.stdout.readline())
    assert found is not None, process.communicate()
    return process, found[1], found[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(number):
    process, name, url = started("--n", "3", "--max-tokens", "30")
    try:
        assert name == "base" and url.startswith("http://127.0.0.1:")
        client = openai.OpenAI(base_url=url, api_key="none")
        messages: list = [{"role": "user", "content": QUESTION}]
        assert client.chat.completions.create(model=name, messages=messages).rlv["n"] == 3
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGTERM) and "Traceback" not in said
        assert "warning" not in said
    finally:
        process.kill()
        process.wait()


def test_an_address_that_others_reach_is_warned_of_unless_there_is_a_key():
    for arguments, warned in (((), True), (("--api-key-env", "RLV_KEY"), False)):
        process, name, url = started("--host", "0.0.0.0", "--name", "a/b", *arguments, RLV_KEY="sesame")
        try:
            local = url.replace("0.0.0.0", "localhost")
            assert openai.OpenAI(base_url=local, api_key="sesame").models.retrieve("a/b").id == name == "a/b"
            process.terminate()
            _, said = process.communicate(timeout=60)
            assert ("everybody who reaches 0.0.0.0" in said) == warned and "sesame" not in said
        finally:
            process.kill()
            process.wait()
