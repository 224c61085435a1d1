"""The command line: light to start, one message for what a user can mend, answers about a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rlv.cli import COMMANDS, main
from rlv.errors import IN_VAIN
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.unsealed import unseal

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def run(capsys, tmp_path, *arguments: str) -> tuple[int, str, str]:
    status = main([*arguments, "--study", "mini", "--store", str(tmp_path)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_planning_and_figures_load_no_model_library():
    program = (
        "import sys; from rlv.plan import build_plan; from rlv.plan.reading import load;"
        "build_plan(load('mini'));"
        "import rlv.figures.parallel_scaling, rlv.evaluation.curves, rlv.commands.status, rlv.commands.study;"
        "print([m for m in ('torch', 'transformers', 'deepspeed', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_loads_no_library():
    program = (
        "import sys; before = set(sys.modules); from rlv.cli import COMMANDS, main\n"
        "try: main(['--help'])\n"
        "except SystemExit: new = [m for name, m in sys.modules.items() if name not in before]\n"
        "print([m.__name__ for m in new if 'site-packages' in (getattr(m, '__file__', None) or '')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0 and said.startswith(f"usage: rlv {command}") and "--upstream" in said


def test_an_empty_store_is_all_missing(capsys, tmp_path):
    status, out, _ = run(capsys, tmp_path, "status")
    plan = build_plan(load("mini"))
    assert status == 0
    assert sum(line.startswith("missing") for line in out.splitlines()) == len(plan.artifacts)


def test_errors_are_one_message_and_a_status(capsys, tmp_path):
    status, _, err = run(capsys, tmp_path, "make", "train/nothing-000000000000")
    assert status == IN_VAIN and err.startswith("rlv: ") and "no artifact" in err and "Traceback" not in err
    status, _, err = run(capsys, tmp_path, "claims")
    assert status == 1 and "not published" in err
    status, _, err = run(capsys, tmp_path, "why", "sample/")
    assert status == 1 and "could be" in err


def test_a_job_that_may_do_better_next_time_has_another_status(capsys, tmp_path):
    made = next(path for path in build_plan(load("mini")).artifacts if path.startswith("grade/"))
    status, _, err = run(capsys, tmp_path, "make", made)
    assert status == 1 and "not published" in err
    other = f"{made[:-12]}{'0' * 12}"
    status, _, err = run(capsys, tmp_path, "make", other)
    assert status == IN_VAIN and f"it is {made} since the study, its data or the code changed" in err


def test_why_names_what_is_missing_and_older_code_is_recognised(capsys, tmp_path):
    store, problems = Store(tmp_path), build_plan(load("mini")).artifacts
    made = next(a for path, a in problems.items() if path.startswith("problems/test-"))
    older = type(made)(made.stage, made.name, made.recipe - 1, made.params)
    with store.publishing(older):
        pass
    assert "made by older code" in run(capsys, tmp_path, "status")[1]
    _, out, _ = run(capsys, tmp_path, "why", made.path)
    assert f"recipe: {older.recipe} -> {made.recipe}" in out
    assert "reach: 8 -> 12" in run(capsys, tmp_path, "diff", made.path, "problems/hard-")[1]


def test_make_publishes_once(capsys, tmp_path):
    path = next(p for p in build_plan(load("mini")).artifacts if p.startswith("problems/hard-"))
    assert "published after" in run(capsys, tmp_path, "make", path)[1]
    assert "already published" in run(capsys, tmp_path, "make", path)[1]
    assert "1 artifacts sound, 0 damaged" in run(capsys, tmp_path, "fsck")[1]
    assert "problems" in run(capsys, tmp_path, "time")[1]
    (unseal(tmp_path / path) / "manifest.json").write_text("{")
    status, out, _ = run(capsys, tmp_path, "fsck")
    assert status == 1 and f"damaged: {path}" in out
    assert "published after" in run(capsys, tmp_path, "make", path)[1]
