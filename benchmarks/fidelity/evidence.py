"""What a finished study has to say about its task: tables of one method on one data set, as arrays.

Whatever is not published (yet), or is no part of the study, is absent, and its properties are not measured.
Of several training seeds one is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import StudyError
from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.recorded import KEY, Recorded, recorded
from rlv.evaluation.tallies import Bools
from rlv.mini.steps import faults, last_try
from rlv.plan import Plan
from rlv.scoring.kept import confidence
from rlv.store import Artifact, Store
from rlv.study.types import Study

# Scores that read what sampling kept, so that they are known whether a verifier of the study has them or not.
CONFIDENCES = ("mean_logprob", "tail_logprob", "lowest_logprob", "self_certainty")
# Sources of problems whose solutions can be checked step by step (rlv/mini/steps.py).
CHECKED = ("mini", "habits")


@dataclass(frozen=True)
class Evidence:
    """Solutions of the plain RL reasoner and all that is known of them, and of RL^V's own ones.

    `scores`: name of a score -> scores_PS of `solutions`. `finished_PS`: which solutions ended by
    themselves. `faulty_PS`: which are right in spite of a fault in a step, `unfounded_PS`: of a fault in the
    last try, on which the answer rests. `verified`: solutions of the RL^V reasoner with its own scores.
    `heated`: temperature -> solutions of the tuning problems by a reasoner whose temperature was chosen.
    """

    solutions: Recorded | None = None
    finished_PS: Bools | None = None
    faulty_PS: Bools | None = None
    unfounded_PS: Bools | None = None
    scores: Mapping[str, Floats] = field(default_factory=dict)
    verified: Recorded | None = None
    heated: Mapping[float, Recorded] = field(default_factory=dict)


def chosen(study: Study, method: str | None, dataset: str | None) -> tuple[str, str]:
    """The comparison and the data set to look at: the first, and the one of the claims, if not named.

    Raises StudyError if the study has no such comparison, or its base is not evaluated on the data set.
    """
    methods = list(study.comparisons)
    method = method or next(iter(methods), "")
    if method not in methods:
        raise StudyError(
            f"study {study.name}: no comparison {method!r}; it has {', '.join(methods) or 'none'}"
        )
    known = study.reasoners[study.comparisons[method].base].evaluate_on
    dataset = dataset or (study.claims.dataset if study.claims is not None else known[0])
    if dataset not in known:
        raise StudyError(
            f"study {study.name}: comparisons.{method}.base is not evaluated on {dataset!r}; it is on "
            f"{', '.join(known)}"
        )
    return method, dataset


def gathered(plan: Plan, store: Store, method: str, dataset: str, seed: int | None = None) -> Evidence:
    """The evidence of one comparison on one data set, from the artifacts of a plan that are published.

    `seed`: a training seed of the study; the first by default. Raises StudyError if the study has no such.
    """
    study = plan.study
    comparison = study.comparisons[method]
    base, unified = (_with_seed(study, reasoner, seed) for reasoner in (comparison.base, comparison.rl_v))
    graded = _graded(plan, base, dataset)
    found: dict[str, Any] = {"heated": dict(_heated(plan, store))}
    if graded is not None and store.exists(graded):
        table = _table(store, graded, "solutions")
        data = _single(table, None, graded.path)
        ordered = table.sort("problem_id", "sample_id")
        found |= {"solutions": data, "finished_PS": _shaped(ordered["finish_reason"] != "length", data)}
        questions = _questions(store, graded)
        if questions:
            found["faulty_PS"], found["unfounded_PS"] = _faulty(questions, ordered, data)
        kept = _kept(store, graded, data)
        found["scores"] = kept | dict(
            _scores(plan, store, base, study.reasoners[comparison.base].verifiers, dataset, graded)
        )
    found["verified"] = solutions_of(plan, store, unified, dataset, comparison.verifier)
    return Evidence(**found)


def solutions_of(
    plan: Plan, store: Store, reasoner: str, dataset: str, verifier: str = ""
) -> Recorded | None:
    """A reasoner's solutions, with the scores of a verifier; None if anything of it is not published."""
    graded = _graded(plan, reasoner, dataset)
    if graded is None or not store.exists(graded):
        return None
    scores = _scored(plan, store, reasoner, dataset, verifier) if verifier else None
    if verifier and scores is None:
        return None
    return _single(_table(store, graded, "solutions"), scores, graded.path)


def subjects_of(plan: Plan, store: Store, dataset: str, ids: Sequence[str] | None = None) -> list[str]:
    """The subject of each of these problems of a data set, or of all; "" for one without."""
    (problems,) = [a for a in plan.artifacts.values() if (a.stage, a.name) == ("problems", dataset)]
    table = _table(store, problems, "problems")
    known = dict(zip(table["problem_id"], table["subject"].fill_null(""), strict=True))
    return [known[name] for name in (known if ids is None else ids)]


