"""Whatever is true of a stage stands in its record: no other module knows a stage by its name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.job import Stage
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.make import make
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store

ROOT = Path(__file__).parents[2]
# Where names and records meet.
THE_LIST = ROOT / "rlv/run/stages.py"
# Names of stages that are also the roles of inputs.
ALSO_ROLES = {"model", "problems"}
WORKFLOW = re.compile(r"\bstages?\b\s*(==|!=|(not )?in\b)\s*[\"'(\[{]|[\"']\s*(==|!=)\s*\w*\.?stage\b")


def names_a_stage(node: ast.expr) -> bool:
    """Whether an expression is a text, or a collection with a text in it."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


def is_stage(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr in ("stage", "stages")) or (
        isinstance(node, ast.Name) and node.id in ("stage", "stages", "STAGES")
    )


def lists_stages(node: ast.AST) -> bool:
    """Whether it is a collection of several names of stages, or a table by them, and of no more."""
    match node:
        case ast.Dict():
            # Of a key that is a tuple, its first part.
            parts = [key.elts[0] if isinstance(key, ast.Tuple) and key.elts else key for key in node.keys]
        case ast.Tuple() | ast.List() | ast.Set():
            parts = node.elts
        case _:
            return False
    texts = {part.value for part in parts if isinstance(part, ast.Constant)}
    return len(texts) == len(parts) > 1 and texts <= STAGES.keys() and not texts <= ALSO_ROLES


def knows_a_stage(node: ast.AST) -> bool:
    match node:
        case ast.Compare():
            others = [side for side in (node.left, *node.comparators) if not is_stage(side)]
            # `name in STAGES` asks whether there is such a stage, not which.
            held = isinstance(node.ops[0], ast.Eq | ast.NotEq)
            return len(others) <= len(node.comparators) and any(
                names_a_stage(other) or (held and isinstance(other, ast.Name)) for other in others
            )
        case ast.Match():
            return is_stage(node.subject)
        case ast.Subscript(value=ast.Name(id="STAGES"), slice=ast.Constant()):
            return True
        case ast.Call(func=ast.Attribute(value=asked, attr=attr), args=[ast.Constant(value=str(text)), *_]):
            named = attr == "startswith" and text.endswith("/") and text.removesuffix("/") in STAGES
            return named or is_stage(asked)
    return lists_stages(node)


def found(source: str) -> list[int]:
    return [node.lineno for node in ast.walk(ast.parse(source)) if knows_a_stage(node)]  # pyright: ignore


def test_no_module_knows_a_stage_by_its_name():
    files = [file for file in sorted((ROOT / "rlv").rglob("*.py")) if file != THE_LIST]
    assert [f"{file}:{line}" for file in files for line in found(file.read_text())] == []


def test_no_rule_knows_a_stage_by_its_name():
    files = [ROOT / "workflow/Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
    lines = ((file, line) for file in files for line in file.read_text().splitlines())
    assert [f"{file}: {line}" for file, line in lines if WORKFLOW.search(line)] == []


@pytest.mark.parametrize(
    "source",
    [
        "artifact.stage == 'train'",
        "'train' != stage",
        "artifact.stage in ('train', other)",
        "a.stage not in {'model'}",
        "ON_GPU = ('train', 'sample')",
        "PASSES = {'train': f, 'sample': g}",
        "path.startswith('train/')",
        "a.stage != source",
        "a.stage.startswith('train')",
        "STAGES['train']",
        "STAGES.get('train')",
        "READERS: dict[str, F] = {'train': f, 'sample': g}",
        "READERS = {('train', 'a'): f, ('claims', 'b'): g}",
        "def f():\n    return {'train': 1, 'sample': 2}[stage]",
    ],
)
def test_a_comparison_would_be_found(source):
    assert found(source)


@pytest.mark.parametrize("line", ["if stage == 'x':", "if a.stage in ('x',)", "if 'x' == a.stage"])
def test_a_comparison_in_a_rule_would_be_found(line):
    assert WORKFLOW.search(line)


@pytest.mark.parametrize(
    "source", ["parent.stage == artifact.stage", "stage == 3", "a.stage in STAGES", "name not in STAGES"]
)
def test_other_comparisons_are_none(source):
    assert not found(source)


def test_records_state_tables_that_have_a_contract():
    for artifact in build_plan(load("mini-paper")).artifacts.values():
        assert set(STAGES[artifact.stage].leaves(artifact)) <= set(tables.SCHEMAS), artifact.path


@pytest.mark.parametrize("left", [(), ("claims", "samples"), ("samples",)])
def test_a_stage_that_leaves_other_tables_than_it_states_publishes_nothing(tmp_path, monkeypatch, left):
    def run(job):
        for name in left:
            (job.out / f"{name}.parquet").write_bytes(b"rows")
        return {}

    stage = Stage(1, run, "making", 1, 1, leaves=lambda artifact: ("claims",))
    monkeypatch.setitem(STAGES, "stage", stage)
    made, store = Artifact("stage", "a", 1, {}), Store(tmp_path)
    with pytest.raises(DataError, match=r"stage/a-.*expected the tables \['claims'\].*`leaves`"):
        make(made, store, log=lambda line: None)
    assert not store.exists(made)
