"""Whether the parts of a study fit together: names, and settings that depend on each other.

Types check the rest. What is made of the parts (comparisons, figures, claims) is checked in products.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rlv.evaluation.votes import VOTES
from rlv.plan.checks.choices import broken_choices
from rlv.plan.checks.datasets import broken_datasets
from rlv.plan.checks.first_errors import broken_first_errors
from rlv.plan.checks.models import broken_models
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.panels import broken_panels
from rlv.plan.checks.samples import broken_samples
from rlv.plan.checks.stopping import broken_stopping
from rlv.plan.checks.traces import broken_traces
from rlv.prompts import STYLES
from rlv.sampling.engine import VLLM_TEMPERATURES
from rlv.scoring import CHAIN_KEYS, SCORES
from rlv.study.types import Role, Sampling, Training
from rlv.training.advantages import ADVANTAGES
from rlv.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from rlv.study.types import Reasoner, Study, Verifier

# Jobs that sample one reasoner on one data set; a workflow of more is not planned in reasonable time.
MOST_SHARDS = 10_000


def broken_references(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every pair of a study's parts that does not fit together."""
    yield from broken_samples(study)
    yield from broken_datasets(study)
    yield from _reasoners(study)
    yield from _system_prompts(study)
    yield from _verifiers(study)
    yield from broken_panels(study)
    yield from broken_traces(study)
    yield from broken_first_errors(study)
    yield from _temperatures(study)
    yield from _evaluation(study)
    yield from _lengths(study)
    yield from broken_choices(study)
    yield from broken_stopping(study)
    yield from broken_models(study)
    for name, recipe in study.pretraining.items():
        for field, fault in recipe.faults():
            yield f"pretraining.{name}.{field}", fault


def _reasoners(study: Study) -> Iterator[tuple[str, str]]:
    for name, reasoner in study.reasoners.items():
        key = f"reasoners.{name}"
        yield from broken_method(f"{key}.advantage", reasoner.advantage, ADVANTAGES, "advantage")
        objective = reasoner.verification.objective
        yield from broken_method(
            f"{key}.verification.objective", objective, OBJECTIVES, "verification objective"
        )
        yield from unknown(f"{key}.model", reasoner.model, study.models, "model")
        yield from unknown(f"{key}.dataset", reasoner.dataset, study.datasets, "data set")
        for dataset in reasoner.evaluate_on:
            yield from unknown(f"{key}.evaluate_on", dataset, study.datasets, "data set")
        for verifier in reasoner.verifiers:
            yield from unknown(f"{key}.verifiers", verifier, study.verifiers, "verifier")
        if reasoner.samples is not None:
            continue
        if (reasoner.dataset is None) != (reasoner.advantage is None):
            yield key, "a trained reasoner needs both `dataset` and `advantage`, an untrained one neither"
        if reasoner.recorded_by is not None:
            yield from _recorded(study, key, reasoner)
        elif reasoner.dataset is None and reasoner.verification.coefficient > 0:
            yield f"{key}.verification.coefficient", "an untrained reasoner has no verification objective"
        if reasoner.dataset is not None or reasoner.recorded_by is not None:
            for field, fault in study.training_of(name).faults(sampled=reasoner.dataset is not None):
                yield f"{key}.training.{field}", fault
            yield from _warmup(study, name)


def _warmup(study: Study, name: str) -> Iterator[tuple[str, str]]:
    if study.training_of(name).warmup_share is None:
        return
    for key, said in (
        ("training", study.training.model_fields_set),
        (f"reasoners.{name}.training", study.reasoners[name].training),
    ):
        if "warmup_steps" in said:
            yield f"{key}.warmup_steps", f"`warmup_share` takes its place for {name!r}; leave one of them out"


def _recorded(study: Study, key: str, reasoner: Reasoner) -> Iterator[tuple[str, str]]:
    yield from unknown(f"{key}.recorded_by", reasoner.recorded_by, study.reasoners, "reasoner")
    recorder = study.reasoners.get(str(reasoner.recorded_by))
    if recorder is not None and recorder.dataset is None:
        yield f"{key}.recorded_by", f"{reasoner.recorded_by!r} is not trained by RL and records no solutions"
    if reasoner.dataset is not None:
        yield f"{key}.recorded_by", "it learns from recorded solutions; leave `dataset` and `advantage` out"
    if reasoner.verification.coefficient == 0:
        yield f"{key}.verification.coefficient", "all that it learns is to verify; it must be above 0"
    for unread in sorted(Training.having(Role.SAMPLED) & set(reasoner.training)):
        yield (
            f"{key}.training.{unread}",
            "it learns from recorded solutions and never reads this; leave it out",
        )


