"""Scores that read the steps of a solution: their places, their key, their estimate."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.answers.steps import step_starts
from rlv.job.assumptions import Assumptions
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import STAGES
from rlv.scoring import SCORES, Score, end, step_ends

LEAST = Score(along=lambda _, read_K: float(read_K.min()), reads="yes", places=step_ends)


def test_places_are_where_steps_end(tiny_tokenizer) -> None:
    solution = tiny_tokenizer("Try 8 13 5 no Try 4 16 14 yes Answer 4", add_special_tokens=False)["input_ids"]
    starts = step_starts(tiny_tokenizer, solution, "try")
    places = step_ends(solution, tiny_tokenizer, "try")
    assert len(starts) > 1 and places == [*starts[1:], len(solution)]
    # Together the steps are the solution, each once.
    assert sum(np.diff([0, *places])) == len(solution)
    assert step_ends([], tiny_tokenizer, "try") == end([], tiny_tokenizer, "try") == [0]


def test_a_score_that_sets_the_batch_of_one_kind_of_device_has_the_defaults_of_the_others() -> None:
    default = SCORES["judge"].padded_tokens
    for kind, other in (("cpu", "cuda"), ("cuda", "cpu")):
        assert Score(reads="yes", padded_tokens={kind: 64}).padded_tokens == {kind: 64, other: default[other]}


@pytest.fixture
def scored(monkeypatch):
    """The `score` artifacts of the mini study, with another record for the score `judge`."""

    def made(score: Score):
        monkeypatch.setitem(SCORES.own, "judge", score)
        found = build_plan(load("mini")).artifacts.values()
        return [a for a in found if a.stage == "score" and a.params["score"] == "judge"]

    return made


def test_the_step_rule_is_part_of_the_key_of_what_reads_steps(scored) -> None:
    assert all("step_rule" not in artifact.params for artifact in scored(SCORES["judge"]))
    assert {artifact.params["step_rule"] for artifact in scored(LEAST)} == {"try"}


def test_an_estimate_counts_every_reading(scored) -> None:
    assumed = Assumptions()

    def read(score: Score) -> int:
        return sum(p.tokens for a in scored(score) for p in STAGES["score"].work.passes(a, assumed))

    once = read(SCORES["judge"])
    assert read(LEAST) == once * assumed.steps_per_solution
    every = Score(reads="yes", places=lambda y, *_: range(1, len(y) + 1))
    assert read(every) == once * assumed.solution_tokens(load("mini").sampling.max_tokens)
