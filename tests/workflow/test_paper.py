"""All experiments through Snakemake, on top of a finished smaller study that shares what agrees."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest

from rlv.evaluation.claims import CLAIMS
from rlv.figures import FIGURES
from tests.workflow.running import STUDY, claims, planned, rlv, snakemake

pytestmark = pytest.mark.workflow
PAPER = "smoke-paper"


@pytest.fixture(scope="module")
def paper(finished, tmp_path_factory):
    """The smaller study's folder and store, with all experiments run on top."""
    folder = tmp_path_factory.mktemp("paper") / "study"
    shutil.copytree(finished, folder)
    before = {p: p.read_bytes() for p in (folder / "store").glob("[!.]*/*/manifest.json")}
    listed = snakemake(folder, "all", "-n", study=PAPER)
    # Nothing of the smaller study is made again but what shows more methods: figures and claims.
    shared = [p.parent.name for p in before if p.parent.parent.name not in ("figures", "claims")]
    assert shared and made(listed, shared) == []
    assert made(listed, ["train/vineppo", "training vineppo"])  # and what is new, is listed
    snakemake(folder, "all", study=PAPER)
    assert all(path.read_bytes() == manifest for path, manifest in before.items())
    return folder


def made(listed: str, names: list[str]) -> list[str]:
    """The `names` that stand in the messages of the jobs that a dry run lists: `Job 8: training grpo-...`."""
    jobs = [line for line in listed.splitlines() if line.startswith("Job ")]
    return [name for name in names if any(name in line for line in jobs)]


def test_every_figure_and_every_claim_is_there(paper):
    results = paper / "results" / PAPER
    assert {p.stem for p in (results / "figures").glob("*.csv")} == {*FIGURES, "parallel_scaling_tokens"}
    for name, drawing in FIGURES.items():
        for ending in (".png", ".pdf", ".csv", ".rst", *drawing.texts):
            assert (results / "figures" / f"{name}{ending}").stat().st_size > 0
    board = json.loads((results / "claims.json").read_text())
    assert {row["id"] for row in board} == set(CLAIMS)


def test_the_smaller_study_is_still_done(paper):
    assert "everything is done" in rlv(paper, "status", study=STUDY).stdout
    assert claims(paper, STUDY)


def test_one_figure_is_drawn_again_alone(paper):
    (paper / "results" / PAPER / "figures" / "coefficient.png").unlink()
    shutil.rmtree(next((paper / "store" / "figures").glob("coefficient-*")))
    assert planned(snakemake(paper, "-n", "coefficient", study=PAPER)) == {"figures": 1, "coefficient": 1}
    snakemake(paper, "coefficient", study=PAPER)
    assert (paper / "results" / PAPER / "figures" / "coefficient.png").stat().st_size > 0


def test_a_separate_verifier_read_the_recorded_solutions(paper):
    recorded = pl.read_parquet(next((paper / "store/train").glob("grpo-*/rollouts.parquet")))
    steps = pl.read_parquet(next((paper / "store/train").glob("grpo_verifier-*/steps.parquet")))
    assert steps.height == recorded["step"].n_unique()
    rewards = recorded.group_by("step").agg(pl.col("reward").mean()).sort("step")["reward"]
    assert steps["reward"].to_list() == pytest.approx(rewards.to_list())


def test_costs_and_states_have_answers(paper):
    assert "everything is done" in rlv(paper, "status", study=PAPER).stdout
    assert "force" in rlv(paper, "study", "show", study=PAPER).stdout
