"""What `rlv evaluate` makes of flags and files that do not fit: a message with the flag to use, or a note."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from rlv.front.describe import name_of
from tests.front.files import plain
from tests.front.test_numbers import COLUMNS
from tests.imported.writing import lines


def test_columns_that_cannot_be_told_are_named_with_the_flag(run, here):
    plain(here / "plain.jsonl")
    status, said, error = run("plain.jsonl", "--out", "out")
    assert status == 1 and said == ""
    assert "it cannot be told which columns hold the solutions" in error and "--map " in error
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "none.jsonl: No such file"),
        (["plain.jsonl", "--map", "text"], "--map text: expected NAME=VALUE, such as text=completion"),
        (["plain.jsonl", "--map", "text=completion", "text=rm"], "text is mapped to completion already"),
        (["plain.jsonl", "--scale", "rm"], "--scale rm: expected NAME=VALUE, such as rm=rank"),
        (
            ["plain.jsonl", *COLUMNS, "--scale", "rm=log"],
            "--scale rm=log: expected one of rank, sigmoid, exp",
        ),
        (["plain.jsonl", *COLUMNS, "-n", "0"], "-n: found 0"),
        (["plain.jsonl", *COLUMNS, "-n", "5"], "5 solutions of each problem are asked for"),
        (["--compare", "plain.jsonl"], "--compare: expected two files or more, found one"),
        (["A b=plain.jsonl"], "a name has a-z, 0-9 and _, found 'A b'; a_b would do"),
        (["one=plain.jsonl", "two=other.jsonl"], "without --compare all files are of one reasoner, 'one'"),
        (["plain.jsonl", *COLUMNS, "--name", "../x"], "--name ../x: expected a-z, 0-9 and -, such as x"),
        (["plain.jsonl", *COLUMNS, "--tokenizer", "none", "--out", "o"], "samples.plain.tokenizer: no such"),
    ],
)
def test_refusals_name_the_flag(run, here, arguments, message):
    plain(here / "plain.jsonl")
    plain(here / "other.jsonl")
    status, _, error = run(*arguments)
    assert status == 1 and message in error.replace("\n", " "), error


def test_files_without_a_common_problem_are_not_compared(run, here):
    plain(here / "a.jsonl")
    rows = [json.loads(line) for line in plain(here / "b.jsonl").read_text().splitlines()]
    lines(here / "b.jsonl", [{**row, "id": f"q{row['id']}"} for row in rows])
    status, _, error = run("--compare", "a.jsonl", "b.jsonl", *COLUMNS)
    assert status == 1 and "none of its 6 problems is among the 6 of a" in error and "--problems" in error


def test_uneven_numbers_are_evaluated_to_the_smallest_or_exactly(run, here):
    rows = [json.loads(line) for line in plain(here / "plain.jsonl").read_text().splitlines()]
    lines(here / "uneven.jsonl", rows[:-2])  # the last problem has 2 of 4
    _, said, _ = run("uneven.jsonl", *COLUMNS, "--out", "smallest")
    assert "6 problems, 2 solutions of each" in said
    study = yaml.safe_load((here / "smallest" / "study.yaml").read_text())
    assert study["samples"]["uneven"]["n"] == 2 and study["evaluation"]["ns"] == [1, 2]
    _, said, log = run("uneven.jsonl", *COLUMNS, "-n", "4", "--out", "exactly")
    assert "5 problems, 4 solutions of each" in said
    assert "1 of 6 problems have fewer than 4 solutions and are left out (first: 'p5' with 2)" in log


def test_a_verifier_that_has_not_scored_everything_is_left_out_and_named(run, here):
    rows = [json.loads(line) for line in plain(here / "plain.jsonl").read_text().splitlines()]
    rows[3]["other"] = None
    lines(here / "gaps.jsonl", rows)
    status, said, _ = run("gaps.jsonl", *COLUMNS, "--out", "out")
    assert status == 0 and "other" not in said.split("accuracy in %")[1]
    study = yaml.safe_load((here / "out" / "study.yaml").read_text())
    assert list(study["verifiers"]) == ["rm"]


def test_a_study_that_somebody_wrote_is_not_written_over(run, here):
    plain(here / "plain.jsonl")
    (here / "out").mkdir()
    (here / "out" / "study.yaml").write_text("name: mine\n")
    status, _, error = run("plain.jsonl", *COLUMNS, "--out", "out")
    assert status == 1 and "not written by `rlv evaluate`; use --out" in error
    assert (here / "out" / "study.yaml").read_text() == "name: mine\n"


def test_the_summary_fits_a_terminal(run, here):
    plain(here / "a.jsonl", wrong=2)
    plain(here / "b.jsonl")
    _, one, _ = run("a.jsonl", *COLUMNS, "--out", "one")
    assert len(one.splitlines()) <= 25
    assert one.splitlines()[-3].startswith("one/index.html")
    _, both, _ = run("--compare", "a.jsonl", "b.jsonl", *COLUMNS, "--out", "both")
    assert "more claims on the page" in both


def test_hostile_names_and_texts_stay_text(run, here):
    name = "</script><b>\u202e=cmd|'/c'!A1"
    lines(
        here / "hostile.jsonl",
        [
            {"id": p, "completion": f"{name}\x1b[31m \\boxed{{{p}}}", "target": p, name: 0.5}
            for p in "ab"
            for _ in range(2)
        ],
    )
    columns = ("--map", "problem_id=id", "text=completion", "answer=target", f"score={name}")
    status, said, error = run("hostile.jsonl", *columns, "--out", "out")
    assert status == 0, error
    assert "\u202e" not in said and "\x1b" not in said
    for page in ("index.html", "solutions.html", "solutions/chunk-0.js"):
        text = (here / "out" / page).read_text()
        assert ("\u202e" not in text and "<b>" not in text.replace("<b>accuracy", "")) or page == "index.html"
    assert "</script><b>" not in (here / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.jsonl", "a"), ("My Run-3.jsonl", "my_run_3"), ("x/solutions.parquet", "x"), ("self.csv", "self_1")],
)
def test_names_of_files_become_names_of_a_study(path, name):
    assert name_of(path) == name
    assert name_of(path, [name]) == f"{name}_2"
    assert name_of("数.jsonl") == "samples"
    assert len(name_of("a" * 400)) <= 48


def test_nothing_of_it_loads_torch(here):
    """With torch and transformers that cannot be imported, as in an environment without them."""
    plain(here / "plain.jsonl")
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'deepspeed', 'safetensors'): sys.modules[name] = None\n"
        "from rlv.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "evaluate", "plain.jsonl", *COLUMNS, "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here)
    assert done.returncode == 0, done.stderr
    assert (here / "out" / "index.html").is_file()
