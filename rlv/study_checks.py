"""What a study's types cannot say: names that must exist, and settings that must fit each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlv.sections import CLAIM_ROLES, OBJECTIVES

if TYPE_CHECKING:
    from rlv.sections import Dataset, Reasoner, Study


def broken_references(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of everything in a study that does not fit together."""
    yield from _datasets(study)
    yield from _reasoners(study)
    yield from _verifiers(study)
    yield from _evaluation(study)
    yield from _lengths(study)
    yield from _comparisons(study)
    yield from _figures(study)
    yield from _claims(study)


def _unknown(key: str, name: str | None, known: Iterable[str], what: str) -> Iterator[tuple[str, str]]:
    known = sorted(known)
    if name is not None and name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        yield key, f"no {what} named {name!r}{hint} (there are: {', '.join(known) or 'none'})"


def _datasets(study: Study) -> Iterator[tuple[str, str]]:
    from rlv.problems import SOURCES

    for name, dataset in study.datasets.items():
        yield from _unknown(f"datasets.{name}.source", dataset.source, SOURCES, "source of problems")
        if dataset.source == "local" and dataset.path is None:
            yield f"datasets.{name}.path", "a local data set needs the path of its file"
        if dataset.source == "local" and dataset.path is not None and not Path(dataset.path).is_file():
            yield f"datasets.{name}.path", f"no file {dataset.path!r}"
        if dataset.source == "mini" and dataset.size is None:
            yield f"datasets.{name}.size", "a generated data set needs its size"
        if dataset.levels:
            yield from _levels(f"datasets.{name}.levels", dataset)


def _levels(key: str, dataset: Dataset) -> Iterator[tuple[str, str]]:
    from rlv.problems import levels_of

    if dataset.source == "mini":
        yield key, "a generated data set has one level, its reach; set `reach` instead"
    elif dataset.path is not None and Path(dataset.path).is_file():
        there = {level for level in levels_of(dataset.path) if level is not None}
        if not there:
            yield key, f"{dataset.path} has no levels (no problem has the field `level`); leave it out"
        elif not there.issuperset(dataset.levels):
            missing = sorted(set(dataset.levels) - there)
            yield key, f"no problem of {dataset.path} has level {missing[0]}; there are: {sorted(there)}"


def _reasoners(study: Study) -> Iterator[tuple[str, str]]:
    from rlv.training.advantages import ADVANTAGES

    for name, reasoner in study.reasoners.items():
        key = f"reasoners.{name}"
        yield from _unknown(f"{key}.advantage", reasoner.advantage, ADVANTAGES, "advantage")
        yield from _unknown(f"{key}.model", reasoner.model, study.models, "model")
        yield from _unknown(f"{key}.dataset", reasoner.dataset, study.datasets, "data set")
        for dataset in reasoner.evaluate_on:
            yield from _unknown(f"{key}.evaluate_on", dataset, study.datasets, "data set")
        for verifier in reasoner.verifiers:
            yield from _unknown(f"{key}.verifiers", verifier, study.verifiers, "verifier")
        if (reasoner.dataset is None) != (reasoner.advantage is None):
            yield key, "a trained reasoner needs both `dataset` and `advantage`, an untrained one neither"
        if reasoner.recorded_by is not None:
            yield from _recorded(study, key, reasoner)
        elif reasoner.dataset is None and reasoner.verification.coefficient > 0:
            yield f"{key}.verification.coefficient", "an untrained reasoner has no verification objective"
        if reasoner.dataset is not None:
            training = study.training_of(name)
            updates = training.problems_per_step * training.solutions_per_problem
            if training.minibatches > updates:
                yield f"{key}.training.minibatches", f"{training.minibatches} of {updates} solutions a step"


