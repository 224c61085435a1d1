"""The solutions of a study with every verifier's scores, as far as they are published, and their votes.

Those of the data sets that the study evaluates on; solutions of other problems, by which temperatures and
confidences were chosen, are left out. Scores are of whole solutions; those of single steps come only with the
files of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError, StoreError
from rlv.evaluation.recorded import KEY, Recorded, join, recorded
from rlv.evaluation.votes import VOTES
from rlv.plan import Plan
from rlv.run.stages import at_budgets, leaves
from rlv.store import Artifact, Store

# What cannot be shown, as a line for people.
Note = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """The artifacts with a reasoner's solutions to a data set's problems, and with each verifier's scores.

    `cut`: at length budgets, with forced answers.
    """

    reasoner: str
    dataset: str
    cut: bool
    graded: Artifact
    scores: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)

    @property
    def problems(self) -> Artifact:
        return self.graded.inputs["problems"]


@dataclass(frozen=True)
class Solutions:
    """The solutions of one reasoner to the problems of one data set, at one budget.

    `rows`: as the table `solutions`, and a column of scores for each verifier, named as `scored` names it;
    sorted by problem and sample, `size` rows a problem. `budget`: None if the reasoner has only this one.
    `votes`: vote -> verifier ("" if it reads none) -> problem -> chance that the voted answer is right, all
    solutions voting. `errors`: verifier -> problem -> the highest score of a wrong solution, None if none is.
    """

    reasoner: str
    dataset: str
    budget: int | None
    size: int
    rows: pl.DataFrame
    verifiers: tuple[str, ...]
    votes: Mapping[str, Mapping[str, Mapping[str, float]]]
    errors: Mapping[str, Mapping[str, float | None]]

    @property
    def label(self) -> str:
        """The reasoner's name, with the budget if there are several."""
        return self.reasoner if self.budget is None else f"{self.reasoner}, {self.budget} tokens"

    def of(self, problem_id: str) -> pl.DataFrame:
        """The rows of one problem."""
        start = self.places.get(problem_id)
        return self.rows.clear() if start is None else self.rows.slice(start, self.size)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Problem -> its first row."""
        return {name: at * self.size for at, name in enumerate(self.votes["majority"][""])}


def scored(verifier: str) -> str:
    """The column of a verifier's scores."""
    return f"score of {verifier}"


def steps_of(verifier: str) -> str:
    """The column of the scores of steps that a verifier's scores are made of, if it is there."""
    return f"steps of {verifier}"


def sources(plan: Plan) -> list[Source]:
    """All solutions that the study evaluates: data sets and reasoners in its order, cut ones behind."""
    found: dict[str, Source] = {}
    for artifact in plan.artifacts.values():
        if not leaves(artifact, "curves"):
            continue
        graded, params = artifact.inputs["solutions"], artifact.params
        cut = at_budgets(artifact)
        source = Source(params["reasoner"], params["dataset"], cut, graded, {})
        scores = {**found.get(graded.path, source).scores}
        if params["verifier"]:
            shards = (role for role in sorted(artifact.inputs) if role.startswith("scores:"))
            scores[params["verifier"]] = tuple(artifact.inputs[role] for role in shards)
        found[graded.path] = Source(params["reasoner"], params["dataset"], cut, graded, scores)
    datasets, reasoners = list(plan.study.datasets), list(plan.study.reasoners)
    return sorted(
        found.values(), key=lambda s: (datasets.index(s.dataset), s.cut, reasoners.index(s.reasoner))
    )


