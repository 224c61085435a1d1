"""What jobs ask for: one copy with all its GPUs, growth on a retry, limits, retries of long trainings."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from rlv.cluster.inventory import parse_partitions
from rlv.cluster.resources import NAMES, Planner, gpu_for_estimates
from rlv.cluster.site import read_site
from rlv.errors import StudyError
from rlv.estimate.gpus import find_gpu
from rlv.estimate.jobs import Estimate, estimates
from rlv.job.assumptions import Assumptions
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.devices import gpus_of
from rlv.run.stages import STAGES
from rlv.scoring import SCORES
from rlv.snakemake.receipts import Receipts
from rlv.snakemake.workflow import SlurmRules
from rlv.store import Artifact, Store
from rlv.training.tries import MOST, InVain, begin, in_vain
from tests.cluster.fake_slurm import SINFO

ROOT = Path(__file__).parents[2]
PARTITIONS = parse_partitions(SINFO)


@pytest.fixture(scope="module")
def paper():
    study = ROOT / "config/studies/paper.yaml"
    plan = build_plan(load(str(study)))
    made = estimates(plan, None, find_gpu("H100"), Assumptions(length=1.0))
    return plan, {e.artifact.path: e for e in made}


def artifact(stage="train", **how) -> Artifact:
    params = {"score": "judge"} if stage in ("score", "trace", "attack") else {}
    return Artifact(stage, "a", 1, params, how={"ranks": 1, "nodes": 1, "tensor_parallel": 1, **how})


def training(hours: float, **how) -> tuple[Artifact, Estimate]:
    """A training that keeps its GPUs busy for so long, the estimate's margin included."""
    made = artifact(**how)
    ranks = made.how["ranks"]
    return made, Estimate(made, (), gpus=ranks, gpu_seconds=hours * 3600 * ranks / 1.5)


def planner(site=None, estimated=(), partitions=PARTITIONS) -> Planner:
    return Planner(read_site(site), {e.artifact.path: e for e in estimated}, partitions)


# Stages whose jobs compute on GPUs.
ON_GPU = [name for name, stage in STAGES.items() if stage.gpus(artifact(name))]
GPU_SITE = {"gpu": {"partition": "gpu", "type": "h100", "cpus_each": 2}}


# ---- one copy, all GPUs