def _recorded(study: Study, key: str, reasoner: Reasoner) -> Iterator[tuple[str, str]]:
    yield from _unknown(f"{key}.recorded_by", reasoner.recorded_by, study.reasoners, "reasoner")
    recorder = study.reasoners.get(str(reasoner.recorded_by))
    if recorder is not None and recorder.dataset is None:
        yield f"{key}.recorded_by", f"{reasoner.recorded_by!r} is not trained by RL and records no solutions"
    if reasoner.dataset is not None:
        yield f"{key}.recorded_by", "it learns from recorded solutions; leave `dataset` and `advantage` out"
    if reasoner.verification.coefficient == 0:
        yield f"{key}.verification.coefficient", "all that it learns is to verify; it must be above 0"


def _verifiers(study: Study) -> Iterator[tuple[str, str]]:
    from rlv.scoring import SCORES

    for section, taken in (("reasoners", "self"), ("verifiers", "votes")):
        if taken in getattr(study, section):
            yield f"{section}.{taken}", f"the name {taken!r} means something already; choose another"
    for name, verifier in study.verifiers.items():
        yield from _unknown(f"verifiers.{name}.score", verifier.score, SCORES, "score")
        if verifier.reasoner != "self":
            yield from _unknown(f"verifiers.{name}.reasoner", verifier.reasoner, study.reasoners, "reasoner")
    for name, reasoner in study.reasoners.items():
        for used in reasoner.verifiers:
            verifier = study.verifiers.get(used)
            if verifier is None or verifier.score not in OBJECTIVES:
                continue  # a judge, or another score that reads with any weights
            reader = name if verifier.reasoner == "self" else verifier.reasoner
            if reader not in study.reasoners:
                continue
            trained = study.reasoners[reader].verification
            if trained.coefficient == 0 or trained.objective != verifier.score:
                has = f"objective {trained.objective!r}" if trained.coefficient > 0 else "coefficient 0"
                yield (
                    f"reasoners.{name}.verifiers",
                    f"{used!r} (score {verifier.score!r}) is read by {reader!r}, which is not trained to "
                    f"verify in this way (verification: {has}); `judge` reads with any reasoner",
                )


def _evaluation(study: Study) -> Iterator[tuple[str, str]]:
    ns, n = study.evaluation.ns, study.sampling.n
    if not ns or list(ns) != sorted(set(ns)) or ns[0] < 1:
        yield "evaluation.ns", f"must increase and start at 1 or above, found {list(ns)}"
    elif ns[-1] > n:
        yield "evaluation.ns", f"{ns[-1]} votes need as many samples; sampling.n is {n}"
    if n % study.sampling.samples_per_shard:
        yield "sampling.samples_per_shard", f"{study.sampling.samples_per_shard} does not divide n = {n}"


def _increasing(key: str, values: Sequence[float]) -> Iterator[tuple[str, str]]:
    if list(values) != sorted(set(values)):
        yield key, f"must increase, found {list(values)}"


def _lengths(study: Study) -> Iterator[tuple[str, str]]:
    lengths = study.lengths
    if lengths is None:
        return
    yield from _increasing("lengths.budgets", lengths.budgets)
    yield from _increasing("lengths.thresholds", lengths.thresholds)
    if min(lengths.budgets) < 1 or max(lengths.budgets) > study.sampling.max_tokens:
        longest = study.sampling.max_tokens
        found = list(lengths.budgets)
        yield "lengths.budgets", f"must be in 1 … {longest} (sampling.max_tokens), found {found}"
    if not 0 <= min(lengths.thresholds) <= max(lengths.thresholds) <= 1:
        yield "lengths.thresholds", f"a confidence is in [0, 1], found {list(lengths.thresholds)}"
    for comparison in lengths.comparisons:
        yield from _unknown("lengths.comparisons", comparison, study.comparisons, "comparison")
    for dataset in lengths.datasets:
        yield from _unknown("lengths.datasets", dataset, study.datasets, "data set")
        for name in lengths.comparisons:
            compared = study.comparisons.get(name)
            for reasoner in (compared.base, compared.rl_v) if compared is not None else ():
                if reasoner in study.reasoners and dataset not in study.reasoners[reasoner].evaluate_on:
                    yield "lengths.datasets", f"{reasoner!r} is not evaluated on {dataset!r}; add it there"