def _with_seed(study: Study, reasoner: str, seed: int | None) -> str:
    """The copy of a reasoner that was trained with a seed; an untrained one is the same for all."""
    copies = study.replicas(reasoner)
    if seed is None:
        return copies[0]
    if seed not in study.seeds:
        there = ", ".join(map(str, study.seeds)) or "it has one, and names none"
        raise StudyError(f"study {study.name}: --seed {seed}; its training seeds: {there}")
    return copies[study.seeds.index(seed) % len(copies)]  # an untrained one has one copy


def _graded(plan: Plan, reasoner: str, dataset: str) -> Artifact | None:
    """The graded solutions of a reasoner as sampled, not those at length budgets."""
    name = f"{reasoner}-{dataset}"
    return next((a for a in plan.artifacts.values() if (a.stage, a.name) == ("grade", name)), None)


def _scores(
    plan: Plan, store: Store, reasoner: str, verifiers: Iterable[str], dataset: str, graded: Artifact
) -> Iterator[tuple[str, Floats]]:
    """(name of the score, scores_PS) of every verifier that scores the solutions; of equals the first."""
    seen = set()
    for verifier in verifiers:
        score = plan.study.verifiers[verifier].score
        table = _scored(plan, store, reasoner, dataset, verifier)
        if table is not None and score not in seen:
            seen.add(score)
            scored_PS = _single(_table(store, graded, "solutions"), table, graded.path).scores_PS
            assert scored_PS is not None
            yield score, scored_PS


def _scored(plan: Plan, store: Store, reasoner: str, dataset: str, verifier: str) -> pl.DataFrame | None:
    """The scores of a verifier on a reasoner's solutions; None if they are not all published."""
    shards = [
        a
        for evaluation in plan.artifacts.values()
        if (evaluation.stage, evaluation.name) == ("evaluate", f"{dataset}-{reasoner}-{verifier}")
        for role, a in evaluation.inputs.items()
        if role.startswith("scores:")
    ]
    if not shards or not all(map(store.exists, shards)):
        return None
    return pl.concat([_table(store, shard, "scores") for shard in shards])


def _heated(plan: Plan, store: Store) -> Iterator[tuple[float, Recorded]]:
    """What the first choice of a temperature was made from: (temperature, graded solutions)."""
    for choice in plan.artifacts.values():
        if choice.stage == "choose" and choice.params.get("kind") == "temperature" and store.exists(choice):
            for number, temperature in enumerate(choice.params["temperatures"]):
                tried = choice.inputs[f"solutions:{number:05d}"]
                if store.exists(tried):
                    yield temperature, _single(_table(store, tried, "solutions"), None, tried.path)
            return


def _kept(store: Store, graded: Artifact, data: Recorded) -> dict[str, Floats]:
    """The free confidences of all solutions, from what sampling kept of them: name -> scores_PS."""
    shards = [a for role, a in graded.inputs.items() if role.startswith("samples:")]
    if not all(map(store.exists, shards)):
        return {}
    samples = pl.concat([_table(store, shard, "samples") for shard in shards]).sort(KEY)
    columns = {name: samples[name].to_list() for name in ("token_ids", "token_logprobs", "self_certainty")}
    found = {}
    for name in CONFIDENCES:
        needs = "self_certainty" if name == "self_certainty" else "token_logprobs"
        if samples[needs].null_count() == 0:
            rows = zip(*columns.values(), strict=True)
            found[name] = _shaped(pl.Series([confidence(name, *row) for row in rows]), data)
    return found


def _faulty(questions: Mapping[str, str], solutions: pl.DataFrame, data: Recorded) -> tuple[Bools, Bools]:
    """Which right solutions have a fault in a step, and which in the last try, by the tasks' own rules."""
    anywhere, last = [], []
    for problem, text, right in solutions.select("problem_id", "text", "correct").iter_rows():
        found = faults(questions[problem], text) if right else []
        anywhere.append(bool(found))
        last.append(bool(found) and found[-1].word >= last_try(text))
    return _shaped(pl.Series(anywhere), data), _shaped(pl.Series(last), data)


def _questions(store: Store, graded: Artifact) -> dict[str, str]:
    """problem_id -> question of a mini task; empty for other data sets."""
    problems = graded.inputs["problems"]
    if problems.params.get("source") not in CHECKED or not store.exists(problems):
        return {}
    table = _table(store, problems, "problems")
    return dict(zip(table["problem_id"], table["question"], strict=True))


def _single(solutions: pl.DataFrame, scores: pl.DataFrame | None, where: str) -> Recorded:
    (data,) = recorded(solutions, scores, where=where)
    return data


def _shaped(column: pl.Series, data: Recorded) -> Any:
    """A column, in the order of problems and samples, as an array like those of `data`."""
    return np.asarray(column.to_numpy()).reshape(data.classes_PS.shape)


def _table(store: Store, artifact: Artifact, table: str) -> pl.DataFrame:
    return tables.read(store.open(artifact, f"{table}.parquet"), table)
