"""From evaluations to figures and claims: the inputs and parameters of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlv.figures import FIGURES
from rlv.plan.allocation import allocations, chains_of
from rlv.plan.attacks import attacks
from rlv.plan.chain import Chain
from rlv.plan.first_errors import located
from rlv.plan.graders import cross_grades
from rlv.plan.methods import brought
from rlv.plan.panels import is_panel
from rlv.plan.stopping import stops
from rlv.store import Artifact
from rlv.study.types import CLAIM_ROLES, CONTROLS, Comparison, Role, Study


class Products:
    """Figures and claims of the study behind a chain."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.study = chain.study

    def _compared(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The evaluations of both reasoners of a comparison (of all training seeds), by all their readers."""
        made = []
        sides = ((comparison.base, comparison.judge), (comparison.rl_v, comparison.verifier))
        for reasoner, scorer in sides:
            for replica in self.study.replicas(reasoner):
                made.append(self.chain.evaluation(replica, dataset, scorer))
            if comparison.separate is not None:
                made.append(self.chain.evaluation(reasoner, dataset, comparison.separate))
        return made

    def _controls(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The evaluations of a comparison's controls: of the base reasoner, and of RL^V if it lists them.

        The cold start's votes are among them if it is evaluated there.
        """
        made = []
        for verifier in filter(None, (getattr(comparison, control) for control in CONTROLS)):
            for reasoner in (comparison.base, comparison.rl_v):
                if verifier in self.study.reasoners[reasoner].verifiers:
                    replicas = self.study.replicas(reasoner)
                    made += [self.chain.evaluation(replica, dataset, verifier) for replica in replicas]
        if comparison.cold is not None:
            made += [a for a in self._starts(comparison, dataset) if a.params["reasoner"] == comparison.cold]
        return made

    def _starts(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The votes of the models that both reasoners of a comparison started from, where evaluated."""
        names = filter(None, (comparison.start, comparison.cold))
        evaluated = [name for name in names if dataset in self.study.reasoners[name].evaluate_on]
        return [self.chain.votes(name, dataset) for name in evaluated]

    def _panels(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The evaluations of both reasoners of a comparison by the panels that they list."""
        made = []
        for reasoner in (comparison.base, comparison.rl_v):
            panels = [v for v in self.study.reasoners[reasoner].verifiers if is_panel(self.study, v)]
            replicas = self.study.replicas(reasoner)
            made += [self.chain.evaluation(r, dataset, panel) for panel in panels for r in replicas]
        return made

    def _aggregated(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The evaluations of the RL^V reasoner by aggregations of values along its solutions."""
        known = {name for group in aggregates(self.study) for name in group}
        listed = [v for v in self.study.reasoners[comparison.rl_v].verifiers if v in known]
        return [self.chain.evaluation(comparison.rl_v, dataset, verifier) for verifier in listed]

    def _cut(self, comparison: Comparison, dataset: str) -> list[Artifact]:
        """The evaluations of a comparison at every length budget: votes of the base, scores of RL^V."""
        ours = self.chain.evaluation(comparison.rl_v, dataset, comparison.verifier, True)
        return [self.chain.evaluation(comparison.base, dataset, "", True), ours]

    def everything(self) -> list[Artifact]:
        """Every evaluation that the study asks for."""
        return [
            self.chain.evaluation(reasoner, dataset, verifier)
            for reasoner, entry in self.study.reasoners.items()
            for dataset in entry.evaluate_on
            for verifier in entry.verifiers or ("",)
        ]

    def _all(self, needs: str) -> list[Artifact]:
        """All evaluations of the study, or all that one of its sections asks for."""
        sections = {
            "allocation": allocations,
            "stopping": stops,
            "first_errors": located,
            "attacks": attacks,
            "graders": cross_grades,
        }
        return sections[needs](self.chain) if needs in sections else self.everything()

    def figure(self, name: str) -> Artifact:
        """The artifact of a figure of the study: what it draws, from which evaluations or training runs."""
        figure = self.study.figures[name]
        needs = FIGURES[figure.drawing or name].needs
        lengths = self.study.lengths
        methods = figure.comparisons
        if needs == "lengths":
            assert lengths is not None  # refused when the study is read
            methods = methods or lengths.comparisons
        chosen = {m: self.study.comparisons[m] for m in methods or self.study.comparisons}
        datasets = figure.datasets
        made: list[Artifact] = []
        trained: dict[str, Artifact] = {}
        if needs == "training":
            for comparison in chosen.values():
                for reasoner in (comparison.base, comparison.rl_v):
                    trained |= {f"train:{r}": self.chain.reasoner(r) for r in self.study.replicas(reasoner)}
        elif needs in ("everything", "allocation", "stopping", "first_errors", "attacks", "graders"):
            made = self._all(needs)
            datasets = datasets or tuple({str(a.params["dataset"]): None for a in made})
            made = [a for a in made if a.params["dataset"] in datasets]
        elif needs == "reasoners":
            listed = [r for reasoners in figure.reasoners.values() for r in reasoners]
            datasets = datasets or _evaluated_on(self.study, listed)
            made = [self.chain.evaluation(r, d, self._own_verifier(r)) for d in datasets for r in listed]
        elif needs == "lengths":
            datasets = datasets or (lengths.datasets if lengths is not None else ())
            made = [a for d in datasets for c in chosen.values() for a in self._cut(c, d)]
        else:
            compared = [r for c in chosen.values() for r in (c.base, c.rl_v)]
            compared += [c.cold for c in chosen.values() if needs == "controls" and c.cold is not None]
            datasets = datasets or _evaluated_on(self.study, compared)
            made = [a for d in datasets for c in chosen.values() for a in self._compared(c, d)]
            if needs == "starts":
                made += [a for d in datasets for c in chosen.values() for a in self._starts(c, d)]
            if needs == "controls":
                made += [a for d in datasets for c in chosen.values() for a in self._controls(c, d)]
        params: dict[str, Any] = {
            "figure": name,
            "drawing": figure.drawing or name,
            **brought(FIGURES, figure.drawing or name, "drawing_package"),
            "against": figure.against,
            "comparisons": self._described(chosen),
            "reasoners": {
                label: [self._described_reasoner(reasoner) for reasoner in reasoners]
                for label, reasoners in figure.reasoners.items()
            },
        }
        if needs != "training":
            evaluation = self.study.evaluation
            params |= {"datasets": list(datasets), "seed": evaluation.seed, "draws": evaluation.draws}
        return self.chain.make("figures", name, params, trained | {f"{a.stage}:{a.name}": a for a in made})

    def claims(self) -> Artifact:
        """The artifact of the scoreboard: all evaluations that claims compare, and the overhead."""
        claims, lengths = self.study.claims, self.study.lengths
        assert claims is not None
        named = {role: getattr(claims, key) for role, key in CLAIM_ROLES.items()}
        roles = {role: dataset for role, dataset in named.items() if dataset is not None}
        inputs = {} if self.study.overhead is None else {"overhead": self.chain.overhead()}
        for dataset in roles.values():
            for comparison in self.study.comparisons.values():
                if dataset not in _evaluated_on(self.study, [comparison.base, comparison.rl_v]):
                    continue
                made = self._compared(comparison, dataset) + self._controls(comparison, dataset)
                made += self._starts(comparison, dataset) + self._panels(comparison, dataset)
                made += self._aggregated(comparison, dataset)
                inputs |= {f"evaluate:{a.name}": a for a in made}
            inputs |= {f"evaluate:{a.name}": a for a in self._as_they_are(dataset)}
            inputs |= {f"locate:{a.name}": a for a in located(self.chain, (dataset,))}
        allocated = [a for a in allocations(self.chain) if a.params["dataset"] in roles.values()]
        inputs |= {f"allocate:{a.name}": a for a in allocated}
        if lengths is not None:
            for dataset in lengths.datasets:
                for method in lengths.comparisons:
                    cut = self._cut(self.study.comparisons[method], dataset)
                    inputs |= {f"lengths:{a.name}": a for a in cut}
        params = {
            "roles": roles,
            "comparisons": self._described(self.study.comparisons),
            "lengths": None
            if lengths is None
            else lengths.model_dump(mode="json", include={"datasets", "comparisons", "budgets"}),
            "draws": self.study.evaluation.draws,
            "seed": self.study.evaluation.seed,
        }
        replayed = [a for a in stops(self.chain) if a.params["dataset"] in roles.values()]
        inputs |= {f"stop:{a.name}": a for a in replayed}
        attacked = [a for a in attacks(self.chain) if a.params["dataset"] in roles.values()]
        inputs |= {f"attack:{a.name}": a for a in attacked}
        params |= self._without_training()
        panels = {name: v for name, v in self.study.verifiers.items() if is_panel(self.study, name)}
        if panels:
            params["panels"] = {name: {"panel": v.panel, "of": list(v.of)} for name, v in panels.items()}
        if groups := aggregates(self.study):
            params["aggregates"] = groups
        if self.study.predictions:
            expected = self.study.predictions.items()
            params["predictions"] = {row: prediction.model_dump() for row, prediction in expected}
        return self.chain.make("claims", "claims", params, inputs)

    def _as_they_are(self, dataset: str) -> list[Artifact]:
        """The evaluations of reasoners that claims are about without a counterpart in training."""
        assert self.study.claims is not None
        listed = {name for pair in self.study.claims.paired for name in pair}
        listed |= {name for name, entry in self.study.reasoners.items() if entry.samples is not None}
        here = [a for a in self.everything() if a.params["dataset"] == dataset]
        return [a for a in here if a.params["reasoner"] in listed]

    def _without_training(self) -> dict[str, Any]:
        """Parameters of claims that are about reasoners as they are; empty if there are none."""
        assert self.study.claims is not None
        reasoners = self.study.reasoners.items()
        recorded = {name: list(entry.verifiers) for name, entry in reasoners if entry.samples is not None}
        found = {"recorded": recorded, "paired": [list(pair) for pair in self.study.claims.paired]}
        found["allocated"] = chains_of(self.study)
        return {name: value for name, value in found.items() if value}

    def _described(self, comparisons: dict[str, Comparison]) -> dict[str, Any]:
        """Comparisons as figures and claims read them, with the copies of other training seeds.

        Young settings that a comparison leaves out are no part of it.
        """
        young = Comparison.having(Role.YOUNG)
        return {
            method: {
                **{k: v for k, v in comparison.model_dump().items() if k not in young or v is not None},
                "replicas": {
                    "base": list(self.study.replicas(comparison.base)),
                    "rl_v": list(self.study.replicas(comparison.rl_v)),
                },
            }
            for method, comparison in comparisons.items()
        }

    def _described_reasoner(self, reasoner: str) -> dict[str, Any]:
        verification = self.study.reasoners[reasoner].verification
        return {
            "reasoner": reasoner,
            "verifier": self._own_verifier(reasoner),
            "coefficient": verification.coefficient,
            "objective": verification.objective,
        }

    def _own_verifier(self, reasoner: str) -> str:
        verifier = self.study.own_verifier(reasoner)
        assert verifier is not None  # refused when the study is read
        return verifier


def _evaluated_on(study: Study, reasoners: Sequence[str]) -> tuple[str, ...]:
    """The data sets on which all of these reasoners are evaluated, in the study's order."""
    evaluated = [study.reasoners[name].evaluate_on for name in reasoners]
    return tuple(d for d in study.datasets if all(d in names for names in evaluated))


def aggregates(study: Study) -> list[dict[str, str]]:
    """Verifiers that make scores of the same values along solutions, with their aggregations; by reading."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name, entry in study.verifiers.items():
        if entry.aggregate is not None:
            reading = (entry.score, entry.column or "", entry.reasoner, entry.engine, entry.places or "")
            groups.setdefault(reading, {})[name] = entry.aggregate
    return list(groups.values())
