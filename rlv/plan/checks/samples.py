"""Whether reasoners whose solutions others sampled can be evaluated: what they cannot have is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.imported.dialects import DIALECTS, MAPPING
from rlv.imported.fields import FIELDS
from rlv.plan.checks.names import unknown
from rlv.problems import FIELDS as OF_PROBLEMS
from rlv.problems import IN_SAMPLES
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from rlv.study.types import Dataset, Reasoner, Study

# The keys of a data set that are read if its problems are in the files of solutions.
_READ = {"source", "prompt_style", "answer_format", "step_rule"}
# The keys of a reasoner that are about sampling or training.
_UNREAD = ("dataset", "advantage", "recorded_by", "verification", "training", "temperature")


def broken_samples(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of solutions that others sampled, and of who has them."""
    for name, reasoner in study.reasoners.items():
        key = f"reasoners.{name}"
        if (reasoner.model is None) == (reasoner.samples is None):
            found = "neither" if reasoner.model is None else "both"
            yield key, f"a reasoner has a `model`, or `samples` that others have sampled; found {found}"
        elif reasoner.samples is not None:
            yield from unknown(f"{key}.samples", reasoner.samples, study.samples, "samples")
            yield from _reasoner(study, name, reasoner)
    yield from _verifiers(study)
    for name, dataset in study.datasets.items():
        if dataset.source == IN_SAMPLES:
            yield from _dataset(study, name, dataset)
    for name, samples in study.samples.items():
        # A format may have one of its filters behind a colon, which its reading checks.
        base = None if samples.dialect is None else samples.dialect.partition(":")[0]
        yield from unknown(f"samples.{name}.dialect", base, [*DIALECTS, MAPPING.name], "format")
        for field in samples.map:
            yield from unknown(f"samples.{name}.map.{field}", field, FIELDS, "field")
        for field in samples.problem_map:
            yield from unknown(f"samples.{name}.problem_map.{field}", field, OF_PROBLEMS, "field")
        if samples.problem_map and samples.problems is None:
            yield f"samples.{name}.problem_map", "nothing reads this without `problems`; leave it out"
    yield from _lengths(study)


def _verifiers(study: Study) -> Iterator[tuple[str, str]]:
    for name, verifier in study.verifiers.items():
        given = verifier.score in SCORES and SCORES[verifier.score].is_given
        for unread in sorted({"column", "free"} & verifier.model_fields_set):
            if not given:
                yield f"verifiers.{name}.{unread}", f"score {verifier.score!r} never reads this; leave it out"
        if given and (verifier.reasoner != "self" or verifier.engine != "transformers"):
            yield f"verifiers.{name}", "score 'given' is read by nobody; leave `reasoner` and `engine` out"
        if given:
            yield from _given(study, name)
        elif verifier.reasoner in study.reasoners and study.reasoners[verifier.reasoner].samples is not None:
            yield (
                f"verifiers.{name}.reasoner",
                f"{verifier.reasoner!r} has samples and no model; a reasoner with a model reads",
            )


def _reasoner(study: Study, called: str, reasoner: Reasoner) -> Iterator[tuple[str, str]]:
    key = f"reasoners.{called}"
    for unread in (field for field in _UNREAD if field in reasoner.model_fields_set):
        yield f"{key}.{unread}", "others sampled its solutions, and nothing is trained; leave it out"
    if len(reasoner.evaluate_on) != 1:
        yield (
            f"{key}.evaluate_on",
            f"its files are of one data set, found {list(reasoner.evaluate_on)}; name that one",
        )
    for name in reasoner.evaluate_on:
        own = study.datasets.get(name)
        samples = study.samples.get(str(reasoner.samples))
        if (
            own is not None
            and own.source != IN_SAMPLES
            and samples is not None
            and samples.problems is not None
        ):
            yield (
                f"samples.{reasoner.samples}.problems",
                f"references come from data set {name!r}; leave it out, or give that source {IN_SAMPLES!r}",
            )
    for name in study.scoring(called):
        verifier = study.verifiers.get(name)
        if verifier is None or verifier.score not in SCORES:
            continue  # parts.py complains about it
        score = SCORES[verifier.score]
        if score.loads_no_model and not (score.is_given or score.is_panel):
            yield (
                f"{key}.verifiers",
                f"{name!r} (score {verifier.score!r}) reads what our sampling keeps, which files of others "
                "do not have; score 'given' takes a column of theirs",
            )
        elif not score.loads_no_model and verifier.reasoner == "self":
            yield (
                f"{key}.verifiers",
                f"{name!r} is read by the reasoner itself, which has no model; name its `reasoner`",
            )


def _lengths(study: Study) -> Iterator[tuple[str, str]]:
    """The complaint about length budgets of solutions that are there already."""
    named = () if study.lengths is None else study.lengths.comparisons
    for comparison in (study.comparisons[name] for name in named if name in study.comparisons):
        for name in (comparison.base, comparison.rl_v):
            if name in study.reasoners and study.reasoners[name].samples is not None:
                yield (
                    "lengths.comparisons",
                    f"{name!r} has samples and no model that answers at a budget; name another comparison",
                )


def _given(study: Study, name: str) -> Iterator[tuple[str, str]]:
    for reasoner, entry in study.reasoners.items():
        if name in study.scoring(reasoner) and entry.samples is None:
            yield (
                f"reasoners.{reasoner}.verifiers",
                f"{name!r} (score 'given') comes with solutions that others sampled, and {reasoner!r} "
                "samples its own; name another verifier",
            )


def _dataset(study: Study, name: str, dataset: Dataset) -> Iterator[tuple[str, str]]:
    key = f"datasets.{name}"
    for unread in sorted(dataset.model_fields_set - _READ):
        yield f"{key}.{unread}", f"source {IN_SAMPLES!r} does not read this; leave it out"
    for other, entry in study.reasoners.items():
        if entry.dataset == name or (name in entry.evaluate_on and entry.samples is None):
            field = "dataset" if entry.dataset == name else "evaluate_on"
            yield (
                f"reasoners.{other}.{field}",
                f"the problems of {name!r} are in files of solutions of others; a data set with problems of "
                "its own can be sampled and learnt from",
            )
    if study.tuning is not None and study.tuning.dataset == name:
        yield "tuning.dataset", f"the problems of {name!r} are in files of solutions; name another data set"
    for other, entry in study.datasets.items():
        if name in entry.exclude:
            yield f"datasets.{other}.exclude", f"the problems of {name!r} are known once its files are read"
