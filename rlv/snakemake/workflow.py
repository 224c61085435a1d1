"""A workflow under SLURM: resources of its rules, checks before the first job, and the executors.

The Snakefile uses it if the configuration has a section `slurm`; without one the workflow runs as on any
machine. The process that submits asks SLURM for its partitions when it plans, if SLURM is there. Jobs, which
parse the same Snakefile, do not: their resources were decided before they began.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rlv.cluster import checks, inventory
from rlv.cluster.resources import NAMES, Asked, Planner, gpu_for_estimates, known_gpu
from rlv.cluster.site import FILE, read_site
from rlv.errors import SiteError
from rlv.escapes import escaped
from rlv.estimate.jobs import Estimate, estimates
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.snakemake import status, submission
from rlv.store import Artifact, Store
from rlv.training.tries import NONE_IN_VAIN, in_vain

# The resource that counts the tries of a job that resumes; its shell command hands the number on.
ATTEMPT = "attempt"


class SlurmRules:
    """Resources for the rules of one workflow, on one site.

    `submits`: whether this process submits jobs or plans them, and is not one itself. Raises SiteError for a
    site file that cannot be used.
    """

    def __init__(
        self,
        raw: Mapping[str, Any],
        plan: Plan,
        store: Store,
        *,
        file: str = FILE,
        gpu: str | None = None,
        submits: bool = True,
    ) -> None:
        self.file, self.plan, self.store = file, plan, store
        self.site = read_site(raw, file)
        self.gpu = gpu_for_estimates(self.site, gpu)
        self._known_gpu = known_gpu(self.site, gpu)
        self.submits = submits

    @property
    def gpu_to_fit(self) -> str | None:
        """The GPU that jobs must fit, never the login node's; None if the site names none."""
        return self._known_gpu.name if self.site.gpu.use and self._known_gpu is not None else None

    @cached_property
    def planner(self) -> Planner:
        return Planner(self.site, self._estimated, self._partitions)

    @cached_property
    def _estimated(self) -> dict[str, Estimate]:
        made = estimates(self.plan, None, self.gpu, Assumptions(length=1.0))
        return {estimate.artifact.path: estimate for estimate in made}

    @cached_property
    def _partitions(self) -> list[inventory.Partition] | None:
        if not self.submits or not inventory.installed():
            return None
        try:
            return inventory.partitions()
        except SiteError:
            return None  # a plan needs none, and the checks before a run name the reason

    def asks(self, stage: str) -> dict[str, Callable[..., Any]]:
        """A rule's resources: functions of the wildcards and the attempt, by the executor's names."""

        def ask(name: str) -> Callable[..., Any]:
            def value(wildcards: Any, attempt: int) -> Any:
                return self._asked(self._artifact(stage, wildcards), stage, attempt).as_resources(self.site)[
                    name
                ]

            return value

        named: dict[str, Callable[..., Any]] = {name: ask(name) for name in NAMES}
        if STAGES[stage].resumes:
            named[ATTEMPT] = lambda wildcards, attempt: attempt
        return named

    def _artifact(self, stage: str, wildcards: Any) -> Artifact | None:
        directory = getattr(wildcards, "artifact", None)
        return None if directory is None else self.plan.find(f"{stage}/{directory}")

    def _asked(self, artifact: Artifact | None, stage: str, attempt: int = 1) -> Asked:
        record, vain = STAGES[stage], NONE_IN_VAIN
        if attempt > 1 and artifact is not None and record.resumes:
            vain = in_vain(self.work(artifact), attempt)
        least = {"mem_mb": record.memory_mb, "runtime": record.minutes}
        return self.planner.asked(artifact, **least, attempt=attempt, in_vain=vain)

    def work(self, artifact: Artifact) -> Path:
        """The folder of an artifact's checkpoints (the store's working folder)."""
        return self.store.root / ".work" / artifact.stage / artifact.directory

    def work_of(self, job: Any) -> Path | None:
        """The work folder of the artifact whose receipt a job leaves; None: it leaves none."""
        for file in job.output:
            path = "/".join(Path(str(file)).parts[-2:])
            if path in self.plan.artifacts:
                return self.work(self.plan.artifacts[path])
        return None

    def retries(self, stage: str) -> int:
        """Retries of a stage that resumes: enough for its longest job, with the partition's longest tries."""
        pending = [artifact for artifact in self._pending() if artifact.stage == stage]
        return self.planner.retries(pending, runtime=STAGES[stage].minutes)

    def _pending(self) -> list[Artifact]:
        return [a for a in self.plan.artifacts.values() if not self.store.exists(a)]

    def wanted(self) -> Sequence[checks.Wanted]:
        """Every job still to do, as it would be submitted first."""
        made = []
        for artifact in self._pending():
            estimate = self.planner.estimated.get(artifact.path)
            flops = estimate.flops if estimate is not None else 0.0
            made.append(checks.Wanted(artifact.path, self._asked(artifact, artifact.stage), flops))
        return made

    def start(self, workflow: Any, say: Callable[[str], None]) -> None:
        """Check the site before the first job, and choose the question about jobs that this cluster answers.

        Raises SiteError if SLURM is not here, does not answer, or would refuse a job, and if a shell would
        change a job's command.
        """
        from snakemake_executor_plugin_slurm.validation import get_forbidden_slurm_options

        submission.require_plain(workflow)
        wanted, known, forbidden = self.wanted(), checks.Known.ask(), get_forbidden_slurm_options()
        for line in checks.require(self.site, wanted, known, forbidden, self.file):
            say(line)
        from rlv.snakemake.executor import Executor

        if workflow.executor_plugin.executor is not Executor:
            raise SiteError(
                f"{self.file}: found the executor {workflow.executor_plugin.name!r}, expected `slurm` as rlv "
                "extends it; use --executor slurm, and the versions that pyproject.toml names"
            )
        Executor.question = status.question(self.site.status_seconds)
        logs = workflow.executor_settings.logdir
        say(f"SLURM is asked by `{Executor.question.command}` for the states of jobs; their logs: {logs}")


