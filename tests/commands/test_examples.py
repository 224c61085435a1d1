"""Every command has examples, which its own parser takes, and stands under one question of `rlv --help`."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rlv.cli import COMMANDS, main, parser
from rlv.commands.examples import EXAMPLES, FIRST, QUESTIONS

ROOT = Path(__file__).parents[2]
STUDIES = {file.stem for file in (ROOT / "config" / "studies").glob("*.yaml")}
TYPED = [line for examples in (FIRST, *EXAMPLES.values()) for line, _ in examples]


def test_every_command_has_examples_and_one_question():
    asked = [name for names in QUESTIONS.values() for name in names]
    assert sorted(asked) == sorted(COMMANDS) == sorted(EXAMPLES)
    assert all(EXAMPLES.values())


@pytest.mark.parametrize(
    "line", [line for line in TYPED if line.startswith("rlv ") and "COMMAND" not in line]
)
def test_an_example_can_be_typed(line):
    words = shlex.split(line)
    # What a shell takes for itself: a file to write.
    options = parser().parse_args(words[1 : words.index(">") if ">" in words else None])
    study = options.study or (options.command in ("study", "plan", "fetch") and options.name)
    assert not study or study in STUDIES


def test_the_examples_of_a_command_are_its_own():
    for name, examples in EXAMPLES.items():
        assert all(line.split()[:2] == ["rlv", name] for line, _ in examples)


@pytest.mark.parametrize("columns", ["60", "100"])
def test_help_names_every_command_under_its_question(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for question, names in QUESTIONS.items():
        part = said.split(f"\n{question}\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in part.splitlines() if line[2] != " "] == list(names)
        assert all(len(line) <= int(columns) for line in part.splitlines())
    with pytest.raises(SystemExit):
        main(["status", "--help"])
    assert "\nexamples:\n  rlv status " in capsys.readouterr().out
