"""What a plan's chain offers to the modules that add stages to it."""

from __future__ import annotations

from typing import Any, Protocol

from rlv.store import Artifact
from rlv.study.types import Study


class Builder(Protocol):
    """Makes the artifacts of a study, each once (chain.py)."""

    study: Study

    def make(
        self,
        stage: str,
        name: str,
        params: dict[str, Any],
        inputs: dict[str, Artifact] | None = None,
        how: dict[str, Any] | None = None,
    ) -> Artifact:
        """The artifact with these parameters and inputs, made once for each stage and name."""
        ...

    def problems(self, name: str) -> Artifact:
        """The problems table of a data set."""
        ...

    def reasoner(self, name: str) -> Artifact:
        """The weights of a reasoner."""
        ...

    def asked(self, reasoner: str, dataset: str) -> dict[str, Any]:
        """The parameters that decide how a data set's questions are put to a reasoner."""
        ...

    def scores(self, reasoner: str, dataset: str, verifier: str, cut: bool = False) -> list[Artifact]:
        """A verifier's scores of all solutions of a reasoner on a data set."""
        ...

    def tuned_scores(self, reasoner: str, verifier: str) -> list[Artifact]:
        """A verifier's scores of a reasoner's solutions of the tuning problems."""
        ...

    def tuned(self, reasoner: str, *verifiers: str) -> dict[str, Artifact]:
        """Inputs of what is fitted on training problems: the reasoner's solutions and verifiers' scores."""
        ...

    def confidence(self, reasoner: str, verifier: str) -> Artifact:
        """The choice of a confidence."""
        ...
