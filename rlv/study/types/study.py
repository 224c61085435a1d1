"""A whole study, and what its sections mean for one of its reasoners."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rlv.study.types.allocation import Allocation
from rlv.study.types.attacks import Attacks
from rlv.study.types.data import Dataset, Model, Pretraining, PromptStyle
from rlv.study.types.evaluation import (
    Claims,
    Comparison,
    Evaluation,
    Figure,
    Lengths,
    Overhead,
    Prediction,
    Samples,
    Sampling,
    Tuning,
    Verifier,
)
from rlv.study.types.first_errors import FirstErrors
from rlv.study.types.graders import ModelGrader
from rlv.study.types.section import Name, Section
from rlv.study.types.stopping import Stopping
from rlv.study.types.training import Reasoner, Training


class Assumption(Section):
    """A value that is not known from the paper, as it is written in a study."""

    value: Any
    source: str | None = None


class Study(Section):
    """Everything that decides the results of a study."""

    name: str = Field(
        description="names the folder of results", pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64
    )
    description: str = Field(default="", description="one line for people")
    datasets: dict[Name, Dataset] = Field(default={}, description="by name")
    models: dict[Name, Model] = Field(default={}, description="by name")
    pretraining: dict[Name, Pretraining] = Field(default={}, description="bases to pretrain, by name")
    training: Training = Field(default=Training(), description="defaults of every trained reasoner")
    reasoners: dict[Name, Reasoner] = Field(default={}, description="by name")
    samples: dict[Name, Samples] = Field(default={}, description="solutions of others, by name")
    verifiers: dict[Name, Verifier] = Field(default={}, description="by name")
    sampling: Sampling = Field(default=Sampling(), description="solutions for evaluation")
    tuning: Tuning | None = Field(default=None, description="where choices are made, if there are any")
    evaluation: Evaluation = Field(default=Evaluation(), description="votes and curves")
    comparisons: dict[Name, Comparison] = Field(default={}, description="methods by name")
    lengths: Lengths | None = Field(default=None, description="length budgets, if present")
    allocation: Allocation | None = Field(
        default=None, description="which strategy for which problem, if present"
    )
    stopping: Stopping | None = Field(default=None, description="stopping rules, if present")
    first_errors: FirstErrors | None = Field(
        default=None, description="whether verifiers know where solutions go wrong, if present"
    )
    overhead: Overhead | None = Field(default=None, description="measured if present")
    graders: dict[Name, ModelGrader] = Field(default={}, description="models that grade, by name")
    attacks: Attacks | None = Field(default=None, description="attacks on verifiers, if present")
    figures: dict[Name, Figure] = Field(default={}, description="figures to draw, by the figure's own name")
    claims: Claims | None = Field(default=None, description="scoreboard, if present")
    predictions: dict[str, Prediction] = Field(
        default={},
        description='by "CLAIM DATASET", as `early_gain test`: about the first row that the claim has there '
        'for each method; "CLAIM DATASET 2": about the second',
    )
    seeds: tuple[int, ...] = Field(
        default=(), description="training seeds: every compared reasoner is trained once with each"
    )
    conventions: dict[Name, str] = Field(
        default={},
        description="what is done one way here and another way elsewhere, and no setting decides; for people",
    )
    assumed: dict[str, Assumption] = Field(
        default={}, description="filled in on reading: key path -> what is assumed there"
    )

    def prompt_style(self, reasoner: str, dataset: str) -> PromptStyle:
        """How a data set's questions are put to a reasoner: by its model family's style if that has one."""
        family = self.family(reasoner)
        return (family and family.prompt_style) or self.datasets[dataset].prompt_style

    def system_prompt(self, reasoner: str) -> str | None:
        """The system prompt of chats with a reasoner; None: the one of its family's template."""
        family = self.family(reasoner)
        return family and family.system_prompt

    def family(self, reasoner: str) -> Model | None:
        """The model that a reasoner starts from; None if others sampled its solutions, of a model or not."""
        name = self.reasoners[reasoner].model
        return None if name is None else self.models[name]

    def training_of(self, reasoner: str) -> Training:
        """The study's training settings with the reasoner's own on top."""
        own = self.reasoners[reasoner].training
        return Training.model_validate({**self.training.model_dump(), **own})

    def sampling_of(self, reasoner: str) -> Sampling:
        """The study's sampling settings with those of the reasoner's model family and its own on top.

        Its temperature is not among them if that is chosen, see `temperatures`.
        """
        family = self.family(reasoner)
        own = {} if family is None else dict(family.sampling)
        temperature = self.reasoners[reasoner].temperature
        if temperature is not None and len(temperature.best_of) == 1:
            own["temperature"] = temperature.best_of[0]
        return Sampling.model_validate({**self.sampling.model_dump(), **own})

    def solutions_of(self, reasoner: str) -> int:
        """How many solutions of a problem there are of a reasoner for evaluation."""
        samples = self.reasoners[reasoner].samples
        return self.sampling_of(reasoner).n if samples is None else self.samples[samples].n

    def temperatures(self, reasoner: str) -> tuple[float, ...]:
        """The temperatures that a reasoner's is chosen among; its one temperature if nothing is chosen."""
        temperature = self.reasoners[reasoner].temperature
        return temperature.best_of if temperature is not None else (self.sampling_of(reasoner).temperature,)

    def scoring(self, reasoner: str) -> tuple[str, ...]:
        """The verifiers that score a reasoner's solutions: those it lists, and the members of its panels."""
        listed = self.reasoners[reasoner].verifiers
        panels = [self.verifiers[name].of for name in listed if name in self.verifiers]
        return tuple(dict.fromkeys((*listed, *(member for of in panels for member in of))))

    def has_tuned(self, reasoner: str) -> bool:
        """Whether there are solutions of training problems of a reasoner, at the one temperature it has."""
        sampled = self.reasoners[reasoner].samples is None
        return sampled and self.tuning is not None and len(self.temperatures(reasoner)) == 1

    def replicas(self, reasoner: str) -> tuple[str, ...]:
        """A compared reasoner, once for each training seed, in the order of the study's seeds."""
        if not self.seeds or self.reasoners[reasoner].dataset is None:
            return (reasoner,)
        own = self.training_of(reasoner).seed
        return tuple(reasoner if seed == own else replica_name(reasoner, seed) for seed in self.seeds)

    def own_verifier(self, reasoner: str) -> str | None:
        """The verifier with which a reasoner reads itself: as it was trained to, else as a judge."""
        entry = self.reasoners[reasoner]
        wanted = entry.verification.objective if entry.verification.coefficient > 0 else "judge"
        for name in entry.verifiers:
            verifier = self.verifiers.get(name)
            if verifier is not None and verifier.reasoner == "self" and verifier.score == wanted:
                return name
        return None


def replica_name(reasoner: str, seed: int) -> str:
    """The name of a reasoner's copy with another training seed."""
    return f"{reasoner}_seed{seed}"
