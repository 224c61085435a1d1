"""The study of the map, scaled down: its own file and code paths, on a handful of problems.

An overlay makes data and trainings small; verifiers, panels, votes, rules, attacks, figures and claims stay
the study's. Its processes stay, so that a test pays for each artifact and not for two hundred starts. What it
computes means nothing.
"""

from __future__ import annotations

import shutil

import polars as pl
import pytest
import yaml

from rlv import tables
from rlv.figures import FIGURES
from rlv.pages.explorer import write_explorer
from rlv.pages.results import write_results
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.finished import ROOT, finished_store, once

pytestmark = pytest.mark.workflow
OVERLAY = {
    "extends": "mini-map",
    "name": "small-map",
    "datasets": {"train": {"size": 32}, "tune": {"size": 8}, "test": {"size": 12}, "hard": {"size": 8}}
    | {"ood": {"size": 4}},
    "training": {"steps": 1, "problems_per_step": 4, "solutions_per_problem": 4},
    "tuning": {"n": 8},
    "sampling": {"n": 8, "problems_per_shard": 16, "samples_per_shard": 8},
    "evaluation": {"ns": [1, 2, 4, 8], "draws": 100, "subsets": 16},
    "stopping": {"orders": 8, "warm_up": 2},
    "allocation": {"bins": 2, "probe": 2},
    "attacks": {"problems": 6},
    "overhead": {"repeats": 2},
    "lengths": {"budgets": [14, 28]},
    "predictions": None,
}
# The claims of the map: of other papers, and of what others ask of a verifier.
OF_THE_MAP = {
    *("vote_temperature", "confidence_saving", "bayes_vote", "best_of_n_decay", "weaver_gap"),
    *("added_information", "boundary", "regret", "first_error", "worst_step", "compute_optimal"),
    *("compute_optimal_null", "voting_first", "robust_keys", "stop_saving", "stop_verifier"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(plan, store) of the finished study."""

    def build(folder):
        shutil.copytree(ROOT / "config" / "studies", folder / "studies")
        (folder / "studies" / "small-map.yaml").write_text(yaml.safe_dump(OVERLAY))
        finished_store(folder / "studies" / "small-map.yaml", folder / "store")

    folder = once(tmp_path_factory.getbasetemp(), "small-map", build)
    return build_plan(load(str(folder / "studies" / "small-map.yaml"))), Store(folder / "store")


def read(made, artifact, table):
    _, store = made
    return tables.read(store.open(artifact, f"{table}.parquet"), table)


def test_nothing_is_trained_or_sampled_that_mini_paper_has_not():
    ours, theirs = (build_plan(load(study)).artifacts for study in ("mini-map", "mini-paper"))
    for path, artifact in ours.items():
        if artifact.stage in ("model", "problems", "train", "sample", "force"):
            assert path in theirs, path


def test_every_figure_has_a_picture_numbers_and_a_caption(made):
    plan, store = made
    for name, artifact in plan.figures.items():
        for ending in (".png", ".pdf", ".csv", ".rst"):
            assert store.open(artifact, f"{name}{ending}").stat().st_size > 0, name
        assert "nan" not in store.open(artifact, f"{name}.rst").read_text().split(), name


def test_every_claim_of_the_map_has_rows(made):
    plan, _ = made
    board = read(made, plan.claims, "claims")
    assert set(board["id"]) >= OF_THE_MAP
    assert board.select("id", "statement").is_unique().all()
    assert board["detail"].str.len_chars().min() > 0
    assert board.filter(pl.col("statement").str.len_chars() > 175).is_empty()


def test_its_pages_lack_nothing(made, tmp_path):
    plan, store = made
    lacking: list[str] = []
    solutions = write_explorer(plan, store, tmp_path, lacking.append)
    write_results(plan, store, tmp_path, solutions=solutions, note=lacking.append)
    assert solutions > 0 and lacking == []
    page = (tmp_path / "index.html").read_text()
    assert all(name in page for name in plan.figures)


def test_whatever_is_drawn_is_drawn_somewhere():
    """Every figure of ours is in a study that is shipped, but for those of files of others."""
    drawn = set()
    for study in ("paper", "mini-paper", "mini-map"):
        drawn |= {figure.drawing or name for name, figure in load(study).figures.items()}
    assert set(FIGURES.own) - drawn <= {"votes", "reliability", "solve_or_verify", "graders"}
