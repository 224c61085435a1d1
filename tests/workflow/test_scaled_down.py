"""The paper study, scaled down: its own file and code paths, with tiny models of its architectures.

An overlay replaces models, data and sizes, and vLLM by the transformers engine; ranks, ZeRO stages, bfloat16,
prompt styles, budgets, figures and claims stay the paper's. What it computes means nothing.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter

import polars as pl
import pytest
import yaml

from rlv.estimate.gpus import find_gpu
from rlv.estimate.jobs import estimates
from rlv.evaluation.claims.registry import CLAIMS
from rlv.figures import FIGURES
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import STAGES
from tests.finished import finished_store
from tests.tiny_models import FAMILIES, make_model, write_problems
from tests.unsealed import unseal
from tests.workflow.running import planned, rlv, snakemake, workspace

pytestmark = pytest.mark.workflow
STUDY = "paper-scaled"
# The sweep over lambda adds trainings and no code path: its ends stay, of one method. So does one at 7B.
LEFT_OUT = (
    "leave_one_out_7b",
    "leave_one_out_v_7b",
    "grpo_v_005",
    "grpo_v_03",
    "grpo_v_1",
    "leave_one_out_v_001",
    "leave_one_out_v_005",
    "leave_one_out_v_03",
    "leave_one_out_v_1",
)


def overlay(folder) -> dict:
    """What differs from `paper`; models and problems are made in `folder`."""
    sizes = {"train": 24, "tune": 4, "math500": 8, "math_squared": 4, "gpqa_physics": 4, "aime24": 4}
    datasets = {}
    for seed, (name, size) in enumerate(sizes.items(), start=10):
        path = write_problems(folder / f"{name}.jsonl", size, seed)
        gone = dict.fromkeys(("revision", "split", "size", "without"))
        datasets[name] = {"source": "local", "path": str(path), **gone}
    datasets["tune"]["exclude"] = None  # so that it can be counted
    models = {}
    for name in FAMILIES:
        path = make_model(folder / name, name)
        gone = dict.fromkeys(("repo", "revision", "architecture"))
        models[name] = {"source": "local", "path": str(path), **gone}
    long = {"n": 4, "max_tokens": 96, "problems_per_shard": 4, "samples_per_shard": 2}
    models["r1_1_5b"]["sampling"] = long
    models["qwen_7b"]["sampling"] = None
    small = {
        "steps": 2,
        "problems_per_step": 4,
        "solutions_per_problem": 4,
        "epochs": 1,
        "minibatches": 2,
        "learning_rate": 1e-4,
        "max_tokens": 48,
        "continuations": 2,
        "engine": "transformers",
        "ranks": 1,
        "tokens_per_microbatch": 1024,
        "save_every": 1,
    }
    reasoners: dict = dict.fromkeys(LEFT_OUT)
    for name in ("base_cold", "base_cold_7b"):
        reasoners[name] = {"temperature": {"best_of": [0.5, 1.0]}}
    # Two ranks once with gradients divided, once with weights divided; each start takes seconds on a CPU.
    reasoners["grpo_v"] = {"training": {"ranks": 2}}
    for name in ("grpo_7b", "grpo_v_7b"):
        ranks = 2 if name == "grpo_v_7b" else 1
        reasoners[name] = {"training": {"ranks": ranks, "tokens_per_microbatch": 512}}
    # Out of what was trained on, one method is evaluated.
    for name in ("leave_one_out", "leave_one_out_v", "vineppo", "vineppo_v"):
        reasoners[name] = {"evaluate_on": ["math500"]}
    for name in ("r1_grpo", "r1_grpo_v"):
        reasoners[name] = {"training": {"steps": 1, "max_tokens": 64, "ranks": 1}}
    return {
        "extends": "paper",
        "name": STUDY,
        "datasets": datasets,
        "models": models,
        "training": small,
        "reasoners": reasoners,
        "tuning": {"n": 8},
        "verifiers": {
            **{
                name: {"engine": "transformers"}
                for name in ("unified", "judge", "separate_grpo", "separate_leave_one_out")
            },
            "chain": {"engine": "transformers", "chain_tokens": 16},
        },
        "sampling": {
            "engine": "transformers",
            "n": 8,
            "temperature": 1.0,
            "max_tokens": 64,
            "problems_per_shard": 8,
            "samples_per_shard": 8,
        },
        "evaluation": {"ns": [1, 2, 4, 8], "draws": 200},
        "comparisons": {"leave_one_out_7b": None},
        "lengths": {"budgets": [8, 24, 96], "answer_tokens": 12},
        "overhead": {"repeats": 2},
        "figures": {
            "parallel_scaling_7b": {"comparisons": ["grpo_7b"]},
            "coefficient": {
                "reasoners": {"grpo": ["grpo", "grpo_v_001", "grpo_v"], "leave_one_out": None},
            },
            **{
                name: {"comparisons": ["grpo"]}
                for name in (
                    *("generalization", "calibration", "controls", "boundary"),
                    "parallel_scaling_tokens",
                )
            },
        },
    }


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """A folder in which the study is finished; the workflow has published its figures and claims."""
    folder = workspace(tmp_path_factory.mktemp("scaled"))
    study = folder / "config" / "studies" / f"{STUDY}.yaml"
    study.write_text(yaml.safe_dump(overlay(folder), sort_keys=False))
    finished_store(study, folder / "store")
    snakemake(folder, "all", study=STUDY)
    return folder


def test_the_paper_study_is_planned_offline(tmp_path):
    folder = workspace(tmp_path)
    plan = build_plan(load("paper"))
    jobs = planned(snakemake(folder, "all", "-n", study="paper"))
    shown = rlv(folder, "study", "show", study="paper").stdout
    for stage, n in Counter(a.stage for a in plan.artifacts.values()).items():
        assert jobs[stage] == n
        row = next(line.split() for line in shown.splitlines() if line.startswith(f"{stage} "))
        assert row[1] == str(n)
        # GPU hours, their upper bound, and GiB that stay: nothing that is computed on a GPU is free.
        hours, at_most, stays = (float(cell.replace(",", "")) for cell in row[-4:-1])
        on_gpus = any(STAGES[stage].gpus(a) for a in plan.artifacts.values() if a.stage == stage)
        assert (hours > 0) == on_gpus and at_most >= hours and stays >= 0
    assert "assumed" in shown and "GPU hours" in shown and "store GiB" in shown


DRAWN = {figure.drawing or name for name, figure in load("paper").figures.items()}
# Claims about votes, panels and readings at steps, for which a study has to ask.
NOT_ASKED = {
    *("vote_temperature", "confidence_saving", "bayes_vote", "weaver_gap", "added_information"),
    *("first_error", "worst_step"),
}
CLAIMED = {name for name, claim in CLAIMS.items() if claim.about in ("comparisons", "study")} - NOT_ASKED


def test_the_paper_study_is_the_papers() -> None:
    """Its sizes, and that its jobs fit the GPUs that its own header names."""
    study = load("paper")
    plan = build_plan(study)
    assert max(study.evaluation.ns) == 512 and max(study.lengths.budgets) == 8192
    assert set(study.models) == {"qwen_1_5b", "qwen_7b", "r1_1_5b"}
    assert {"train", "tune", "math500", "math_squared", "gpqa_physics", "aime24"} == set(study.datasets)
    methods = {reasoner.advantage for reasoner in study.reasoners.values()} - {None}
    assert methods == {"grpo", "leave_one_out", "vineppo"}
    assert [e.too_large for e in estimates(plan, None, find_gpu("H100-80")) if e.too_large] == []


def test_every_figure_and_every_claim_is_there(scaled):
    results = scaled / "results" / STUDY
    drawn = {p.stem for p in (results / "figures").glob("*.csv")}
    assert drawn == {*DRAWN, "parallel_scaling_7b", "parallel_scaling_tokens"}
    for name in DRAWN:
        for ending in (".png", ".pdf", ".csv", ".rst", *FIGURES[name].texts):
            assert (results / "figures" / f"{name}{ending}").stat().st_size > 0
    board = json.loads((results / "claims.json").read_text())
    assert {row["id"] for row in board} == CLAIMED
    assert "everything is done" in rlv(scaled, "status", study=STUDY).stdout


def test_one_figure_is_drawn_again_alone(scaled):
    (scaled / "results" / STUDY / "figures" / "coefficient.png").unlink()
    shutil.rmtree(unseal(next((scaled / "store" / "figures").glob("coefficient-*"))))
    assert planned(snakemake(scaled, "-n", "coefficient", study=STUDY)) == {"figures": 1, "coefficient": 1}
    snakemake(scaled, "coefficient", study=STUDY)
    assert (scaled / "results" / STUDY / "figures" / "coefficient.png").stat().st_size > 0


def test_a_separate_verifier_read_the_recorded_solutions(scaled):
    recorded = pl.read_parquet(next((scaled / "store/train").glob("grpo-*/rollouts.parquet")))
    steps = pl.read_parquet(next((scaled / "store/train").glob("grpo_verifier-*/steps.parquet")))
    assert steps.height == recorded["step"].n_unique()
    rewards = recorded.group_by("step").agg(pl.col("reward").mean()).sort("step")["reward"]
    assert steps["reward"].to_list() == pytest.approx(rewards.to_list())


def test_trainings_say_how_they_ran_and_are_hugging_face_folders(scaled):
    from transformers import AutoModelForCausalLM

    for name, ranks in (("grpo_v", 2), ("grpo_v_7b", 2), ("grpo", 1)):
        (folder,) = (scaled / "store" / "train").glob(f"{name}-*[0-9a-f]")
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["how"]["ranks"] == ranks
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
        assert str(model.dtype) == "torch.bfloat16"
        steps = pl.read_parquet(folder / "steps.parquet")
        assert steps["step"].to_list() == [1, 2] and steps["policy_loss"].is_finite().all()


def test_some_solutions_of_every_family_are_right(scaled):
    for name in ("base-math500", "base_7b-math500", "r1_base-aime24"):
        (folder,) = (scaled / "store" / "grade").glob(f"{name}-*")
        solutions = pl.read_parquet(folder / "solutions.parquet")
        assert solutions["answer"].is_not_null().any(), name
    # Thoughts that were cut are closed before the answer is forced.
    (folder,) = (scaled / "store" / "grade").glob("r1_grpo-aime24-cut-*")
    forced = pl.read_parquet(folder / "solutions.parquet").filter(pl.col("finish_reason") == "forced")
    assert forced["answer"].is_not_null().any()
