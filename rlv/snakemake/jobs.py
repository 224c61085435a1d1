"""The rule of each stage: the settings of its jobs for Snakemake, as functions of the wildcards.

On a cluster resources are those of SlurmRules; elsewhere they are those of the stage's record.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.snakemake.copies import Copies
from rlv.snakemake.receipts import Receipts
from rlv.store import Artifact
from rlv.study.configuration import store_options
from rlv.training.tries import ATTEMPT as TRIES

if TYPE_CHECKING:
    from rlv.snakemake.workflow import SlurmRules

Function = Callable[..., Any]


class Jobs:
    """The jobs of one study's workflow.

    `deployed`: whether Snakemake makes the environments of the jobs, which then find `python` there.
    """

    def __init__(
        self, plan: Plan, receipts: Receipts, study: str, slurm: SlurmRules | None = None, *, deployed: bool
    ) -> None:
        self.plan, self.receipts, self.slurm = plan, receipts, slurm
        # The interpreter that runs the workflow finds the package wherever jobs run.
        self.rlv = f"{'python' if deployed else shlex.quote(sys.executable)} -m rlv"
        self.options = shlex.join([f"--study={study}", *store_options(receipts.store)])
        on_vllm = any(a.params.get("engine") == "vllm" for a in plan.artifacts.values())
        self._engines = "gpu" if on_vllm else "cpu"

    def environment(self, stage: str) -> str:
        """The file of the conda environment that a stage's jobs need, from the folder of the rules."""
        return f"../../envs/{self._engines if STAGES[stage].runs_models else 'cpu'}.yaml"

    def inputs(self, stage: str) -> Function:
        """The receipts of what an artifact is made from.

        They are `ancient`: keys decide what is up to date, never times. An input that was made again after a
        loss has the same key.
        """
        from snakemake.io import ancient

        return self._of(
            stage, lambda made: [ancient(str(self.receipts.path(a))) for a in made.inputs.values()]
        )

    def threads(self, stage: str) -> Function:
        """Cores of a job; a profile may give it more (`set-threads: [train=4]`)."""
        return self._of(stage, STAGES[stage].threads)

    def resources(self, stage: str) -> dict[str, Any]:
        """Resources of a rule by Snakemake's names; a function that returns None asks for none."""
        record = STAGES[stage]
        if self.slurm is not None:
            return dict(self.slurm.asks(stage))
        return {
            "mem_mb": record.memory_mb,
            "runtime": record.minutes,
            "gpu": self._of(stage, lambda made: record.gpus(made) or None),
        }

    def retries(self, stage: str) -> int | None:
        """How often a failed job is tried again; None: as often as Snakemake's own `--retries`."""
        if self.slurm is None or not self.slurm.submits or not STAGES[stage].resumes:
            return None
        return self.slurm.retries(stage)

    def command(self, stage: str) -> Function:
        """A rule's parameter: the shell command that makes an artifact, without `--threads`.

        It takes the rule's output: parameters that do not, Snakemake compares with those of the last run, and
        would ask for an artifact again because another study asked for it then. `exec`: a signal to all
        processes of a job must not end the shell before what it runs has saved.
        """

        def start(wildcards: Any, output: Any) -> str:
            path = self.plan.find(f"{stage}/{wildcards.artifact}").path
            receipt = shlex.quote(f"--receipt={output[0]}")
            return f"exec {self.rlv} make {self.options} {receipt} {shlex.quote(path)}"

        def counted(wildcards: Any, output: Any, resources: Any) -> str:
            return f"{TRIES}={resources.attempt} {start(wildcards, output)}"

        return start if self.slurm is None or not STAGES[stage].resumes else counted

    def publish(self, target: Copies) -> Function:
        """A rule's parameter: the shell command that copies a figure's or the claims' files.

        If it is another one than in the last run, such as with another store, the files are copied again.
        """
        words = shlex.join(["--", target.artifact.path, str(target.folder)])
        return lambda wildcards: f"{self.rlv} publish {self.options} {words}"

    def page(self, folder: Path) -> str:
        """The shell command that writes the study's pages for a browser into a folder."""
        return f"{self.rlv} page {self.options} {shlex.quote(f'--into={folder}')}"

    def _of(self, stage: str, value: Callable[[Artifact], Any]) -> Function:
        return lambda wildcards: value(self.plan.find(f"{stage}/{wildcards.artifact}"))
