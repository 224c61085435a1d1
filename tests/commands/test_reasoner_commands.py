"""`rlv solve` and `rlv verify`: for people and programs; rows that are none are named by their line."""

from __future__ import annotations

import json

import pytest

from rlv.cli import main
from rlv.commands.printing import json_text
from rlv.commands.reasoner import pairs_of, solved_json, solved_lines
from rlv.errors import DataError
from rlv.reasoner import Solution, Solved

QUESTION = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"
ASKED = ("--prompt-style", "plain", "--answer-format", "marker")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_model, tiny_tokenizer):
    made = tmp_path_factory.mktemp("model")
    tiny_model.save_pretrained(made)
    tiny_tokenizer.save_pretrained(made)
    return str(made)


def rows(path, *values) -> str:
    path.write_text("".join(f"{v if isinstance(v, str) else json.dumps(v)}\n" for v in values))
    return str(path)


def test_solve_for_people_and_for_programs(folder, capsys):
    arguments = ["solve", folder, QUESTION, "-n", "3", "--max-tokens", "6", *ASKED]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "judge" in said and len(said.split("answer\n")[-1].splitlines()) == 3
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scored_by"] == "judge" and len(found["solutions"]) == 3
    assert set(found["solutions"][0]) == {"text", "answer", "score", "n_tokens", "finished"}
    assert all(0 <= s["score"] <= 1 and s["n_tokens"] <= 6 for s in found["solutions"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-n", "0"], "n: found 0"),
        (["-n", "100000000"], "n: found 100000000"),
        (["--vote", "pass_at_n"], "knows which answers are right"),
        (["--temperature", "nan"], "temperature"),
        (["--max-tokens", "100000"], "leaves room for"),
        (["--revision", "main"], "no repository of the hub"),
    ],
)
def test_what_solve_cannot_do_is_one_message(folder, capsys, arguments, named):
    assert main(["solve", folder, QUESTION, *ASKED, *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rlv: ") and named in said and "Traceback" not in said


def test_an_empty_question_and_hostile_ones(folder, capsys):
    for question in ("", "   ", "\x1b[2J\u202e", "1 " * 400, "\udcff"):
        assert main(["solve", folder, question, *ASKED]) == 1
        said = capsys.readouterr().err
        assert said.startswith("rlv: ") and said.isprintable() is False  # its line end
        assert said[:-1].isprintable()


def test_hostile_solutions_are_shown_escaped():
    text = "\x1b]0;title\x07 \u202e\x7f\n Answer"
    solved = Solved(text, 1.0, (Solution(text, text, 0.5, 3, True),), "judge")
    assert all(line.isprintable() or not line for line in solved_lines(solved))
    line = json_text(solved_json(solved))
    assert line.isprintable() and json.loads(line)["answer"] == text


def test_nothing_to_vote_for_says_so():
    nothing = Solved(None, 0.0, (Solution("x", None, None, 3, False),), None)
    assert "no answer" in solved_lines(nothing)[0] and "cut off" in solved_lines(nothing)[-1]


def test_verify_prints_and_writes_scores(folder, tmp_path, capsys):
    one, two = ({"question": QUESTION, "solution": f"Answer {k}"} for k in (3, 4))
    file = rows(tmp_path / "rows.jsonl", one, "", two | {"more": 1}, one)
    assert main(["verify", folder, file, "--json", *ASKED]) == 0
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["line"] for row in scores] == [1, 3, 4]
    assert scores[0]["score"] == scores[2]["score"] and 0 <= scores[1]["score"] <= 1
    assert main(["verify", folder, file, *ASKED]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("judge") and said[-1].split() == ["4", f"{scores[2]['score']:.4f}"]
    out = str(tmp_path / "scores.jsonl")
    assert main(["verify", folder, file, "--output", out, *ASKED]) == 0
    assert [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()] == scores
    assert main(["verify", folder, file, "--output", out, *ASKED]) == 1  # never over what is there


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("{", "not JSON"),
        ("[]", r"found \[\]"),
        ("\x00", "not JSON"),
        ({"question": "", "solution": "x"}, "question ''"),
        ({"question": "x"}, "solution None"),
        ({"question": "x", "solution": 3}, "solution 3"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, row, named):
    file = tmp_path / "rows.jsonl"
    rows(file, {"question": "x", "solution": ""}, "", row)
    with pytest.raises(DataError, match=rf"rows.jsonl line 3: .*{named}"):
        list(pairs_of(file))


def test_bad_utf8_and_rows_that_do_not_fit_are_named_too(folder, tmp_path, capsys):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"question": "x", "solution": "\xff"}\n')
    with pytest.raises(DataError, match="line 1"):
        list(pairs_of(file))
    fine = {"question": QUESTION, "solution": "Answer 3"}
    for bad in ({"solution": "1 " * 5000}, {"question": "1 " * 5000}, {"question": "\ud800"}):
        rows(file, fine, fine | bad)
        assert main(["verify", folder, str(file), *ASKED]) == 1
        assert "line 2" in capsys.readouterr().err


def test_no_rows_and_no_file(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n\n")
    for name, named in (("empty.jsonl", "no rows"), ("none", "cannot be read"), (".", "regular file")):
        with pytest.raises(DataError, match=named):
            list(pairs_of(tmp_path / name))
