"""Jobs with GPUs on the cluster: one copy that sees them all, several nodes, time limits, signals, squeue.

Processes of jobs write down who they are when they begin: Python runs `sitecustomize` before anything else,
and jobs have the environment of who submitted them. Left out on purpose: computing on the pretended GPUs;
models run on processors, ranks talk by gloo.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlv.cluster.checks import Known, Wanted, require
from rlv.cluster.inventory import refusal
from rlv.cluster.resources import Planner
from rlv.cluster.site import read_site
from rlv.errors import SiteError
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Artifact
from tests.slurm.cluster import Cluster
from tests.slurm.running import LEASE, Checkout, Run, until

WHO = """
import json, os, sys
if "make" in sys.orig_argv or "rlv.training.worker" in sys.orig_argv:
    told = {name: os.environ.get(name) for name in os.environ["RLV_TEST_NAMES"].split()}
    with open(os.environ["RLV_TEST_SEEN"], "a") as file:
        file.write(json.dumps({"words": sys.orig_argv, "pid": os.getpid(), **told}) + "\\n")
"""
NAMES = "CUDA_VISIBLE_DEVICES SLURM_JOB_ID SLURM_PROCID SLURM_LOCALID SLURMD_NODENAME RANK MASTER_PORT"


class Trainings:
    """A checkout whose store has everything but trainings, and a study of some of its own."""

    def __init__(self, checkout: Checkout, study: dict[str, Any], site: dict[str, Any] | None = None) -> None:
        self.checkout, self.folder = checkout, checkout.folder
        text = yaml.safe_dump({"extends": "smoke", "name": "trainings", "description": "some", **study})
        self.study = self.folder / "config" / "studies" / "trainings.yaml"
        self.study.write_text(text)
        checkout.change_site({"cpus_each": 1, **(site or {})})
        (self.folder / "hook").mkdir()
        (self.folder / "hook" / "sitecustomize.py").write_text(textwrap.dedent(WHO))

    @property
    def artifacts(self) -> list[Artifact]:
        plan = build_plan(load(str(self.study)))
        return [a for a in plan.artifacts.values() if a.stage == "train"]

    def start(self, *wanted: Artifact) -> Run:
        paths = [str(self.checkout.receipts.path(a)) for a in wanted or self.artifacts]
        quick = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]
        config = ["--config", "study=trainings", f"store={self.checkout.store.root}"]
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *quick, *config, "--"]
        told = {
            "PYTHONPATH": os.pathsep.join([str(self.folder / "hook"), os.environ.get("PYTHONPATH", "")]),
            "RLV_TEST_SEEN": str(self.folder / "seen"),
            "RLV_TEST_NAMES": NAMES,
            "OMP_NUM_THREADS": "1",
        }
        return Run([*command, *paths], self.folder, self.checkout.cluster.environment | LEASE | told)

    def seen(self, word: str) -> dict[str, list[dict[str, Any]]]:
        """Processes that began with a word in their command, by SLURM job."""
        found = defaultdict(list)
        for line in (self.folder / "seen").read_text().splitlines():
            process = json.loads(line)
            if word in process["words"] and "torch.distributed.run" not in process["words"]:
                found[process["SLURM_JOB_ID"]].append(process)
        return found

    def log(self, artifact: Artifact) -> str:
        file = self.folder / "logs" / "train" / f"{artifact.directory}.log"
        return file.read_text() if file.is_file() else ""


def test_one_copy_of_a_job_sees_all_its_gpus_and_two_on_a_node_share_no_port(checkout: Checkout) -> None:
    # Both trainings on the node with four GPUs, at the same time.
    study = {"training": {"ranks": 2, "zero_stage": 2}}
    trainings = Trainings(checkout, study, {"extra": "--nodelist=n1"})
    assert len(trainings.artifacts) == 2
    trainings.start().finish()
    made, ranks = trainings.seen("make"), trainings.seen("rlv.training.worker")
    assert len(made) == len(ranks) == 2
    for job, copies in made.items():
        assert len(copies) == 1, copies
        devices = copies[0]["CUDA_VISIBLE_DEVICES"]
        assert len(set(devices.split(","))) == 2
        assert sorted(rank["RANK"] for rank in ranks[job]) == ["0", "1"]
        assert {rank["CUDA_VISIBLE_DEVICES"] for rank in ranks[job]} == {devices}
    ports = [{rank["MASTER_PORT"] for rank in of} for of in ranks.values()]
    assert all(len(one) == 1 for one in ports) and ports[0] != ports[1]
    assert {rank["SLURMD_NODENAME"] for of in ranks.values() for rank in of} == {"n1"}


def test_a_training_on_two_nodes_has_a_rank_on_each_gpu_and_goes_on_in_another_job(
    checkout: Checkout, cluster: Cluster
) -> None:
    training = {"ranks": 4, "nodes": 2, "zero_stage": 2, "steps": 30, "save_every": 25, "show_every": 50}
    trainings = Trainings(checkout, {"training": training})
    training = trainings.artifacts[0]
    run = trainings.start(training)
    until(lambda: re.search("step +3/", trainings.log(training)), 120, "a third step")
    (first,) = trainings.seen("make")
    cluster.command("scancel", "--signal=USR1", first)
    run.finish()
    made, ranks = trainings.seen("make"), trainings.seen("rlv.training.worker")
    assert list(made) == run.submitted and made.keys() == ranks.keys() and len(made) == 2
    for job in made:
        assert len(made[job]) == 1
        assert sorted(rank["SLURM_PROCID"] for rank in ranks[job]) == ["0", "1", "2", "3"]
        places = {(rank["SLURMD_NODENAME"], rank["SLURM_LOCALID"]) for rank in ranks[job]}
        assert places == {(node, local) for node in ("n1", "n2") for local in ("0", "1")}
        assert all(len(rank["CUDA_VISIBLE_DEVICES"].split(",")) == 2 for rank in ranks[job])
    # It saved when it was told to, long before the next checkpoint was due.
    assert 0 < checkout.resumed_from(training) < 25
    assert "starting 4 ranks on 2 nodes" in trainings.log(training)


def test_a_cluster_without_accounting_is_asked_by_squeue(
    short_folder: Path, tmp_path: Path, reference: Path
) -> None:
    cluster = Cluster(short_folder)
    cluster.start(accounting=False)
    try:
        folder = tmp_path / "checkout"
        checkout = Checkout(folder, cluster)
        checkout.change_site({}, account=None)
        shutil.copytree(reference / "store", checkout.store.root)
        checkout.remove("train/*")
        run = checkout.train()
        cluster.command("scancel", checkout.training_job())
        said = run.finish()
        assert "SLURM is asked by `squeue`" in said
        assert checkout.resumed_from() > 0
    finally:
        cluster.stop()


@pytest.mark.parametrize(
    ("site", "ranks", "key"),
    [
        ({"account": "nobody"}, 2, "slurm.account"),
        ({"gpu": {"partition": "gpux"}}, 2, "slurm.gpu.partition"),
        ({"gpu": {"partition": "gpu", "type": "a100"}}, 2, "slurm.gpu.type"),
        ({"gpu": {"partition": "gpu", "max_runtime": "2d"}}, 2, "slurm.gpu.max_runtime"),
        ({"gpu": {"partition": "gpu"}}, 64, "slurm.gpu.partition: train/a needs 64 GPUs on one node"),
        ({"gpu": {"extra": "--nodelist=n9"}}, 2, "slurm.gpu.partition, slurm.gpu.constraint"),
        (
            {"stages": {"train": {"extra": "--nodelist=n9"}}},
            2,
            "slurm.stages.train.extra: sbatch would refuse",
        ),
        ({"stages": {"train": {"memory": "9T"}}}, 2, "slurm.stages.train.memory"),
        ({"stages": {"train": {"memory": "1G", "extra": "--exclusive"}}}, 2, ""),
        ({}, 2, ""),
    ],
)
def test_what_the_cluster_has_not_is_said_with_its_key(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, site: dict[str, Any], ranks: int, key: str
) -> None:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    found = read_site({"account": "lab", **site})
    known = Known.ask()
    training = Artifact("train", "a", 1, {}, how={"ranks": ranks, "nodes": 1})
    asked = Planner(found, {}, known.partitions).asked(training, mem_mb=1000, runtime=1)
    if not key:
        require(found, [Wanted("train/a", asked)], known, {}, refusal=refusal)
        return
    with pytest.raises(SiteError, match=key):
        require(found, [Wanted("train/a", asked)], known, {}, refusal=refusal)
