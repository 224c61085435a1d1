"""docs/serving.md is true: its commands and examples run, and its fields and limits are the server's."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlv.commands.serving import add_serve
from rlv.serving import app, server, streams
from rlv.serving.requests import HARMLESS, MOST_BYTES, NEUTRAL, TEMPERATURES, _Body, _Own

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text()
BASH = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(PYTHON,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PLACE = "http://127.0.0.1:8000/v1"


def serve_commands() -> list[list[str]]:
    lines = [line for block in BASH for line in block.splitlines() if line.startswith("rlv serve")]
    return [shlex.split(line)[2:] for line in lines]


@pytest.fixture(scope="module")
def place():
    """Where the page's first server is: at any port, so that no other is disturbed."""
    command = [sys.executable, "-m", "rlv", "serve", *serve_commands()[0], "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        name, found = process.stdout.readline().split()
        assert f"`{name} {PLACE}`" in PAGE
        yield found
    finally:
        process.terminate()
        process.wait(60)


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def named(heading: str) -> set[str]:
    """The fields in the first column of a section's table."""
    rows = [line.split("|")[1] for line in section(heading).splitlines() if line.startswith("| ")]
    return set(re.findall(r"`([a-z_.]+)`", " ".join(rows)))


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_request_with_curl(place):
    (block,) = [block for block in BASH if block.startswith("curl")]
    done = subprocess.run(["bash", "-c", block.replace(PLACE, place)], capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["rlv"]["n"] == 8 and found["choices"][0]["message"]["content"]


def test_the_request_with_openais_client_has_the_fields_of_the_page(place, capsys):
    names: dict = {}
    exec(compile(PYTHON.replace(PLACE, place), "docs/serving.md", "exec"), names)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 8
    own = names["found"].rlv
    assert named("What comes back") == set(own)
    (row,) = [line for line in section("What comes back").splitlines() if line.startswith("| `solutions`")]
    assert set(re.findall(r"`([a-z_]+)`", row)) == {"solutions", *own["solutions"][0]}


def test_the_second_server_has_the_same_options_and_more():
    parser = argparse.ArgumentParser()
    add_serve(parser)
    for arguments in serve_commands():
        parser.parse_args(arguments)
    options = set(re.findall(r"(?<![-|])--[a-z][a-z-]+", PAGE))
    assert options <= set(parser.format_help().replace(",", " ").replace("]", " ").split())


def test_the_table_of_fields_is_what_requests_are_read_by():
    fields = {*_Body.model_fields} - {"rlv"} | {f"rlv.{name}" for name in _Own.model_fields}
    assert {name for name in named("What a request may say") if name not in ("user", "system")} == fields
    told = set(re.findall(r"`([a-z_]+)`", section("What a request may say").split("OpenAI's `n`")[1]))
    assert told <= HARMLESS | NEUTRAL.keys()


def test_numbers_of_the_page():
    assert f"from {TEMPERATURES[0]} to {TEMPERATURES[1]:g}" in PAGE
    assert MOST_BYTES == 2**20 and "larger than 1 MiB" in PAGE
    assert 500 <= server.MOST_CONNECTIONS < 600 and "more than 500 connections" in PAGE
    assert app.PATIENCE == streams.PATIENCE == 10 and "every ten\nseconds" in PAGE


def test_its_key_is_one(monkeypatch):
    (line,) = [line for block in BASH for line in block.splitlines() if line.startswith("export")]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    done = subprocess.run(
        ["bash", "-c", f"{line}; printf %s $RLV_KEY"], capture_output=True, text=True, env=dict(os.environ)
    )
    from rlv.commands.serving import key_of

    monkeypatch.setenv("RLV_KEY", done.stdout)
    assert key_of("RLV_KEY") == done.stdout and len(done.stdout) == 32
