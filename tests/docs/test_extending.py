"""docs/extending.md is true: its blocks run, their tests pass, and studies can name what they add."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from rlv.attacks import ATTACKS
from rlv.evaluation.allocation.bins import DIFFICULTIES
from rlv.evaluation.curves import evaluate
from rlv.evaluation.panels import PANELS
from rlv.evaluation.stopping.prunes import PRUNES
from rlv.evaluation.stopping.rules import STOPS
from rlv.evaluation.votes import VOTES
from rlv.figures import FIGURES
from rlv.graders import GRADERS
from rlv.models.flops import shape_of
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.problems import SOURCES
from rlv.sampling import SamplingParams, sample_shard
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES
from rlv.scoring.aggregations import AGGREGATIONS
from rlv.scoring.kept_table import kept_table
from rlv.training.advantages import ADVANTAGES
from rlv.training.loop import train
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run
from rlv.training.sources import Sampled
from tests.evaluation.tables_for_tests import make_tables

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()
BLOCK = re.compile(r"^```python\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = {part.split("\n", 1)[0]: BLOCK.findall(part) for part in PAGE.split("\n## ")[1:]}


@pytest.fixture
def registries():
    """Puts the dictionaries back as they were."""
    methods = (ADVANTAGES, SCORES, AGGREGATIONS, PANELS, VOTES, SOURCES, FIGURES, OBJECTIVES)
    methods += (DIFFICULTIES, STOPS, PRUNES, ATTACKS, GRADERS)
    tables = [registry.own for registry in methods] + [VOTES.families]
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)
    sys.modules.pop("rlv.figures.verifier_auroc", None)


def run(section: str) -> dict:
    """Execute both blocks of a section in one namespace; returns it."""
    (added, code), (tested, test) = SECTIONS[section]
    assert added.startswith("rlv/") and tested.startswith("tests/")
    module = types.ModuleType(added.removesuffix(".py").replace("/", "."))
    exec(compile(code, added, "exec"), vars(module))
    if not (ROOT / added).exists():  # a new module, as a figure is
        sys.modules[module.__name__] = module
    exec(compile(test, tested, "exec"), vars(module))
    return vars(module)


def study(tmp_path, text: str):
    """The mini study with a line of the page on top."""
    (tmp_path / "mini.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(f"extends: mini\nname: mine\n{text}\n")
    return load(str(tmp_path / "mine.yaml"))


def lines_of(section: str) -> str:
    """The study lines (indented by four) that a section ends with."""
    part = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0].split("```")[-1]
    return "\n".join(line[4:] for line in part.splitlines() if line.startswith("    "))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_block_runs_and_its_test_passes(section, registries, tmp_path):
    names = run(section)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test(*[tmp_path] * test.__code__.co_argcount)


@pytest.mark.parametrize(
    "section",
    [
        *("An advantage", "A verification objective", "A score", "An aggregation", "A panel", "A data set"),
        *("An attack", "A grader", "A difficulty", "A stopping rule", "A prune", "A figure"),
    ],
)
def test_a_study_can_name_what_was_added(section, registries, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    before = build_plan(load("mini")).artifacts
    with pytest.raises(Exception, match="no "):
        study(tmp_path, lines_of(section))
    run(section)
    added = study(tmp_path, lines_of(section))
    # What was there keeps its key; the scoreboard is of all that a study has.
    kept = {path for path in before if not path.startswith("claims/")}
    assert kept <= set(build_plan(added).artifacts)


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("An advantage", {"advantage": "dr_grpo"}),
        ("A verification objective", {"verification_objective": "brier", "verification_coefficient": 0.1}),
    ],
)
def test_what_was_added_trains(section, changes, registries, tmp_path):
    run(section)
    problems = SOURCES["mini"].load(form="quadratic", reach=7, split="train", size=4)
    config = Run.of(**changes, steps=1, problems_per_step=2, solutions_per_problem=2, max_tokens=16)
    folders = {"work_dir": tmp_path / "work", "out_dir": tmp_path / "out"}
    train(config, Sampled(problems), model_dir=ROOT / "rlv/mini/base", log=lambda _: None, **folders)
    assert (tmp_path / "out" / "model.safetensors").stat().st_size > 0


def test_an_added_score_reads_a_shard(registries, tiny_model, tiny_tokenizer):
    run("A score")
    problems = SOURCES["mini"].load(form="quadratic", reach=7, split="train", size=2)
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    budget = SamplingParams(max_tokens=8)
    shape = shape_of(tiny_model)
    samples = sample_shard(engine, tiny_tokenizer, shape, problems, range(3), budget, "plain", 0)
    score = SCORES["share_sure"]
    scores = kept_table(score.kept, score.needs, samples)
    sure = [sum(logprob > np.log(0.5) for logprob in row) / len(row) for row in samples["token_logprobs"]]
    np.testing.assert_allclose(scores["score"], sure)
    assert scores["flops"].to_list() == [0.0] * 6


def test_an_added_vote_is_in_every_evaluation(registries):
    run("A vote")
    rng = np.random.default_rng(0)
    classes_PS = rng.integers(0, 3, (4, 6))
    solutions, scores = make_tables(classes_PS, classes_PS == 0, rng.random((4, 6)))
    curves, _ = evaluate(
        solutions, scores, dataset="d", reasoner="r", verifier="v", ns=[1, 4], draws=100, subsets=20
    )
    assert curves.filter(strategy="squared_voting")["verifier"].to_list() == ["v", "v"]
