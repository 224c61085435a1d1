"""What comparisons, figures and claims need of a study's parts: refused here, hours before they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.errors import StudyError
from rlv.figures import FIGURES
from rlv.figures.stage import module_of
from rlv.plan.checks.allocation import undrawn
from rlv.plan.checks.attacks import broken_attacks
from rlv.plan.checks.graders import broken_graders
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.predictions import broken_predictions
from rlv.plan.checks.stopping import without_rules
from rlv.plan.rules import RULES
from rlv.study.types import CLAIM_ROLES, CONTROLS, LARGEST_SEED, replica_name

if TYPE_CHECKING:
    from rlv.figures import Drawing
    from rlv.study.types import Comparison, Figure, Study

# What a figure may need that is a section of the study of the same name.
_SECTIONS = ("lengths", "attacks", "graders")


def broken_products(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of comparisons, figures and claims that cannot be made. parts.py runs first."""
    yield from _comparisons(study)
    yield from _seeds(study)
    yield from _figures(study)
    yield from _claims(study)
    yield from broken_attacks(study)
    yield from broken_graders(study)
    yield from broken_predictions(study)


def _comparisons(study: Study) -> Iterator[tuple[str, str]]:
    for name, comparison in study.comparisons.items():
        key = f"comparisons.{name}"
        for role in ("base", "rl_v", "start", "cold"):
            yield from unknown(f"{key}.{role}", getattr(comparison, role), study.reasoners, "reasoner")
        if comparison.cold is not None:
            entry = study.reasoners[comparison.cold]
            if entry.dataset is not None or entry.recorded_by is not None:
                yield f"{key}.cold", f"{comparison.cold!r} is trained; a cold start has only a `model`"
        scorers = [("verifier", comparison.rl_v), ("judge", comparison.base)]
        sides = dict.fromkeys(CONTROLS, comparison.base) | {"head": comparison.rl_v}
        scorers += [(c, reasoner) for c, reasoner in sides.items() if getattr(comparison, c) is not None]
        if comparison.separate is not None:
            scorers += [("separate", comparison.base), ("separate", comparison.rl_v)]
        for role, reasoner in scorers:
            verifier = getattr(comparison, role)
            if verifier not in study.reasoners[reasoner].verifiers:
                yield f"{key}.{role}", f"{verifier!r} is not among the verifiers of reasoner {reasoner!r}"
        if study.verifiers[comparison.verifier].reasoner != "self":
            reader = study.verifiers[comparison.verifier].reasoner
            yield f"{key}.verifier", f"{comparison.verifier!r} is read by {reader!r}; RL^V reads itself"
        if comparison.separate is not None:
            reader = study.reasoners.get(study.verifiers[comparison.separate].reasoner)
            if reader is None or reader.recorded_by is None:
                yield (
                    f"{key}.separate",
                    f"{comparison.separate!r} is not read by a reasoner with `recorded_by`, trained apart on "
                    "recorded solutions",
                )


def _seeds(study: Study) -> Iterator[tuple[str, str]]:
    if len(set(study.seeds)) != len(study.seeds) or not all(
        0 <= seed <= LARGEST_SEED for seed in study.seeds
    ):
        yield "seeds", f"different numbers from 0 to {LARGEST_SEED}, found {list(study.seeds)}"
    for comparison in study.comparisons.values() if study.seeds else ():
        for reasoner in (comparison.base, comparison.rl_v):
            if study.reasoners[reasoner].dataset is None:
                continue
            own = study.training_of(reasoner).seed
            if own not in study.seeds:
                yield "seeds", f"{reasoner!r} has training seed {own}, which is not among {list(study.seeds)}"
            for seed in study.seeds:
                taken = replica_name(reasoner, seed)
                if taken in study.reasoners:
                    yield (
                        "seeds",
                        f"a copy of {reasoner!r} would be called {taken!r}; rename that reasoner",
                    )