def of_site(
    workflow: Any, config: Mapping[str, Any], plan: Plan, store: Store, *, submits: bool
) -> SlurmRules | None:
    """The rules' resources under SLURM; None: the configuration names no site. Raises SiteError.

    In a job it prepares this process for what SLURM does to it.
    """
    if "slurm" not in config:
        return None
    # Of several files, the last one counts.
    file = str([FILE, *workflow.overwrite_configfiles][-1])
    slurm = SlurmRules(config["slurm"], plan, store, file=file, gpu=config.get("gpu"), submits=submits)
    # If the plug-in is not installed, Snakemake itself reports it.
    if submits and find_spec("snakemake_executor_plugin_slurm"):
        from rlv.snakemake import executor

        executor.put_in_place(slurm.work_of)
    elif not submits:
        from rlv.snakemake import step

        # SLURM signals all processes of a job: Snakemake, too, must outlive the training that it waits for.
        # It is handled, not ignored: the training would inherit that.
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        step.put_in_place()
    # Copies of a few files, and a page from Snakemake's own records: made where the workflow was started.
    workflow.localrules(*plan.figures, *(["claims"] if plan.claims else []), "report")
    return slurm


def start(slurm: SlurmRules | None, workflow: Any, say: Callable[[str], None]) -> None:
    """Check the site before the first job. Raises SiteError as `SlurmRules.start`, and without a site."""
    if slurm is None:
        raise SiteError(
            "no site: the configuration has no section `slurm`; with a `--configfile` of your own, name "
            f"{FILE} beside it"
        )
    slurm.start(workflow, say)


def say(line: str) -> None:
    """Print a line beside what Snakemake prints."""
    print(escaped(line), file=sys.stderr)
