"""Editing the code that draws a figure changes that figure's key; other keys follow recipes only."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlv.commands.status import state, status_lines
from rlv.job import own_code
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.make import make
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store

PACKAGE = Path(own_code.__file__).parents[1]
CODED = {"figures", "claims"}


def forget() -> None:
    for remembered in (own_code._running, own_code._imports, own_code.stage_code):
        remembered.cache_clear()


class Checkout:
    """A copy of the package that may be edited, whose digests are those that plans read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        forget()

    def keys(self) -> dict[str, str]:
        """Stage and name -> key, of all artifacts of the mini study."""
        made = build_plan(load("mini-paper")).artifacts.values()
        return {f"{a.stage}/{a.name}": a.key for a in made}

    def stages(self) -> dict[str, str]:
        return {name: stage.source_code for name, stage in STAGES.items()}


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Iterator[Checkout]:
    folder = tmp_path / "checkout" / "rlv"
    shutil.copytree(
        PACKAGE, folder, ignore=lambda place, names: [n for n in names if n.endswith("safetensors")]
    )
    monkeypatch.setattr(own_code, "__file__", str(folder / "job" / "own_code.py"))
    forget()
    yield Checkout(folder)
    forget()


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("calibration.py", "width=1.2", "width=1.3"), ("calibration.rst.jinja", "To see", "Look")],
)
def test_a_colour_or_a_word_of_one_figure_redraws_that_figure_and_no_other(checkout, file, old, new):
    before = checkout.keys()
    checkout.edit(f"figures/{file}", old, new)
    assert changed(before, checkout.keys()) == {"figures/calibration"}


def test_the_look_of_all_figures_redraws_them_all_and_nothing_else(checkout):
    before = checkout.keys()
    checkout.edit("figures/style.py", '"#0173b2"', '"#000000"')
    assert changed(before, checkout.keys()) == {name for name in before if name.startswith("figures/")}


def test_the_page_of_the_claims_is_its_own(checkout):
    before = checkout.keys()
    checkout.edit("evaluation/claims/page.html.jinja", "#1a1a1a", "#000000")
    assert changed(before, checkout.keys()) == {"claims/claims"}


def test_arithmetic_that_figures_and_claims_share_changes_both(checkout):
    before = checkout.keys()
    checkout.edit("evaluation/ratio.py", "import numpy as np", "import numpy as np\n\nEDITED = 1")
    after = changed(before, checkout.keys())
    assert {"claims/claims", "figures/sequential_parallel"} <= after
    assert {name.split("/")[0] for name in after} == CODED
    assert "figures/training_curves" not in after


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("figures/calibration.py", "from __future__", "# A remark.\n\n\nfrom __future__"),
        ("figures/calibration.py", '"""', '"""Edited. '),
        (
            "figures/__init__.py",
            "FIGURES = ",
            "MORE = 1\nFIGURES = ",
        ),
        (
            "training/losses.py",
            "from __future__ import annotations",
            "from __future__ import annotations\nX = 1",
        ),
        ("prompts.py", "from __future__ import annotations", "from __future__ import annotations\nX = 1"),
        (
            "choosing/candidates.py",
            "from __future__ import annotations",
            "from __future__ import annotations\nX = 1",
        ),
        ("errors.py", "class RlvError", "X = 1\n\n\nclass RlvError"),
    ],
)
def test_what_draws_nothing_changes_no_key(checkout, file, old, new):
    before = checkout.keys()
    checkout.edit(file, old, new)
    assert checkout.keys() == before


def test_only_figures_and_claims_have_code_in_their_keys():
    assert {name for name, stage in STAGES.items() if stage.code is not None} == CODED
    made = build_plan(load("mini-paper")).artifacts.values()
    assert {a.stage for a in made if "code" in a.params} == CODED
    assert all("code" in a.params for a in made if a.stage in CODED)


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        (
            "prompts.py",
            {"model", "pretrain", "train", "overhead", "sample", "force", "score"}
            | {"trace", "attack", "cross_grade"},
        ),
        ("training/worker.py", {"train", "overhead"}),  # started by its name, imported by none
        ("answers/spelling.py", {"grade", "train", "overhead", "attack", "cross_grade"}),
        ("evaluation/curves.py", {"choose", "evaluate", "allocate", "stop", "panel", "locate", "claims"}),
        ("choosing/candidates.py", {"choose"}),
        ("evaluation/claims/rows.py", {"claims"}),
        ("problems/overlap.py", {"overlap", "problems"}),
        ("training/memory.py", set()),
        ("errors.py", set()),
    ],
)
def test_a_stages_code_is_what_it_imports_and_what_lies_beside_it(checkout, file, stages):
    before = checkout.stages()
    text = "class" if file == "errors.py" else "from __future__ import annotations\n"
    checkout.edit(file, text, f"{text}X = 1\n" if file != "errors.py" else "X = 1\nclass")
    assert changed(before, checkout.stages()) == stages


