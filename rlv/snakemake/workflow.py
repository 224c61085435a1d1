"""What the workflow asks of this package: resources of its rules, and what happens once before the first job.

Made by the Snakefile where the configuration has a section `slurm`; without one the workflow runs as on any
machine. The process that submits asks SLURM for its partitions when it plans, if SLURM is there; the jobs,
which parse the same Snakefile, do not, since what they ask for was decided before they began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rlv.cluster import checks, inventory, retries
from rlv.cluster.resources import NAMES, Asked, Planner, gpu_for_estimates, known_gpu
from rlv.cluster.site import FILE, read_site
from rlv.errors import SiteError
from rlv.estimate.jobs import Estimate, estimates
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.snakemake import status, submission
from rlv.store import Artifact, Store
from rlv.training.tries import NONE_IN_VAIN, in_vain

# The resource by which a training learns how often it was tried; a rule's shell command puts it there.
ATTEMPT = "attempt"
# What each rule asked for, so that a check before the run can ask the same.
Least = tuple[int, int]


class SlurmRules:
    """Resources for the rules of one workflow, on one site.

    `submits`: whether this process submits jobs (or plans to), rather than being one. Raises SiteError for a
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
        self._submits = submits
        self._least: dict[str, Least] = {}

    @property
    def gpu_to_fit(self) -> str | None:
        """What jobs must fit, never the login node's own; None where the site says neither model nor type."""
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
        if not self._submits or not inventory.installed():
            return None
        try:
            return inventory.partitions()
        except SiteError:
            return None  # a plan needs none, and before a run it is said

    def asks(self, stage: str, *, mem_mb: int, runtime: int) -> dict[str, Callable[..., Any]]:
        """A rule's resources: functions of the wildcards and the attempt, by the executor's names.

        `mem_mb`, `runtime`: the least that a job of the stage asks for.
        """
        self._least[stage] = (mem_mb, runtime)

        def ask(name: str) -> Callable[..., Any]:
            def value(wildcards: Any, attempt: int) -> Any:
                artifact = self._artifact(stage, wildcards)
                return self._asked(artifact, mem_mb, runtime, attempt).as_resources(self.site)[name]

            return value

        named: dict[str, Callable[..., Any]] = {name: ask(name) for name in NAMES}
        if STAGES[stage].resumes:
            named[ATTEMPT] = lambda wildcards, attempt: attempt
        return named

    def _artifact(self, stage: str, wildcards: Any) -> Artifact | None:
        directory = getattr(wildcards, "artifact", None)
        return None if directory is None else self.plan.find(f"{stage}/{directory}")

    def _asked(self, artifact: Artifact | None, mem_mb: int, runtime: int, attempt: int = 1) -> Asked:
        vain = NONE_IN_VAIN
        if attempt > 1 and artifact is not None and STAGES[artifact.stage].resumes:
            vain = in_vain(self.work(artifact), attempt)
        return self.planner.asked(artifact, mem_mb=mem_mb, runtime=runtime, attempt=attempt, in_vain=vain)

    def work(self, artifact: Artifact) -> Path:
        """The folder of an artifact's checkpoints (the store's working folder)."""
        return self.store.root / ".work" / artifact.stage / artifact.directory

    def _work_of(self, job: Any) -> Path | None:
        """That of the artifact whose manifest a job of the workflow leaves; None: it leaves none."""
        for file in job.output:
            path = "/".join(Path(str(file)).parts[-3:-1])
            if path in self.plan.artifacts:
                return self.work(self.plan.artifacts[path])
        return None

    def retries(self, *, runtime: int) -> int:
        """Of trainings: so many that the longest ends, each try as long as the partition allows."""
        return self.planner.retries([a for a in self._pending() if STAGES[a.stage].resumes], runtime=runtime)

    def _pending(self) -> list[Artifact]:
        return [a for a in self.plan.artifacts.values() if not self.store.exists(a)]

    def wanted(self) -> Sequence[checks.Wanted]:
        """Every job still to do, as it would be submitted first."""
        made = []
        for artifact in self._pending():
            mem_mb, runtime = self._least.get(artifact.stage, (1000, 10))
            asked = self.planner.asked(artifact, mem_mb=mem_mb, runtime=runtime)
            estimate = self.planner.estimated.get(artifact.path)
            flops = estimate.flops if estimate is not None else 0.0
            made.append(checks.Wanted(artifact.path, asked, flops))
        return made

    def start(self, workflow: Any, say: Callable[[str], None]) -> None:
        """Before the first job: checks, and the question about jobs that this cluster answers.

        Raises SiteError where SLURM is not here, does not answer, or would refuse a job, and where a shell
        would read something else in a job's command than was written.
        """
        submission.require_plain(workflow)
        wanted, known = self.wanted(), checks.Known.ask()
        for line in checks.require(self.site, wanted, known, self.file):
            say(line)
        command = status.install(workflow, self.site.status_seconds)
        retries.install(workflow.scheduler._executor, self._work_of)
        say(f"SLURM is asked by `{command}` how jobs are; their logs: {workflow.executor_settings.logdir}")
