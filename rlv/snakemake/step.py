"""The executor within a SLURM job, which starts the job's one step: a subclass of the `slurm-jobstep` one.

`run_job` is overridden: of SLURM's variables upstream keeps for `srun` those that name the job, and drops the
one that names the configuration. Without it `srun` finds no controller if the configuration is not in its
usual place. The override can go when upstream keeps SLURM_CONF (tests/snakemake/test_executor.py looks).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import snakemake_executor_plugin_slurm_jobstep as plugin
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

_KEPT = "SLURM_CONF"


class Executor(plugin.Executor):
    """Starts the step with the configuration of SLURM that this process has."""

    def run_job(self, job: Any) -> None:
        """Start a job's step and wait for it."""
        kept = {_KEPT: os.environ[_KEPT]} if _KEPT in os.environ else {}

        def start(*words: Any, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.Popen[Any]:
            return subprocess.Popen(*words, env=None if env is None else {**env, **kept}, **more)

        # Only the module's own view of `subprocess`, and only meanwhile.
        plugin.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": start})
        try:
            super().run_job(job)
        finally:
            plugin.subprocess = subprocess


def put_in_place() -> None:
    """Have Snakemake make this executor when it makes that of the plug-in `slurm-jobstep`."""
    registered: Any = ExecutorPluginRegistry().get_plugin("slurm-jobstep")
    registered.executor = Executor