def _system_prompts(study: Study) -> Iterator[tuple[str, str]]:
    for name, entry in study.reasoners.items():
        model = study.models.get(str(entry.model))
        if model is None or model.system_prompt is None:
            continue
        recorder = study.reasoners.get(str(entry.recorded_by))
        trained_on = entry.dataset if recorder is None else recorder.dataset
        for dataset in dict.fromkeys((trained_on, *entry.evaluate_on)):
            if dataset not in study.datasets:
                continue
            style = study.prompt_style(name, dataset)
            if not STYLES[style].chat:
                yield (
                    f"models.{entry.model}.system_prompt",
                    f"{name!r} is asked the questions of {dataset!r} in style {style!r}, which has no system "
                    "prompt; a chat style has one",
                )


def _verifiers(study: Study) -> Iterator[tuple[str, str]]:
    for section, taken in (("reasoners", "self"), ("verifiers", "votes")):
        if taken in getattr(study, section):
            yield f"{section}.{taken}", f"the name {taken!r} has a meaning already; choose another"
    on_vllm = sorted(name for name, score in SCORES.own.items() if score.on_vllm)
    for name, verifier in study.verifiers.items():
        yield from broken_method(f"verifiers.{name}.score", verifier.score, SCORES, "score")
        if verifier.score in SCORES and SCORES[verifier.score].loads_no_model:
            yield from _kept(study, name)
            continue
        if verifier.engine == "vllm" and verifier.score in SCORES and not SCORES[verifier.score].on_vllm:
            yield (
                f"verifiers.{name}.engine",
                f"'vllm' gives the scores {', '.join(on_vllm)}, the score is {verifier.score!r}; "
                "'transformers' gives it",
            )
        yield from _chains(f"verifiers.{name}", verifier)
        if verifier.reasoner != "self":
            yield from unknown(f"verifiers.{name}.reasoner", verifier.reasoner, study.reasoners, "reasoner")
        yield from _reader(study, f"verifiers.{name}.reasoner", name, verifier.reasoner)
    for name in study.reasoners:
        for used in study.scoring(name):
            if used in study.verifiers and study.verifiers[used].reasoner == "self":
                yield from _reader(study, f"reasoners.{name}.verifiers", used, name)


def _chains(key: str, verifier: Verifier) -> Iterator[tuple[str, str]]:
    """Settings of chains that nothing reads, or that would draw the same chain twice."""
    if verifier.score not in SCORES:
        return
    if not SCORES[verifier.score].writes:
        fields = type(verifier).model_fields
        for unread in (key for key in CHAIN_KEYS if getattr(verifier, key) != fields[key].default):
            yield (
                f"{key}.{unread}",
                f"score {verifier.score!r} writes no chains and never reads this; leave it out",
            )
    elif verifier.temperature == 0 and verifier.draws > 1:
        yield (
            f"{key}.draws",
            f"at temperature 0 all {verifier.draws} chains would be one; use 1, or a temperature",
        )


def _kept(study: Study, name: str) -> Iterator[tuple[str, str]]:
    """Complaints about a verifier whose score reads what sampling kept, and no model."""
    verifier = study.verifiers[name]
    if verifier.engine != "transformers":
        yield f"verifiers.{name}.engine", f"no engine runs for score {verifier.score!r}; leave it out"
    if verifier.reasoner != "self":
        yield (
            f"verifiers.{name}.reasoner",
            f"score {verifier.score!r} reads what the writer of a solution said of it; leave it out",
        )
    read = [SCORES[score] for score in verifier.best_of or (verifier.score,) if score in SCORES]
    needs = {score.needs for score in read} - {None, "text"}
    if "self_certainty" in needs:
        for reasoner, entry in study.reasoners.items():
            known = name in study.scoring(reasoner) and entry.model in study.models
            if known and study.sampling_of(reasoner).engine == "vllm":
                yield (
                    f"reasoners.{reasoner}.verifiers",
                    f"{name!r} (score {verifier.score!r}) needs what engine 'vllm' does not give when it "
                    "samples; `mean_logprob` is there with both engines",
                )
    cut = study.lengths.comparisons if study.lengths is not None and needs else ()
    for method in cut:
        if method in study.comparisons and study.comparisons[method].verifier == name:
            yield (
                "lengths.comparisons",
                f"{method!r} has verifier {name!r} (score {verifier.score!r}), and nobody sampled the words "
                "around forced answers; a score that a model reads, or `brevity`, has a number for them",
            )


def _reader(study: Study, key: str, verifier: str, reader: str) -> Iterator[tuple[str, str]]:
    """The complaint about a verifier whose reader was not trained for its score."""
    score = study.verifiers[verifier].score
    wanted = SCORES[score].trained if score in SCORES else None
    if wanted is None or reader not in study.reasoners:
        return  # a judge, or another score that reads with any weights
    trained = study.reasoners[reader].verification
    if trained.coefficient == 0 or trained.objective != wanted:
        has = f"objective {trained.objective!r}" if trained.coefficient > 0 else "coefficient 0"
        yield (
            key,
            f"{verifier!r} (score {score!r}) is read by {reader!r}, which is not trained to verify in this "
            f"way (verification: {has}); `judge` reads with any reasoner",
        )


