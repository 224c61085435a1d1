"""What the rule of each stage asks for, on a cluster and elsewhere, and the command of its jobs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.plan.rules import rule_name
from rlv.run.stages import STAGES
from rlv.snakemake.jobs import Jobs
from rlv.snakemake.receipts import Receipts
from rlv.snakemake.workflow import SlurmRules
from rlv.store import Artifact, Store

ROOT = Path(__file__).parents[2]
PLAN = build_plan(load("mini"))
STORE = Store("a store")


def jobs(slurm: bool = False, submits: bool = True) -> Jobs:
    rules = SlurmRules({}, PLAN, STORE, submits=submits) if slurm else None
    return Jobs(PLAN, Receipts(Path("results"), STORE), "mini", rules, deployed=False)


def of(artifact: Artifact) -> SimpleNamespace:
    """The wildcards of a job."""
    return SimpleNamespace(artifact=artifact.directory)


def some(stage: str) -> Artifact:
    return next(a for a in PLAN.artifacts.values() if a.stage == stage)


def test_elsewhere_a_stage_asks_for_what_its_record_states():
    for artifact in PLAN.artifacts.values():
        record, asked = STAGES[artifact.stage], jobs().resources(artifact.stage)
        assert (asked["mem_mb"], asked["runtime"]) == (record.memory_mb, record.minutes)
        assert (asked["gpu"](of(artifact)) or 0) == record.gpus(artifact)
        assert jobs().threads(artifact.stage)(of(artifact)) == record.threads(artifact)
        assert jobs().retries(artifact.stage) is None


@pytest.mark.parametrize("stage", STAGES)
def test_on_a_cluster_every_stage_asks_through_the_site(stage):
    asked = jobs(slurm=True).resources(stage)
    assert "slurm_partition" in asked and ("attempt" in asked) == STAGES[stage].resumes
    # As many retries as the length of a job needs, decided by the process that submits.
    assert (jobs(slurm=True).retries(stage) is not None) == STAGES[stage].resumes
    assert jobs(slurm=True, submits=False).retries(stage) is None


def test_a_job_reads_receipts_of_what_its_artifact_is_made_from():
    artifact = some("train")
    inputs = jobs().inputs("train")(of(artifact))
    assert {Path(str(i)).parts[-2:] for i in inputs} == {
        (a.stage, a.directory) for a in artifact.inputs.values()
    }
    assert all(i.flags["ancient"] for i in inputs)


@pytest.mark.parametrize("slurm", [True, False])
def test_the_command_makes_the_artifact_and_counts_the_tries_of_what_resumes(slurm):
    for stage in ("train", "grade"):
        artifact, more = some(stage), {"resources": SimpleNamespace(attempt=2)}
        counts = slurm and STAGES[stage].resumes
        command = jobs(slurm).command(stage)
        words = shlex.split(command(of(artifact), output=["a receipt"], **(more if counts else {})))
        begins = ["RLV_ATTEMPT=2"] if counts else []
        options = ["--study=mini", "--store=a store", "--upstream=", "--receipt=a receipt"]
        assert words == [*begins, "exec", sys.executable, "-m", "rlv", "make", *options, artifact.path]


def test_engines_need_their_environment_and_the_rest_needs_none_of_it():
    assert {stage: jobs().environment(stage) for stage in STAGES if not STAGES[stage].runs_models} == {
        stage: "../../envs/cpu.yaml" for stage in STAGES if not STAGES[stage].runs_models
    }
    on_vllm = Jobs(build_plan(load("paper")), Receipts(Path("r"), STORE), "paper", deployed=True)
    assert on_vllm.environment("sample").endswith("gpu.yaml") and on_vllm.rlv == "python -m rlv"


def test_every_rule_that_a_profile_names_is_a_stages():
    names = {rule_name(stage) for stage in STAGES}
    assert len(names) == len(STAGES)
    for profile in (ROOT / "profiles").glob("*/config.yaml"):
        settings = yaml.safe_load(profile.read_text()).get("set-threads", [])
        assert {word.split("=")[0] for word in settings} <= names