def read_problems(known: Sequence[Source], store: Store, note: Note) -> pl.DataFrame | None:
    """The problems of sources of one data set, each once; None if no table of them can be read.

    Files that others sampled may have different problems, and say different things of them: the first that
    says something counts. A question or answer that nobody gives is empty. `note` gets a line for what is not
    there.
    """
    parts = []
    for source in {one.problems.path: one for one in known}.values():
        try:
            parts.append(tables.read(store.open(source.problems, "problems.parquet"), "problems"))
        except (StoreError, DataError) as error:
            note(f"problems of {source.dataset}: {error}")
    if not parts:
        return None
    whole = pl.concat(parts)
    if len(parts) > 1:
        said = [pl.col(name).drop_nulls().first() for name in whole.columns if name != "problem_id"]
        whole = whole.group_by("problem_id", maintain_order=True).agg(said)
    return whole.with_columns(pl.col("question", "answer").fill_null(""))


def read_solutions(
    source: Source, store: Store, note: Note, columns: tuple[str, ...] | None = None
) -> Iterator[Solutions]:
    """The solutions of a source, one item a budget, ascending; nothing if they are not published or readable.

    `note` gets a line for everything that is not there. `columns`: of the solutions; all by default.
    """
    said = f"{source.reasoner} on {source.dataset}"
    try:
        file = store.open(source.graded, "solutions.parquet")
        rows = tables.read(file, "solutions", columns)
        known = recorded(rows, None, where=said)
    except (StoreError, DataError) as error:
        note(f"solutions of {said}: {error}")
        return
    rows = rows.sort("budget", "problem_id", "sample_id").with_columns(pl.col("text").fill_null(""))
    verifiers = []
    for verifier, shards in source.scores.items():
        try:
            parts = [tables.read(store.open(shard, "scores.parquet"), "scores") for shard in shards]
            joined = join(rows, pl.concat(parts), where=f"{verifier} of {said}")
        except (StoreError, DataError) as error:
            note(f"scores of {verifier} for {said}: {error}")
            continue
        scores = joined.select(*KEY, pl.col("score").alias(scored(verifier)))
        rows = rows.join(scores, on=KEY, how="left", maintain_order="left")
        rows = _with_steps(rows, verifier, shards, store)
        verifiers.append(verifier)
    for one in known:
        budget = one.budget if source.cut or len(known) > 1 else None
        here = rows.filter(pl.col("budget") == one.budget)
        yield _with_votes(source, budget, here, tuple(verifiers), one)


def _with_steps(
    rows: pl.DataFrame, verifier: str, shards: tuple[Artifact, ...], store: Store
) -> pl.DataFrame:
    """Rows with the scores of steps that files of others brought for a verifier, if they did."""
    for shard in shards:
        imported = shard.inputs.get("samples")  # panels are made of scores alone
        if imported is None or "column" not in shard.params or not leaves(imported, "given_scores"):
            continue
        given = tables.read(store.open(imported, "given_scores.parquet"), "given_scores")
        mine = given.filter(pl.col("verifier") == shard.params["column"], pl.col("steps").is_not_null())
        if mine.height:
            steps = mine.select("problem_id", "sample_id", pl.col("steps").alias(steps_of(verifier)))
            return rows.join(steps, ["problem_id", "sample_id"], "left", maintain_order="left")
    return rows


def _with_votes(
    source: Source, budget: int | None, rows: pl.DataFrame, verifiers: tuple[str, ...], data: Recorded
) -> Solutions:
    classes, correct, ids = data.classes_PS, data.correct_PS, data.problem_ids
    plain = VOTES["majority"].count(classes, correct, None).tolist()
    votes = {"majority": {"": dict(zip(ids, plain, strict=True))}, "weighted_voting": {}}
    errors: dict[str, dict[str, float | None]] = {}
    for verifier in verifiers:
        scores = rows[scored(verifier)].to_numpy().reshape(classes.shape)
        credit = VOTES["weighted_voting"].count(classes, correct, scores)
        votes["weighted_voting"][verifier] = dict(zip(ids, credit.tolist(), strict=True))
        highest = np.where(correct, -1.0, scores).max(axis=1).tolist()
        errors[verifier] = {name: None if top < 0 else top for name, top in zip(ids, highest, strict=True)}
    return Solutions(
        source.reasoner, source.dataset, budget, classes.shape[1], rows, verifiers, votes, errors
    )
