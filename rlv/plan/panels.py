"""Panels in plans: what several verifiers' scores of a reasoner's solutions are combined from."""

from __future__ import annotations

from typing import Any

from rlv.evaluation.panelled import ROLE
from rlv.evaluation.panels import PANELS
from rlv.plan.builder import Builder
from rlv.plan.methods import brought
from rlv.plan.naming import numbered
from rlv.scoring import SCORES
from rlv.store import Artifact
from rlv.study.types import Study


def is_panel(study: Study, verifier: str) -> bool:
    """Whether a verifier's scores are made of those of others."""
    return SCORES[study.verifiers[verifier].score].is_panel


def members_of(chain: Builder, reasoner: str, dataset: str | None, verifier: str) -> dict[str, Artifact]:
    """The scores of a panel's members, `member:NAME:00000`; of the tuning problems without a data set."""
    inputs: dict[str, Artifact] = {}
    for member in chain.study.verifiers[verifier].of:
        if dataset is None:
            scores = chain.tuned_scores(reasoner, member)
        else:
            scores = chain.scores(reasoner, dataset, member)
        inputs |= numbered(f"{ROLE}:{member}", scores)
    return inputs


def panel_of(chain: Builder, reasoner: str, dataset: str | None, verifier: str) -> Artifact:
    """A panel's scores of a reasoner's solutions on a data set; None: of those of the tuning problems.

    What it learns from are the tuning problems in both cases.
    """
    study, entry = chain.study, chain.study.verifiers[verifier]
    assert entry.panel is not None  # refused when the study is read
    params: dict[str, Any] = {"panel": entry.panel, "of": list(entry.of)}
    params |= brought(PANELS, entry.panel, "panel_package")
    inputs = members_of(chain, reasoner, dataset, verifier)
    learns = PANELS[entry.panel].learns
    if learns == "scores":
        inputs |= chain.tuned(reasoner, *entry.of)
    elif learns == "balance" and study.has_tuned(reasoner):
        inputs |= chain.tuned(reasoner)
    where = "tuned" if dataset is None else dataset
    return chain.make("panel", f"{reasoner}-{where}-{verifier}", params, inputs)
