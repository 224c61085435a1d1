"""The smoke study on the test cluster: folders with the workflow, runs in them, and what is in a store.

One training, and one of everything behind it: the fewest artifacts that still end in claims, and a training
of some seconds, to be disturbed. Left out on purpose: what the numbers mean.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from rlv.cluster.logs import logs_of
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.snakemake.receipts import Receipts
from rlv.store import Artifact, Store
from rlv.store.computed import computed
from rlv.store.leases import lease_of
from rlv.training.tries import step_reached
from tests.slurm.cluster import Cluster
from tests.workflow.running import workspace

T = TypeVar("T")
# Whether what a machine lacks fails the tests, which skip otherwise.
REQUIRED = bool(os.environ.get("RLV_REQUIRE_SLURM"))
STUDY = "smoke-cluster"
OVERLAY: dict[str, Any] = {
    "extends": "smoke",
    "name": STUDY,
    "datasets": {"hard": None, "ood": None},
    "training": {"steps": 60, "save_every": 2, "show_every": 50},
    "reasoners": {
        "base": {"verifiers": ["judge", "free", "brevity"], "evaluate_on": ["test"]},
        "base_cold": {"temperature": {"best_of": [0.5, 1.0]}, "evaluate_on": ["test"]},
        "grpo": None,
        "grpo_v": {"evaluate_on": ["test"]},
    },
    "sampling": {"samples_per_shard": 8},
    "comparisons": {"grpo": {"start": "base", "base": "base", "rl_v": "grpo_v", "chain": None}},
    "figures": {
        "parallel_scaling": {"datasets": ["test"]},
        "controls": {"datasets": ["test"]},
        **dict.fromkeys(["strategies", "generalization", "calibration", "training_curves"]),
    },
    "claims": {"hard": None, "out_of_domain": None},
}
# A lab's seconds, made short. A lease dies after thirty heartbeats: the machine is busy with several jobs.
LEASE = {"RLV_LEASE_HEARTBEAT": "0.5", "RLV_LEASE_EXPIRY": "15", "RLV_LEASE_POLL": "0.5"}
# Measured in seconds, so new in every run: the overhead of verification, its claim, and the log of the steps.
MEASURED = ("overhead/*/overhead.parquet", "claims/*/claims.*", "train/*/steps.parquet", "*/*/manifest.json")


class Checkout:
    """A folder with the workflow in it, as a member of a lab has it, set up for the test cluster."""

    def __init__(self, folder: Path, cluster: Cluster, store: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.cluster = workspace(folder), cluster
        self.store = Store(store or folder / "store")
        self.receipts = Receipts(Path("results"), self.store)
        write_study(folder)
        self.change_site({"partition": "gpu", "type": "h100"}, account="lab", status_seconds=2)

    @property
    def plan(self) -> Plan:
        """The study's plan."""
        return build_plan(load(str(self.folder / "config" / "studies" / f"{STUDY}.yaml")))

    @property
    def training(self) -> Artifact:
        """The study's one training."""
        return next(a for a in self.plan.artifacts.values() if a.stage == "train")

    @property
    def work(self) -> Path:
        """Where the training keeps its checkpoints."""
        return self.store.root / ".work" / self.training.path

    def start(self, *targets: str, environment: dict[str, str] | None = None) -> Run:
        """Start the workflow on the cluster, in the background; without a target, all of it."""
        config = ["--config", f"study={STUDY}", f"store={self.store.root}"]
        # One file system under both nodes: nothing to wait for.
        quick = ["--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]
        profile = ["--profile", "profiles/slurm", *quick]
        command = [sys.executable, "-m", "snakemake", *profile, *config, "--", *(targets or ("all",))]
        variables = self.cluster.environment | LEASE | {"OMP_NUM_THREADS": "1"} | (environment or {})
        self.latest = Run(command, self.folder, variables)
        return self.latest

    def train(self, environment: dict[str, str] | None = None) -> Run:
        """Start the training alone."""
        return self.start(str(self.receipts.path(self.training)), environment=environment)

    def rlv(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start one of our own commands here, not on the cluster."""
        options = ["--study", STUDY, "--store", str(self.store.root)]
        variables = os.environ | LEASE | {"OMP_NUM_THREADS": "1"} | (environment or {})
        with (self.folder / "rlv.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "rlv", *arguments, *options],
                cwd=self.folder,
                env=variables,
                stdout=log,
                stderr=log,
            )

    def training_job(self) -> str:
        """Wait until the training has a checkpoint; the SLURM job that computes it."""

        def job() -> str | None:
            lease = lease_of(self.work)
            if lease is None or lease.released or step_reached(self.work) == 0:
                return None
            return lease.content.get("slurm_job")

        return until(job, 120, "a training with a checkpoint")

    def log_of(self, stage: str) -> str:
        """The latest log of each job of a stage."""
        return "".join(path.read_text() for path in sorted((self.folder / "logs" / stage).glob("*.log")))

    def resumed_from(self, training: Artifact | None = None) -> int:
        """The step after which a published training went on; 0: it was never interrupted."""
        return self.store.manifest(training or self.training)["facts"]["resumed_from"]

    def change_site(self, gpu: dict[str, Any], **others: Any) -> None:
        """Set keys of the site file, of its section `gpu` and beside it."""
        site = self.folder / "profiles" / "slurm" / "site.yaml"
        settings = yaml.safe_load(site.read_text())
        settings["slurm"].update(others)
        settings["slurm"]["gpu"].update(gpu)
        site.write_text(yaml.safe_dump(settings))

    def slurm_log(self, job: str) -> Path:
        """The log of a SLURM job of the training that failed; those of others are removed."""
        (found,) = (log for log in logs_of(self.training.path, self.folder) if log.stem == job)
        return found

    def hold(self) -> None:
        """Suspend the process that trains, so that there is time to do something meanwhile."""
        self._signal(signal.SIGSTOP)

    def let_go(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        lease = lease_of(self.work)
        assert lease is not None and not lease.released
        os.kill(lease.content["pid"], number)

    def remove(self, *patterns: str) -> None:
        """Remove artifacts from the store, as if they had not been computed yet."""
        for pattern in patterns:
            found = list(self.store.root.glob(pattern))
            assert found, pattern
            for folder in found:
                folder.chmod(0o755)
                shutil.rmtree(folder)


class Run:
    """Snakemake in the background; what it says is in a file, for people to read when a test fails."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        number = len(list(folder.glob("snakemake-*.log"))) + 1
        self.log = folder / f"snakemake-{number}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """At once, as when the login node goes down."""
        self.process.kill()
        self.process.wait()

    def finish(self, *, fails: bool = False, seconds: float = 400) -> str:
        """Wait for the end, which must be a success (or, with `fails`, must not); what was said."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            raise AssertionError(f"did not end in {seconds} s:\n{self.said[-4000:]}") from None
        assert (status != 0) == fails, f"ended with status {status}:\n{self.said[-6000:]}"
        return self.said

    @property
    def said(self) -> str:
        """All that it has printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def submitted(self) -> list[str]:
        """Numbers of the SLURM jobs that it has submitted so far."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.said)

    @property
    def submitted_rules(self) -> list[str]:
        """Rules of the SLURM jobs that it has submitted so far."""
        return re.findall(r"submitted with SLURM jobid \d+ \(log: \S*/rule_(\w+)/", self.said)


def write_study(folder: Path) -> None:
    """Add the study to a folder with the workflow."""
    path = folder / "config" / "studies" / f"{STUDY}.yaml"
    path.write_text(yaml.safe_dump(OVERLAY, sort_keys=False))


def until(found: Callable[[], T | None], seconds: float, what: str) -> T:
    """Look again and again; AssertionError after a while."""
    give_up = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < give_up, f"after {seconds} s there was not: {what}"
        time.sleep(0.1)


def contents(store: Path) -> dict[str, bytes]:
    """Everything published, but for what is measured in seconds and so differs from run to run."""
    measured = {path for pattern in MEASURED for path in store.glob(pattern)}
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.glob("[!.]*/*/**/*")
        if path.is_file() and path not in measured
    }


def manifests(store: Path) -> dict[str, bytes]:
    """The manifest of everything published, by path; it tells when and by which job it was made."""
    return {
        str(path.parent.relative_to(store)): path.read_bytes() for path in store.glob("[!.]*/*/manifest.json")
    }


def times_computed(store: Path) -> Counter[str]:
    """How often each artifact was computed and published, since the store began."""
    return Counter(line["path"] for line in computed(store))


def drafts(store: Path) -> list[Path]:
    """Halves of artifacts, left by somebody."""
    return list(store.glob("*/.draft-*"))


def leases_left(store: Path) -> list[Path]:
    """Leases that nobody has released."""
    return [path for path in store.glob(".work/*/*.lease-*") if b'"released"' not in path.read_bytes()]
