"""`rlv show`: one problem in a terminal, by the beginning of its id, with its text escaped."""

from __future__ import annotations

import pytest

from rlv.cli import main
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.finished import tiny_study
from tests.pages.written import publish_tables


def solved(reasoner):
    return [
        ("right\x1b[2J\nsecond", "2\x1b", 0, True),
        ("wrong", "3", 1, False),
        ("silent", None, None, False),
    ]


PROBLEMS = [(name, "Find \u202ex", "2", solved) for name in ("alpha", "alphabet", "beta")]


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    plan = build_plan(load(str(tiny_study(tmp_path))))
    publish_tables(plan, Store(tmp_path / "store"), PROBLEMS, lambda verifier, *rest: 0.25)
    monkeypatch.chdir(tmp_path)

    def shown(*arguments):
        status = main(["show", "--study", "tiny", *arguments])
        return status, capsys.readouterr()

    return shown


def test_the_beginning_of_an_id_is_enough(show):
    status, said = show("b", "--reasoner", "grpo_v")
    assert status == 0
    lines = said.out.splitlines()
    assert lines[0] == "beta (test)" and r"Find \u202ex" in lines and "reference: 2" in lines
    assert "== grpo_v: 1 of 3 right; majority 0.5, weighted by unified 0.5" in lines
    assert r"   + 2\x1b: 1 vote, 0.25 by unified" in lines and "   - 3: 1 vote, 0.25 by unified" in lines
    assert r"   right\x1b[2J" in lines and "   second" in lines
    assert any(line.startswith("-- 2 - no answer; 6 tokens, unified 0.25") for line in lines)
    assert not any(line.startswith("== grpo:") for line in lines) and "\x1b" not in said.out


def test_a_whole_id_comes_before_the_beginning_of_another(show):
    assert show("alpha")[1].out.startswith("alpha (test)")
    status, said = show("alph")
    assert status == 1 and "found alpha (test), alphabet (test); name one" in said.err


def test_fewer_solutions_are_shown_if_asked(show):
    assert "-- 2 more; --solutions 0 shows all" in show("beta", "--solutions", "1")[1].out
    assert "more;" not in show("beta", "--solutions", "0")[1].out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gamma"], "found no problem"),
        (["beta", "--dataset", "x"], "no solutions on 'x'; this study evaluates on test"),
        (["beta", "--reasoner", "x"], "no solutions of 'x'; there are those of"),
    ],
)
def test_unknown_names_are_refused(show, arguments, message):
    status, said = show(*arguments)
    assert status == 1 and message in said.err