TEXT = '''"""A module.

With a docstring.
"""
from x import y  # a remark


class A:
    """A class."""

    page = """
# No remark.

  of lines
"""

    def f(self):
        # A remark.
        """A method."""
        return [
            "#",  # a remark

            f"{y:>{1}} # {{}}",
        ]
'''
RUNS = '''from x import y
class A:
    page = """
# No remark.

  of lines
"""
    def f(self):
        return [
            "#",
            f"{y:>{1}} # {{}}",
        ]'''


def test_what_python_does_not_run_is_left_out(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(TEXT)
    assert own_code._running(file).strip() == RUNS
    assert ast.dump(ast.parse(own_code._running(file))) == ast.dump(ast.parse(RUNS))


def test_what_is_digested_of_this_project_is_all_that_runs():
    """Of every module the same syntax tree, but for docstrings."""
    compared = 0
    for file in sorted(PACKAGE.rglob("*.py")):
        try:
            left = ast.parse(own_code._running(file))
        except SyntaxError:  # if a docstring was all of a body
            assert not {"figures", "evaluation"} & set(file.parts), "a digest of drawing code must be whole"
            continue
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [line for line in body if not _is_text(line)]
        assert ast.dump(tree) == ast.dump(left), file
        compared += 1
    assert compared > 100


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def test_what_is_imported_is_what_python_imports():
    for file in sorted(PACKAGE.rglob("*.py")):
        wanted = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {name if own_code._file(name) else node.module for name in inside}
        ours = {name for name in wanted if name.split(".")[0] == PACKAGE.name}
        assert set(own_code._imports(file)) == ours, file


def test_imports_name_their_package():
    """Those relative to a module are not followed, so there are none."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), file


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_reads_the_same_digests(version):
    python = shutil.which(f"python{version}")
    # A name that stands for no Python, as version managers put on the PATH, is none.
    if python is None or subprocess.run([python, "--version"], capture_output=True).returncode:
        pytest.skip(f"no python{version} here")
    file = PACKAGE / "job" / "own_code.py"
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('rlv.job.own_code', {str(file)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(*(module.stage_code(name) for name in sys.argv[1:]))\n"
    )
    modules = sorted({stage.run.__module__ for stage in STAGES.values()})
    done = subprocess.run([python, "-I", "-c", script, *modules], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [own_code.stage_code(module) for module in modules]


def test_status_names_what_other_code_of_a_stage_made(checkout, tmp_path):
    plan, store = build_plan(load("mini")), Store(tmp_path / "store")
    made = next(a for a in plan.artifacts.values() if a.stage == "problems")
    make(made, store, log=lambda line: None)
    assert not any("other code" in line for line in status_lines(plan, store))
    checkout.edit("problems/table.py", "from __future__ import annotations", "X = 1  # instead")
    lines = [line for line in status_lines(plan, store) if line.startswith("other code ")]
    assert len(lines) == 2 and made.path in lines[0] and "made by other code of this stage" in lines[0]
    assert state(made, store) == "done" and not make(made, store, log=lambda line: None)


def test_a_figure_drawn_by_older_code_is_said_to_be(checkout, tmp_path):
    store = Store(tmp_path / "store")
    figure = build_plan(load("mini")).figures["calibration"]
    with store.publishing(figure):
        pass
    assert state(figure, store) == "done"
    checkout.edit("figures/calibration.py", "width=1.2", "width=1.3")
    again = build_plan(load("mini")).figures["calibration"]
    assert state(again, store) == "made by older code"
    other = Artifact("figures", figure.name, figure.recipe, {**again.params, "draws": 7}, figure.inputs)
    assert state(other, store) == "missing"
