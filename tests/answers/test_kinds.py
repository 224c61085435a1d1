"""Kinds of answers: those that are the same for a mathematician, and those that are not."""

import json
import os
from pathlib import Path

import pytest

from rlv.answers import Grader, extract_answer
from rlv.answers.equivalence import equal, read
from tests.answers.different import DIFFERENT
from tests.answers.same import SAME


@pytest.mark.parametrize("kind", SAME)
def test_the_same_answer(kind):
    for one, other in SAME[kind]:
        assert equal(read(one), read(other)) and equal(read(other), read(one)), (one, other)


@pytest.mark.parametrize("kind", DIFFERENT)
def test_another_answer(kind):
    for one, other in DIFFERENT[kind]:
        assert not equal(read(one), read(other)) and not equal(read(other), read(one)), (one, other)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("The answer is 36 eggs.", "36"),
        ("The answer is 11 more apples.", "11"),
        ("The answer is: 11 years old.", "11"),
        ("The answer is 7 o'clock.", "7"),
        ("#### 12 apples", "12"),
        ("the answer is 1 1/2.", "3/2"),
        ("the answer is $5$ dollars", "5"),
    ],
)
def test_a_noun_after_a_stated_number(text, reference):
    answer = extract_answer(text, "stated")
    assert answer is not None and equal(read(reference), read(answer))


def test_cases_decided_by_people():
    """At least 95 of 100 of answer-cases.jsonl in the folder that RLV_DATA names."""
    path = Path(os.environ.get("RLV_DATA", "")) / "answer-cases.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip("needs answer-cases.jsonl in the folder that the environment variable RLV_DATA names")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    decided = [row for row in rows if row["expected"] is not None]
    found = [extract_answer(row["solution"], row["format"]) for row in decided]
    with Grader(workers=1) as grader:
        rewards = grader.rewards(found, [row["reference"] for row in decided])
    wrong = [row for row, reward in zip(decided, rewards, strict=True) if bool(reward) != row["expected"]]
    assert len(wrong) <= 0.05 * len(decided), wrong