def _figures(study: Study) -> Iterator[tuple[str, str]]:
    for name, figure in study.figures.items():
        key = f"figures.{name}"
        if name in RULES:
            yield key, f"the workflow has a rule {name!r}; choose another name and set `drawing`"
        named = key if figure.drawing is None else f"{key}.drawing"
        yield from broken_method(named, figure.drawing or name, FIGURES, "figure")
        yield from _module(named, figure.drawing or name)
        for dataset in figure.datasets:
            yield from unknown(f"{key}.datasets", dataset, study.datasets, "data set")
        for comparison in figure.comparisons:
            yield from unknown(f"{key}.comparisons", comparison, study.comparisons, "comparison")
        for label, reasoners in figure.reasoners.items():
            for reasoner in reasoners:
                yield from unknown(f"{key}.reasoners.{label}", reasoner, study.reasoners, "reasoner")
        yield from _drawn(study, key, figure, FIGURES[figure.drawing or name], figure.drawing or name)
        if FIGURES[figure.drawing or name].needs == "allocation":
            yield from undrawn(study, key, figure, FIGURES[figure.drawing or name])
        if FIGURES[figure.drawing or name].needs == "stopping":
            yield from without_rules(study, key, figure)


def _module(key: str, name: str) -> Iterator[tuple[str, str]]:
    """The complaint about a package's figure whose module cannot be imported; ours take time and can be."""
    if name in FIGURES and FIGURES.package(name) is not None:
        try:
            module_of(name)
        except StudyError as error:
            yield key, str(error)


def _drawn(study: Study, key: str, figure: Figure, drawing: Drawing, name: str) -> Iterator[tuple[str, str]]:
    """Complaints about one figure, whose names are all known."""
    if figure.against != "n" and not drawing.costs:
        yield f"{key}.against", f"{name} is not drawn against {figure.against}; leave it out"
    chosen = [study.comparisons[m] for m in figure.comparisons or study.comparisons]
    yield from _of_first_errors(study, key, figure, drawing)
    if drawing.needs == "reasoners":
        yield from _listed(study, key, figure, name)
    elif drawing.needs in _SECTIONS and not getattr(study, drawing.needs):
        yield key, f"this figure needs the section `{drawing.needs}`"
    elif drawing.needs == "lengths" and study.lengths is not None:
        for part, what in (("comparisons", "comparison"), ("datasets", "data set")):
            for one in getattr(figure, part):
                yield from unknown(
                    f"{key}.{part}", one, getattr(study.lengths, part), f"{what} with length budgets"
                )
    elif drawing.needs in ("comparisons", "controls", "starts", "training"):
        if not chosen:
            yield f"{key}.comparisons", "this figure compares methods; `comparisons` is empty"
        compared = [r for comparison in chosen for r in (comparison.base, comparison.rl_v)]
        colds = [comparison.cold for comparison in chosen if comparison.cold is not None]
        drawn = [*compared, *colds] if drawing.needs == "controls" else compared
        yield from _evaluated(study, f"{key}.datasets", figure.datasets, drawn)
        for reasoner in compared if drawing.needs == "training" else ():
            if study.reasoners[reasoner].dataset is None:
                yield f"{key}.comparisons", f"{reasoner!r} is not trained and has no curves of training"
    if name == "unified_vs_separate" and all(comparison.separate is None for comparison in chosen):
        yield f"{key}.comparisons", "none of them names a separate verifier (`comparisons.NAME.separate`)"


def _of_first_errors(study: Study, key: str, figure: Figure, drawing: Drawing) -> Iterator[tuple[str, str]]:
    if drawing.needs != "first_errors":
        return
    if study.first_errors is None:
        yield key, "this figure needs the section `first_errors`"
        return
    known = study.first_errors.datasets
    for dataset in figure.datasets:
        yield from unknown(f"{key}.datasets", dataset, known, "data set of `first_errors`")


