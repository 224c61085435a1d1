"""A study on vLLM alone through the workflow: training on two ranks, sampling and scoring, up to evaluation.

The smoke study with one reasoner, and as few starts of the engine as that allows.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.snakemake.receipts import Receipts
from rlv.store import Store
from tests.workflow.running import rlv, snakemake, workspace

pytestmark = pytest.mark.workflow
STUDY = "on-vllm"
OVERLAY = {
    "extends": "smoke",
    "name": STUDY,
    "datasets": {"hard": None, "ood": None, "tune": None},
    "tuning": None,
    "training": {
        **{"engine": "vllm", "dtype": "bfloat16", "ranks": 2, "zero_stage": 2},
        **{"steps": 2, "max_batch": 16},
    },
    "reasoners": {
        "base": {"evaluate_on": []},
        **dict.fromkeys(("base_cold", "grpo")),
        "grpo_v": {"verifiers": ["unified"], "evaluate_on": ["test"]},
    },
    "comparisons": {"grpo": None},
    "verifiers": {"unified": {"engine": "vllm"}},
    "sampling": {"engine": "vllm", "n": 4},
    "evaluation": {"ns": [1, 2, 4]},
    "figures": dict.fromkeys(
        ("parallel_scaling", "controls", "strategies", "generalization", "calibration", "training_curves")
    ),
    "claims": None,
    "overhead": None,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = workspace(tmp_path_factory.mktemp("vllm"))
    (folder / "config" / "studies" / f"{STUDY}.yaml").write_text(yaml.safe_dump(OVERLAY, sort_keys=False))
    said = rlv(folder, "study", "check", study=STUDY)
    assert said.returncode == 0, said.stderr
    path = folder / "config" / "studies" / f"{STUDY}.yaml"
    receipts = Receipts(Path("results"), Store(folder / "store"))
    evaluations = [a for a in build_plan(load(str(path))).artifacts.values() if a.stage == "evaluate"]
    snakemake(folder, *(str(receipts.path(a)) for a in evaluations), study=STUDY)
    return folder


def test_it_is_evaluated(finished) -> None:
    (curves,) = (finished / "store" / "evaluate").glob("*/curves.parquet")
    accuracy = pl.read_parquet(curves)["accuracy"]
    assert len(accuracy) > 0 and accuracy.is_between(0, 1).all()


def test_every_stage_ran_on_vllm(finished) -> None:
    for stage in ("train", "sample", "score"):
        found = list((finished / "store" / stage).glob("grpo_v*/manifest.json"))
        assert found, stage
        for path in found:
            assert json.loads(path.read_text())["spec"]["params"]["engine"] == "vllm", stage
    (training,) = (finished / "store" / "train").glob("grpo_v-*/manifest.json")
    assert json.loads(training.read_text())["how"]["ranks"] == 2
    steps = pl.read_parquet(training.parent / "steps.parquet")
    assert steps["step"].to_list() == [1, 2]


def test_what_was_sampled_was_scored(finished) -> None:
    store = finished / "store"
    samples = pl.concat(pl.read_parquet(p) for p in store.glob("sample/grpo_v*/samples.parquet"))
    scores = pl.concat(pl.read_parquet(p) for p in store.glob("score/*grpo_v*/scores.parquet"))
    assert len(samples) == len(scores) == 16 * 4
    assert scores["score"].is_between(0, 1).all() and scores["score"].n_unique() > 10