def _comparisons(study: Study) -> Iterator[tuple[str, str]]:
    for name, comparison in study.comparisons.items():
        key = f"comparisons.{name}"
        for role in ("base", "rl_v", "start"):
            yield from _unknown(f"{key}.{role}", getattr(comparison, role), study.reasoners, "reasoner")
        scorers = [("verifier", comparison.rl_v), ("judge", comparison.base)]
        if comparison.separate is not None:
            scorers += [("separate", comparison.base), ("separate", comparison.rl_v)]
        for role, reader in scorers:
            verifier = getattr(comparison, role)
            if reader in study.reasoners and verifier not in study.reasoners[reader].verifiers:
                yield f"{key}.{role}", f"{verifier!r} is not among the verifiers of reasoner {reader!r}"
        for reasoner in (comparison.base, comparison.rl_v):
            entry = study.reasoners.get(reasoner)
            if study.seeds and entry is not None and entry.dataset is not None:
                own = study.training_of(reasoner).seed
                if own not in study.seeds:
                    yield "seeds", f"{reasoner!r} has training seed {own}, which is not among {study.seeds}"
    if len(set(study.seeds)) != len(study.seeds) or any(seed < 0 for seed in study.seeds):
        yield "seeds", f"different numbers of 0 or more, found {list(study.seeds)}"


def _figures(study: Study) -> Iterator[tuple[str, str]]:
    from rlv.figures import FIGURES

    for name, figure in study.figures.items():
        key = f"figures.{name}"
        if figure.drawing is None:
            yield from _unknown(key, name, FIGURES, "figure")
        else:
            yield from _unknown(f"{key}.drawing", figure.drawing, FIGURES, "figure")
        drawing = FIGURES.get(figure.drawing or name)
        for dataset in figure.datasets:
            yield from _unknown(f"{key}.datasets", dataset, study.datasets, "data set")
        for comparison in figure.comparisons:
            yield from _unknown(f"{key}.comparisons", comparison, study.comparisons, "comparison")
        for label, reasoners in figure.reasoners.items():
            for reasoner in reasoners:
                yield from _unknown(f"{key}.reasoners.{label}", reasoner, study.reasoners, "reasoner")
                if reasoner in study.reasoners and study.own_verifier(reasoner) is None:
                    yield f"{key}.reasoners.{label}", f"{reasoner!r} has no verifier that reads itself"
        if drawing is None:
            continue
        if drawing.needs == "reasoners" and not figure.reasoners:
            yield f"{key}.reasoners", "this figure needs reasoners by method, e.g. {grpo: [grpo_v]}"
        if drawing.needs == "lengths" and study.lengths is None:
            yield key, "this figure needs the section `lengths`"
        if drawing.needs == "lengths" and study.lengths is not None:
            for chosen, there in (("comparisons", "comparison"), ("datasets", "data set")):
                for one in getattr(figure, chosen):
                    known = getattr(study.lengths, chosen)
                    yield from _unknown(f"{key}.{chosen}", one, known, f"{there} with length budgets")


def _claims(study: Study) -> Iterator[tuple[str, str]]:
    if study.overhead is not None:
        yield from _unknown("overhead.reasoner", study.overhead.reasoner, study.reasoners, "reasoner")
        reasoner = study.reasoners.get(study.overhead.reasoner)
        if reasoner is not None and reasoner.verification.coefficient == 0:
            yield "overhead.reasoner", f"{study.overhead.reasoner!r} has no verification objective to measure"
    if study.claims is not None:
        for role in CLAIM_ROLES.values():
            yield from _unknown(f"claims.{role}", getattr(study.claims, role), study.datasets, "data set")
        if study.overhead is None:
            yield "claims", "the claim `overhead` needs the section `overhead`"
        if not study.comparisons:
            yield "claims", "claims compare methods; `comparisons` is empty"