def _listed(study: Study, key: str, figure: Figure, name: str) -> Iterator[tuple[str, str]]:
    if not figure.reasoners:
        yield f"{key}.reasoners", "this figure needs reasoners by method, e.g. {grpo: [grpo_v]}"
    for label, reasoners in figure.reasoners.items():
        here = f"{key}.reasoners.{label}"
        for reasoner in reasoners:
            if study.own_verifier(reasoner) is None:
                yield here, f"{reasoner!r} has no verifier that reads itself"
        entries = [study.reasoners[reasoner].verification for reasoner in reasoners]
        field = "coefficient" if name == "coefficient" else "objective"
        values = [getattr(entry, field) for entry in entries]
        if name in ("coefficient", "objectives") and (len(values) < 2 or len(set(values)) < len(values)):
            yield here, f"reasoners of different verification.{field}, two or more; found {values}"
        yield from _evaluated(study, f"{key}.datasets", figure.datasets, list(reasoners))


def _evaluated(
    study: Study, key: str, datasets: tuple[str, ...], reasoners: list[str]
) -> Iterator[tuple[str, str]]:
    for dataset in datasets:
        for reasoner in reasoners:
            if dataset not in study.reasoners[reasoner].evaluate_on:
                yield key, f"{reasoner!r} is not evaluated on {dataset!r} (reasoners.{reasoner}.evaluate_on)"


def _claims(study: Study) -> Iterator[tuple[str, str]]:
    if study.overhead is not None:
        measured = study.overhead.reasoner
        yield from unknown("overhead.reasoner", measured, study.reasoners, "reasoner")
        entry = study.reasoners[measured]
        if entry.verification.coefficient == 0 or entry.dataset is None:
            yield "overhead.reasoner", f"{measured!r} is not trained by RL with a verification objective"
    if study.claims is None:
        return
    recorded = any(entry.samples is not None for entry in study.reasoners.values())
    if study.overhead is None and not recorded:
        yield "claims", "the claim `overhead` needs the section `overhead`"
    if not study.comparisons and not recorded and not study.claims.paired:
        yield "claims", "claims compare methods; `comparisons` is empty"
    yield from _paired(study)
    seen: dict[str, str] = {}
    for role in CLAIM_ROLES.values():
        dataset = getattr(study.claims, role)
        if dataset is None:
            continue
        key = f"claims.{role}"
        yield from unknown(key, dataset, study.datasets, "data set")
        if dataset in seen:
            yield key, f"{dataset!r} is already claims.{seen[dataset]}"
        seen[dataset] = role
        sides = [_sides(study, comparison, dataset) for comparison in study.comparisons.values()]
        if sides and not any(all(both) for both in sides):
            yield key, f"no comparison has both its reasoners evaluated on {dataset!r}"
        for comparison, (base, ours) in zip(study.comparisons.values(), sides, strict=True):
            if base != ours:
                absent = comparison.rl_v if base else comparison.base
                yield (
                    key,
                    f"{absent!r} is not evaluated on {dataset!r}, its counterpart is",
                )


def _paired(study: Study) -> Iterator[tuple[str, str]]:
    """Complaints about pairs of reasoners that are not evaluated on one data set of the claims."""
    assert study.claims is not None
    about = [getattr(study.claims, role) for role in CLAIM_ROLES.values()]
    for pair in study.claims.paired:
        for reasoner in pair:
            yield from unknown("claims.paired", reasoner, study.reasoners, "reasoner")
        if pair[0] == pair[1]:
            yield "claims.paired", f"{pair[0]!r} with itself; name two reasoners"
        known = [study.reasoners[r].evaluate_on for r in pair if r in study.reasoners]
        if not any(all(d in on for on in known) for d in about):
            yield (
                "claims.paired",
                f"{' and '.join(map(repr, pair))} are not both evaluated on a data set of the claims",
            )


def _sides(study: Study, comparison: Comparison, dataset: str) -> tuple[bool, bool]:
    """Whether the base and the RL^V reasoner of a comparison are evaluated on a data set."""
    base, ours = (study.reasoners[r].evaluate_on for r in (comparison.base, comparison.rl_v))
    return dataset in base, dataset in ours
