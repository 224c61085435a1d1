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
    _, said, _ = run("uneven.jsonl", *COLUMNS, "-n", "4", "--out", "exactly")
    assert "5 problems, 4 solutions of each" in said
    assert "1 of 6 problems have fewer than 4 solutions and are left out (first: 'p5' with 2)" in said
    page = (here / "exactly" / "index.html").read_text()
    assert "1 of 6 problems have fewer than 4 solutions and are left out" in page


def test_a_verifier_that_has_not_scored_everything_is_left_out_and_named(run, here):
    rows = [json.loads(line) for line in plain(here / "plain.jsonl").read_text().splitlines()]
    rows[3]["other"] = None
    lines(here / "gaps.jsonl", rows)
    status, said, _ = run("gaps.jsonl", *COLUMNS, "--out", "out")
    assert status == 0 and "other" not in said.split("accuracy in %")[1]
    study = yaml.safe_load((here / "out" / "study.yaml").read_text())
    assert list(study["verifiers"]) == ["rm"]


@pytest.mark.parametrize(
    ("columns", "more"),
    [(("text=id",), ()), (("text=completion",), ("--answers", "marker"))],
)
def test_solutions_without_an_answer_are_not_evaluated_to_zero(run, here, columns, more):
    plain(here / "plain.jsonl")
    others = ("--map", "problem_id=id", "answer=target", "score=rm", *columns)
    status, said, error = run("plain.jsonl", *others, *more, "--out", "out")
    assert status == 1 and said == ""
    assert "no answer in any of the first 24 solutions" in error and "--map text=COLUMN" in error


def test_some_solutions_without_an_answer_are_counted_for_the_reader(run, here):
    rows = [json.loads(line) for line in plain(here / "plain.jsonl").read_text().splitlines()]
    rows[1]["completion"] = "I do not know"
    _, said, _ = run(lines(here / "some.jsonl", rows), *COLUMNS, "--out", "out")
    silent = "1 of 24 solutions of some on problems have no answer and cast no vote"
    assert silent in said and silent in (here / "out" / "index.html").read_text()


def test_a_file_of_problems_may_have_names_of_its_own(run, here):
    plain(here / "plain.jsonl")
    lines(here / "p.jsonl", [{"uid": f"p{p}", "gold": str(p), "level": "hard"} for p in range(6)])
    columns = ("--map", "problem_id=id", "text=completion", "score=rm", "--problems", "p.jsonl")
    status, _, error = run("plain.jsonl", *columns)
    assert status == 1 and "problem_id: problem_id or id or unique_id" in error and "--map-problems" in error
    status, said, error = run("plain.jsonl", *columns, "--map-problems", "problem_id=uid", "answer=gold")
    assert status == 0 and "75.0" in said, error
    lines(here / "p.jsonl", [{"id": f"q{p}", "answer": str(p)} for p in range(6)])
    _, _, error = run("plain.jsonl", *columns, "--name", "other")
    assert "0 of 6 problems found in p.jsonl (its ids are such as 'q0', here 'p0')" in error


@pytest.mark.parametrize(
    ("mapping", "meant"),
    [("completion=rm", "did you mean text=rm?"), ("id=problem_id", "did you mean problem_id=id?")],
)
def test_a_field_that_there_is_not_is_explained(run, here, mapping, meant):
    plain(here / "plain.jsonl")
    _, _, error = run("plain.jsonl", "--map", mapping)
    assert meant in error


def test_commands_find_the_study_and_its_store_by_name(run, here, capsys):
    from rlv.cli import main

    plain(here / "plain.jsonl")
    run("plain.jsonl", *COLUMNS, "--name", "found")
    assert main(["claims", "--study", "found"]) == 0
    assert "majority voting" in capsys.readouterr().out
    assert main(["show", "p1", "--study", "results/found/study.yaml"]) == 0


def test_a_study_that_somebody_wrote_is_not_written_over(run, here):
    plain(here / "plain.jsonl")
    (here / "out").mkdir()
    (here / "out" / "study.yaml").write_text("name: mine\n")
    status, _, error = run("plain.jsonl", *COLUMNS, "--out", "out")
    assert status == 1 and "not written by `rlv evaluate`; use --out" in error
    assert (here / "out" / "study.yaml").read_text() == "name: mine\n"


def test_the_summary_fits_a_terminal(run, here):
    plain(here / "a.jsonl", wrong=2, problems=30)
    plain(here / "b.jsonl", problems=30)
    _, one, log = run("a.jsonl", *COLUMNS, "--out", "one")
    assert len(one.splitlines()) <= 22
    assert one.splitlines()[-3].startswith("one/index.html")
    # A line a job, and no more.
    assert all(": published after " in line for line in log.splitlines())
    _, both, _ = run("--compare", "a.jsonl", "b.jsonl", *COLUMNS, "--out", "both")
    assert "more claims on the page" in both and len(both.splitlines()) <= 30
    assert "b over a by one solution" in both


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


def test_two_files_that_disagree_on_references_are_told_apart(run, here):
    rows = [json.loads(line) for line in plain(here / "a.jsonl").read_text().splitlines()]
    lines(here / "b.jsonl", [{**row, "target": "0"} for row in rows])
    _, said, _ = run("--compare", "a.jsonl", "b.jsonl", *COLUMNS, "--out", "out")
    assert "5 of 6 problems have another reference in b than in a (first: 'p1', '0' and '1')" in said


def test_few_problems_decide_nothing(run, here):
    plain(here / "two.jsonl", problems=2)
    _, said, _ = run("two.jsonl", *COLUMNS, "--out", "out")
    assert "2 problems: intervals over so few mean little" in said
    assert "holds" not in said and "undecided" in said


def test_a_folder_that_cannot_be_written_is_one_message(run, here):
    plain(here / "plain.jsonl")
    (here / "file").write_text("")
    status, _, error = run("plain.jsonl", *COLUMNS, "--out", "file/out")
    assert status == 1 and "use --out with a folder to write into" in error


def test_more_votes_stand_in_the_study_and_in_the_summary(run, here):
    plain(here / "plain.jsonl")
    _, said, _ = run("plain.jsonl", *COLUMNS, "--votes", "log_odds", "rank:0.5", "--out", "out")
    assert "log_odds, rm" in said and "rank:0.5, other" in said
    study = yaml.safe_load((here / "out" / "study.yaml").read_text())
    assert study["evaluation"]["votes"] == ["log_odds", "rank:0.5"]
    status, _, error = run("plain.jsonl", *COLUMNS, "--votes", "rank", "--out", "out")
    assert status == 1 and "expected rank:PARAMETER with a number of 0 or more" in error