def _temperatures(study: Study) -> Iterator[tuple[str, str]]:
    """vLLM draws only with these temperatures; it would raise a lower one without a message."""
    low, high = VLLM_TEMPERATURES
    drawn = {"sampling": study.sampling}
    drawn |= {
        f"reasoners.{name}.training": study.training_of(name)
        for name, reasoner in study.reasoners.items()
        if reasoner.dataset is not None
    }
    drawn |= {
        f"verifiers.{name}": verifier
        for name, verifier in study.verifiers.items()
        if verifier.score in SCORES and SCORES[verifier.score].writes
    }
    for key, section in drawn.items():
        if section.engine == "vllm" and section.temperature != 0 and not low <= section.temperature <= high:
            yield f"{key}.temperature", f"vllm draws with 0 or {low} to {high}, found {section.temperature}"


def _evaluation(study: Study) -> Iterator[tuple[str, str]]:
    for vote in study.evaluation.votes:
        yield from broken_method("evaluation.votes", vote, VOTES, "vote")
        if vote in VOTES.own:
            yield "evaluation.votes", f"{vote!r} is computed in any case; leave it out"
    largest = max([s.n for _, s in _samplings(study)] + [s.n for s in study.samples.values()])
    ns = study.evaluation.ns
    if not ns or list(ns) != sorted(set(ns)) or ns[0] != 1:
        yield "evaluation.ns", f"must increase from 1, one solution, found {list(ns)}"
    elif ns[-1] > largest:
        yield "evaluation.ns", f"{ns[-1]} votes need as many samples; sampling.n is {largest}"
    evaluated = {name for r in study.reasoners.values() for name in r.evaluate_on} & study.datasets.keys()
    for key, sampling in _samplings(study):
        if sampling.n % sampling.samples_per_shard:
            per_shard = sampling.samples_per_shard
            yield f"{key}.samples_per_shard", f"{per_shard} does not divide n = {sampling.n}"
        problems = max((study.datasets[name].size or 1 for name in evaluated), default=1)
        ranges = -(-problems // sampling.problems_per_shard)
        jobs = ranges * -(-sampling.n // sampling.samples_per_shard)
        if jobs > MOST_SHARDS:
            yield (
                f"{key}.problems_per_shard",
                f"{jobs:,} jobs to sample one reasoner on one data set, at most {MOST_SHARDS:,} are planned; "
                "raise it, or samples_per_shard",
            )


def _samplings(study: Study) -> Iterator[tuple[str, Sampling]]:
    """(key path, settings) of all kinds of sampling in a study."""
    yield "sampling", study.sampling
    for name, model in study.models.items():
        if model.sampling:
            merged = {**study.sampling.model_dump(), **model.sampling}
            yield f"models.{name}.sampling", Sampling.model_validate(merged)


def _increasing(key: str, values: Sequence[float]) -> Iterator[tuple[str, str]]:
    if list(values) != sorted(set(values)):
        yield key, f"must increase, found {list(values)}"


def _lengths(study: Study) -> Iterator[tuple[str, str]]:
    lengths = study.lengths
    if lengths is None:
        return
    if len(lengths.budgets) < 2:
        yield "lengths.budgets", f"two budgets or more are compared, found {list(lengths.budgets)}"
        return
    if not lengths.thresholds:
        yield "lengths.thresholds", "one threshold or more, each in [0, 1], found none"
        return
    yield from _increasing("lengths.budgets", lengths.budgets)
    yield from _increasing("lengths.thresholds", lengths.thresholds)
    compared = [study.comparisons[name] for name in lengths.comparisons if name in study.comparisons]
    cut = [r for c in compared for r in (c.base, c.rl_v) if r in study.reasoners]
    longest = min((study.sampling_of(r).max_tokens for r in cut), default=study.sampling.max_tokens)
    if min(lengths.budgets) < 1 or max(lengths.budgets) > longest:
        found = list(lengths.budgets)
        yield "lengths.budgets", f"must be in 1 … {longest} (sampling.max_tokens), found {found}"
    if not 0 <= min(lengths.thresholds) <= max(lengths.thresholds) <= 1:
        yield "lengths.thresholds", f"a confidence is in [0, 1], found {list(lengths.thresholds)}"
    for comparison in lengths.comparisons:
        yield from unknown("lengths.comparisons", comparison, study.comparisons, "comparison")
    for dataset in lengths.datasets:
        yield from unknown("lengths.datasets", dataset, study.datasets, "data set")
        for name in lengths.comparisons:
            compared = study.comparisons.get(name)
            for reasoner in (compared.base, compared.rl_v) if compared is not None else ():
                if reasoner in study.reasoners and dataset not in study.reasoners[reasoner].evaluate_on:
                    yield "lengths.datasets", f"{reasoner!r} is not evaluated on {dataset!r}; add it there"