def sbatch(resources: dict) -> str:
    """The executor's own command for a job with these resources."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    class Resources(dict):
        __getattr__ = dict.__getitem__

    said = Resources({k: v for k, v in resources.items() if v is not None})
    job = SimpleNamespace(resources=said, threads=1)
    params = {"run_uuid": "x", "slurm_logfile": "l", "comment_str": "c", "account": "", "partition": ""}
    return get_submit_command(job, {**params, "workdir": None}) + set_gres_string(job)


@pytest.mark.parametrize("stage", ON_GPU)
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_a_job_on_one_node_is_one_task_with_all_gpus(stage, ranks):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    made = artifact(stage, ranks=ranks)
    plan = planner(GPU_SITE)
    command = sbatch(plan.asked(made, mem_mb=1, runtime=1).as_resources(plan.site))
    assert f"--gres=gpu:h100:{gpus_of(made)}" in command
    assert "--nodes=1" in command
    assert f"--cpus-per-task={2 * gpus_of(made)}" in command
    # Tasks on GPUs start a program once for each; one task is what SLURM starts by itself.
    for option in ("--ntasks", "--ntasks-per-gpu", "--gpus=", "--gpus-per-task"):
        assert option not in command


@pytest.mark.parametrize(("ranks", "nodes"), [(2, 2), (4, 2), (8, 4)])
def test_a_training_on_several_nodes_has_its_gpus_on_each_and_a_task_a_rank(ranks, nodes):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    plan = planner(GPU_SITE)
    asked = plan.asked(artifact(ranks=ranks, nodes=nodes), mem_mb=1, runtime=1)
    command = sbatch(asked.as_resources(plan.site))
    assert f"--gres=gpu:h100:{ranks // nodes}" in command
    assert f"--nodes={nodes}" in command and f"--ntasks={ranks}" in command
    assert f"--ntasks-per-node={ranks // nodes}" in command
    assert "--ntasks-per-gpu" not in command and "--gpus=" not in command


def test_sbatch_is_told_no_memory_where_the_site_says_so():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    for ask, told in ((True, "--mem 3000"), (False, "")):
        plan = planner({**GPU_SITE, "ask_memory": ask})
        for stage in ("grade", "train"):
            command = sbatch(plan.asked(artifact(stage), mem_mb=3000, runtime=1).as_resources(plan.site))
            assert ("--mem" in command) is ask and (told in command or stage == "train")


def test_no_gpus_where_the_site_has_none():
    plan = planner({"cpu": {"partition": "cpu"}, "gpu": {"use": False, "partition": "gpu"}})
    asked = plan.asked(artifact(ranks=2), mem_mb=3000, runtime=10)
    assert asked.gres is None and asked.on.partition == "cpu"
    assert asked.mem_mb == 6000  # of its rule, a rank


@pytest.mark.parametrize("stage", ["grade", "evaluate", "figures", "problems", "pretrain"])
def test_stages_without_a_gpu_go_to_the_cpu_partition(stage):
    plan = planner({"cpu": {"partition": "cpu", "extra": "--x=1"}, "gpu": {"partition": "gpu"}})
    resources = plan.asked(artifact(stage), mem_mb=1000, runtime=10).as_resources(plan.site)
    assert resources["slurm_partition"] == "cpu" and resources["gres"] is None
    assert resources["slurm_extra"] == "--x=1" and resources["mem_mb"] == 1000


def test_every_kind_of_job_has_the_same_names():
    plan = planner(GPU_SITE)
    for made in (artifact(), artifact("grade"), artifact(ranks=4, nodes=2)):
        assert tuple(plan.asked(made, mem_mb=1, runtime=1).as_resources(plan.site)) == NAMES


# ---- growth and limits


@pytest.mark.parametrize("stage", ["grade", "sample", "score"])
def test_a_retry_asks_for_more_up_to_what_nodes_have(stage):
    plan = planner(GPU_SITE)
    asked = [
        plan.asked(artifact(stage), mem_mb=4000, runtime=60, attempt=attempt) for attempt in range(1, 12)
    ]
    for before, after in pairwise(asked):
        assert after.mem_mb >= before.mem_mb and after.runtime >= before.runtime
    assert asked[1].mem_mb > asked[0].mem_mb and asked[1].runtime > asked[0].runtime
    kind = plan.site.cpu if stage == "grade" else plan.site.gpu
    limits = plan.limits(kind, 0 if stage == "grade" else 1, None)
    assert limits.memory_mb is not None
    assert asked[-1].mem_mb == limits.memory_mb < 64000
    assert limits.longest is None or asked[-1].runtime == limits.longest


def test_a_training_that_comes_further_asks_for_no_more():
    plan = planner(GPU_SITE)
    first = plan.asked(artifact(), mem_mb=1000, runtime=60)
    assert plan.asked(artifact(), mem_mb=1000, runtime=60, attempt=7) == first
    vain = InVain(latest=1)
    assert plan.asked(artifact(), mem_mb=1000, runtime=60, attempt=7, in_vain=vain).mem_mb > first.mem_mb


def test_a_training_goes_on_with_the_memory_that_it_needed(tmp_path):
    """Out of memory once, it must not be so again each time its length asks for another job."""
    plan, needed = planner(GPU_SITE), 5000
    asked, step = [], 0
    for attempt in range(1, 9):
        mem_mb = plan.asked(
            artifact(), mem_mb=4100, runtime=60, attempt=attempt, in_vain=in_vain(tmp_path, attempt)
        ).mem_mb
        begin(tmp_path, attempt)
        if mem_mb >= needed:
            step += 100
            (tmp_path / "checkpoints").mkdir(exist_ok=True)
            (tmp_path / "checkpoints/latest").write_text(f"step-{step:06d}")
        asked.append(mem_mb)
    assert asked[0] < needed and len(set(asked[1:])) == 1 and step == 700


def test_a_training_that_will_refuse_occupies_no_gpu():
    plan = planner(GPU_SITE)
    asked = plan.asked(artifact(ranks=4), mem_mb=1000, runtime=600, attempt=MOST + 1, in_vain=InVain(MOST))
    assert asked.gres is None and asked.runtime <= 5 and asked.on is plan.site.cpu


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ({"partition": "gpu"}, 24 * 60),
        ({"partition": "brief"}, 2),
        ({"partition": "brief,gpu"}, 24 * 60),
        ({"partition": "gpu", "max_runtime": "6h"}, 6 * 60),
        ({"partition": "brief", "max_runtime": "6h"}, 2),
        ({"partition": "cpu"}, None),
        ({"partition": "cpu", "max_runtime": "3d"}, 3 * 24 * 60),
        ({}, None),  # the default partition, cpu
    ],
)
def test_no_job_is_longer_than_partition_and_site_allow(kind, allowed):
    plan = planner({"gpu": {**kind, "use": True}})
    assert plan.limits(plan.site.gpu).longest == allowed


def test_without_slurm_a_plan_is_made_all_the_same():
    plan = planner({"gpu": {"partition": "gpu"}}, partitions=None)
    asked = plan.asked(artifact(), mem_mb=1000, runtime=10**9)
    assert asked.runtime == 24 * 60
    named = planner({"gpu": {"max_runtime": "2h"}}, partitions=None)
    assert named.asked(artifact(), mem_mb=1000, runtime=10**9).runtime == 120


def test_a_stage_may_ask_for_more_and_go_elsewhere():
    said = {"partition": "brief", "memory": "9G", "runtime": "2m", "extra": "--exclusive"}
    plan = planner({**GPU_SITE, "stages": {"grade": said}})
    least = {"mem_mb": 1000, "runtime": 1}
    graded, drawn = (plan.asked(artifact(stage), **least) for stage in ("grade", "figures"))
    assert (graded.mem_mb, graded.runtime) == (9 * 1024, 2)
    asks = graded.as_resources(plan.site)
    assert (asks["slurm_partition"], asks["slurm_extra"]) == ("brief", "--exclusive")
    assert drawn.mem_mb == 1000 and drawn.as_resources(plan.site)["slurm_partition"] is None
    # Of a node, whatever its ranks; where jobs go stays what `gpu` says.
    for gpu in (True, False):
        site = {
            "gpu": {**GPU_SITE["gpu"], "use": gpu},
            "stages": {"train": {"memory": "12G", "runtime": "5h"}},
        }
        asked = planner(site).asked(artifact(ranks=2), **least)
        assert (asked.mem_mb, asked.runtime) == (12 * 1024, 300)
        assert asked.on.partition == ("gpu" if gpu else None)
    again = plan.asked(artifact("grade"), attempt=2, **least)
    assert again.mem_mb > graded.mem_mb


def test_memory_is_that_of_nodes_which_have_the_gpus():
    plan = planner({"gpu": {"partition": "gpu,old"}})
    most = 10**9
    assert plan.asked(artifact(ranks=8), mem_mb=most, runtime=1).mem_mb > 100_000
    only = planner({"gpu": {"partition": "gpu,old", "type": "h100"}})
    assert only.asked(artifact(ranks=4), mem_mb=most, runtime=1).mem_mb < 16_000


# ---- time limits of trainings


@pytest.mark.parametrize("runtime", [1, 2, 10, 60, 24 * 60])
def test_a_training_is_told_to_save_well_before_its_end(runtime):
    plan = planner({"gpu": {"partition": "gpu", "max_runtime": f"{runtime}m"}, "save_minutes": 10})
    asked = plan.asked(artifact(), mem_mb=1, runtime=10**6)
    assert asked.runtime == runtime
    assert 0 < asked.signal_seconds <= min(600, runtime * 60 / 2)
    assert asked.extra == f"--signal=TERM@{asked.signal_seconds}"


def test_other_jobs_are_told_nothing():
    plan = planner(GPU_SITE)
    for stage in ("sample", "grade", "pretrain"):
        assert plan.asked(artifact(stage), mem_mb=1, runtime=60).extra is None


@pytest.mark.parametrize("hours", [0.1, 1, 23, 24, 50, 240])
@pytest.mark.parametrize("ranks", [1, 4])
def test_retries_are_enough_for_a_training_of_any_length(hours, ranks):
    made, estimate = training(hours, ranks=ranks)
    plan = planner(GPU_SITE, [estimate])
    retries = plan.retries([made], runtime=60)
    asked = plan.asked(made, mem_mb=1, runtime=60)
    useful = asked.runtime - asked.signal_seconds / 60
    # Jobs that end when they are told to save, one after the other.
    assert (retries + 1) * useful >= hours * 60
    # And not many more than it needs: what fails by itself is tried so often, too.
    assert retries <= hours * 60 / useful * 1.2 + MOST + 3


def test_retries_without_a_limit_or_an_estimate():
    made, estimate = training(1000)
    endless = planner({"gpu": {"partition": "cpu"}}, [estimate])
    unknown = planner(GPU_SITE)
    assert endless.retries([made], runtime=60) == unknown.retries([made], runtime=60) > MOST


# ---- real studies


def test_every_job_of_the_paper_study_asks_for_what_it_needs(paper):
    plan, estimated = paper
    asking = Planner(read_site({"gpu": {"type": "h100", "model": "H100"}}), estimated, None)
    for made in plan.artifacts.values():
        asked = asking.asked(made, mem_mb=3000, runtime=60)
        free = made.stage == "score" and SCORES[made.params["score"]].loads_no_model
        if made.stage in ON_GPU and not free:
            estimate = estimated[made.path]
            assert asked.gpus_per_node * asked.nodes == estimate.gpus
            # No less than the model itself, in two bytes a number.
            size = max(m.parts.get("weights", 0) + m.parts.get("engine weights", 0) for m in estimate.memory)
            assert asked.mem_mb * 2**20 * asked.nodes > size
            assert asked.runtime == 24 * 60 or asked.runtime >= estimate.gpu_seconds / estimate.gpus / 60
        else:
            assert asked.gres is None


def test_planning_loads_no_numerical_library():
    code = (
        "import sys, rlv.snakemake.workflow, rlv.training.tries; "
        "assert not {'torch', 'transformers', 'deepspeed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("site", "configured", "expected"),
    [
        ({"model": "A100-80", "type": "h100"}, "L4", "A100-80"),
        ({"type": "h100"}, "L4", "L4"),
        ({"type": "h100"}, None, "H100-80"),
        ({"type": "nvidia_something"}, None, "A100-40"),
        ({}, None, "A100-40"),
    ],
)
def test_which_gpu_runtimes_are_for(site, configured, expected):
    assert gpu_for_estimates(read_site({"gpu": site}), configured).name == expected


def test_a_model_that_is_not_known_is_refused():
    with pytest.raises(StudyError, match="known: "):
        gpu_for_estimates(read_site({"gpu": {"model": "K80"}}), None)


@pytest.mark.parametrize(
    ("site", "configured", "expected"),
    [
        ({}, None, None),  # whatever the login node has
        ({"type": "h200"}, None, "H200"),
        ({"type": "h200"}, "L4", "L4"),
        ({"model": "A100-80"}, "L4", "A100-80"),
        ({"model": "A100-80", "use": False}, "L4", None),
    ],
)
def test_jobs_must_fit_the_gpu_that_the_site_names(tmp_path, site, configured, expected):
    rules = SlurmRules({"gpu": site}, build_plan(load("mini")), Store(tmp_path), gpu=configured)
    assert rules.gpu_to_fit == expected


def test_a_job_is_told_by_the_receipt_that_it_leaves(tmp_path):
    """Where its lease lies, from which the submitting process learns whether to try again."""
    rules = SlurmRules({}, build_plan(load("mini")), Store(tmp_path))
    receipts = Receipts(tmp_path / "results", rules.store)
    for made in rules.plan.artifacts.values():
        job = SimpleNamespace(output=[str(receipts.path(made))])
        assert rules.work_of(job) == tmp_path / ".work" / made.path
    for output in ([], ["results/mini/claims.csv"], ["train"], [str(tmp_path / "train/b-0")]):
        assert rules.work_of(SimpleNamespace(output=output)) is None
