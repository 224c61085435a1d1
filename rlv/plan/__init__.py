"""Study -> artifacts and their inputs: the DAG as data. Snakemake and the command line only run it.

Everything is known before anything runs: keys of all artifacts follow from the study and from the digests
of external files. `chain.py` goes from problems to evaluations, `products.py` from evaluations to figures
and claims. Left out on purpose: computing (the stages), and which artifacts exist already (rlv/store).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rlv.errors import StudyError
from rlv.plan.allocation import allocations
from rlv.plan.attacks import attacks
from rlv.plan.chain import Chain
from rlv.plan.first_errors import located
from rlv.plan.graders import cross_grades
from rlv.plan.products import Products
from rlv.plan.stopping import stops
from rlv.run.order import places
from rlv.store import KEY_DIGITS, Artifact
from rlv.study.types import Study

__all__ = ["Plan", "build_plan"]


@dataclass(frozen=True)
class Plan:
    """All artifacts of a study by path, and those that have targets of their own by name."""

    study: Study
    artifacts: dict[str, Artifact]
    figures: dict[str, Artifact]
    claims: Artifact | None
    models: dict[str, Artifact]

    @cached_property
    def targets(self) -> dict[str, Artifact]:
        """The target `all`: figures, claims, and pretrained models, by name."""
        named = {**self.figures, **self.models}
        return {**named, "claims": self.claims} if self.claims is not None else named

    def find(self, path: str) -> Artifact:
        """The artifact at `<stage>/<name>-<12 hex>`. Raises StudyError if the study has none."""
        if path not in self.artifacts:
            raise StudyError(f"study {self.study.name}: no artifact {path!r}; {self._instead(path)}")
        return self.artifacts[path]

    def _instead(self, path: str) -> str:
        """The hint for a path that is no artifact's: the same name may have another key by now."""
        name = path[:-KEY_DIGITS]
        for known in self.artifacts:
            if name.endswith("-") and known[:-KEY_DIGITS] == name:
                return f"it is {known} since the study, its data or the code changed; start the run again"
        return "see `rlv study show`"


def build_plan(study: Study) -> Plan:
    """All artifacts of a study. Raises StudyError if an external file is missing."""
    chain = Chain(study)
    products = Products(chain)
    figures = {name: products.figure(name) for name in study.figures}
    claims = products.claims() if study.claims is not None else None
    models = {name: chain.pretrained(name) for name in study.pretraining}
    products.everything()
    allocations(chain)
    stops(chain)
    located(chain)
    attacks(chain)
    cross_grades(chain)
    chain.overlaps()
    found: dict[str, Artifact] = {}
    for root in chain.made.values():
        _collect(root, found)
    place = places(found.values())
    ordered = sorted(found.values(), key=lambda a: (place[a.path], _generation(a), a.path))
    return Plan(study, {a.path: a for a in ordered}, figures, claims, models)


def _generation(artifact: Artifact) -> int:
    """How many of its own stage come before it: data sets that exclude others, verifiers of recordings."""
    same = [_generation(parent) for parent in artifact.inputs.values() if parent.stage == artifact.stage]
    return 1 + max(same, default=-1)


def _collect(artifact: Artifact, found: dict[str, Artifact]) -> None:
    if artifact.path not in found:
        found[artifact.path] = artifact
        for parent in artifact.inputs.values():
            _collect(parent, found)
