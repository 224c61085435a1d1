"""Failures hours into a run that can be foreseen; checked by `rlv study check` and by the workflow.

    hub.py       models and data sets that the hub would not give: no network, no access, no such commit
    models.py    packages that are not installed, weights that are not those of their architecture
    lengths.py   tokenizers that cannot express a style or a verifier's question, and prompts with budgets
                 that are longer than a model's positions

Here: engines that are not installed, and jobs that do not fit the GPU. Only jobs still to do are checked.
Left out on purpose: mistakes in the text of a study (rlv/plan/checks), and the quality of answers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from rlv.errors import StudyError
from rlv.estimate.gpus import find_gpu, local_gpu
from rlv.estimate.jobs import estimates
from rlv.estimate.preflight import hub, lengths, models
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store


def require(plan: Plan, store: Store, gpu: str | None = None, *, here: bool = True) -> None:
    """Raises StudyError with every reason why the study would fail here, one line each.

    `gpu`: the GPU that jobs must fit; None: this machine's, if it is a known one and jobs run `here`.
    """
    local = local_gpu() if gpu is None and here else None
    found = list(dict.fromkeys(complaints(plan, store, gpu or (local.name if local else None))))
    if found:
        raise StudyError("\n".join(f"study {plan.study.name}: {line}" for line in found))


def complaints(plan: Plan, store: Store, gpu: str | None = None, *, ask: bool = True) -> Iterator[str]:
    """Each fault: key path, what was found, a remedy. `gpu`: the name of the GPU that jobs must fit.

    `ask`: whether the hub may be asked; if not, what its cache lacks is a fault.
    """
    pending = [a for a in plan.artifacts.values() if not store.exists(a)]
    yield from _engines(plan, pending)
    refused = hub.refused(pending) if ask else hub.uncached(pending)
    yield from refused.values()
    yield from models.packages(pending)
    if gpu is not None:
        yield from too_large(plan, store, gpu)
    yield from models.weights(store, pending)
    yield from lengths.complaints(plan, store, pending, refused)


def at_a_glance(plan: Plan, store: Store, gpu: str | None = None) -> Iterator[str]:
    """The faults of `complaints` that are seen without a network, and without reading weights or tokenizers.

    What the hub's cache lacks is one of them, whether or not the hub would give it.
    """
    pending = [a for a in plan.artifacts.values() if not store.exists(a)]
    yield from _engines(plan, pending)
    yield from hub.uncached(pending).values()
    yield from models.packages(pending)
    if gpu is not None:
        yield from too_large(plan, store, gpu)


def too_large(plan: Plan, store: Store, gpu: str) -> Iterator[str]:
    """Jobs still to do that do not fit a GPU when solutions have all of their budgets."""
    for estimate in estimates(plan, store, find_gpu(gpu), Assumptions(length=1.0)):
        if not store.exists(estimate.artifact):
            yield from estimate.too_large


def _engines(plan: Plan, pending: list[Artifact]) -> Iterator[str]:
    if importlib.util.find_spec("vllm") is not None:
        return
    jobs = [a for a in pending if a.params.get("engine") == "vllm"]
    for key in dict.fromkeys(STAGES[a.stage].work.key(plan.study, a, "engine") for a in jobs):
        yield (
            f"{key}: vllm is not installed in this environment; run in one that has it (envs/README.md), or "
            "set it to transformers"
        )
