"""The grader on real references: its failures must not exceed what docs/grading.md publishes."""

import itertools
import os
import random
import re
from pathlib import Path

import pytest

from benchmarks import references
from rlv.answers import Grader
from rlv.answers.equivalence import Classes, equal, read

DOCUMENT = Path(__file__).parents[2] / "docs" / "grading.md"
EVERY = 25  # a sample of the respelled cases; python -m benchmarks.references runs them all


@pytest.fixture(scope="module")
def rows() -> list[references.Reference]:
    folder = Path(os.environ.get("RLV_DATA", ""))
    if "RLV_DATA" not in os.environ or not all((folder / name).exists() for name in references.FILES):
        pytest.skip(f"needs the files {', '.join(references.FILES)} in the folder that RLV_DATA names")
    return [r for r in references.load(folder) if r.answer]


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[int, int]]:
    """(cases, failures) of each row of the published tables."""
    found = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (int(cases), int(failures)) for name, cases, failures in found}


def test_every_spelling_is_published(published):
    assert set(published) == {"boxed", "solution", "respelled", "all", *references.SPELLINGS}
    assert published["boxed"][1] == 0


def test_every_reference_equals_itself_from_a_box_and_from_its_own_solution(rows, published):
    with Grader(workers=1) as grader:
        counts, failures = references.judge(references.own(rows), grader)
    for measure, count in counts.items():
        assert count == published[measure][0]
        assert sum(f.measure == measure for f in failures) <= published[measure][1], failures[:5]


def test_references_respelled_equal_themselves(rows, published):
    cases = list(references.respelled(rows))
    assert len(cases) == published["respelled"][0]
    failing = {m for m, (_, failures) in published.items() if failures}
    sample = [case for case in cases[::EVERY] if case[0] not in failing]
    with Grader(workers=1) as grader:
        _, failures = references.judge(sample, grader)
    assert not failures


def groups(rows: list[references.Reference], count: int) -> list[list[str]]:
    """A problem's reference in its spellings, and the references of its neighbours as wrong answers."""
    made = []
    for i in range(0, len(rows) - 6, len(rows) // count):
        reference = rows[i]
        spelled = [spell(reference.answer) for spell in references.SPELLINGS.values()]
        wrong = [r.answer for r in rows[i + 1 : i + 6]]
        made.append(list(dict.fromkeys([reference.answer, *filter(None, spelled), *wrong])))
    return made


def test_classes_of_real_answers_follow_the_pairwise_verdicts_in_any_order(rows):
    rng = random.Random(0)
    for group in groups(rows, 40):
        answers = [read(text) for text in group]
        same = {(a.text, b.text): equal(a, b) for a, b in itertools.product(answers, repeat=2)}
        assert all(same[a, b] == same[b, a] for a, b in same), group
        partitions = []
        for _ in range(3):
            classes = Classes(answers[0])
            shuffled = rng.sample(answers, len(answers))
            for answer in shuffled:
                classes.add(answer)
            placed = list(zip(shuffled, classes.placements(), strict=True))
            assert all(p.correct == same[group[0], answer.text] for answer, p in placed)
            members: dict[int | None, set[str]] = {}
            for answer, p in placed:
                members.setdefault(p.answer_class, set()).add(answer.text)
            partitions.append(sorted(map(sorted, members.values())))
            for (a, x), (b, y) in itertools.combinations(placed, 2):
                if same[a.text, b.text] and x.correct == y.correct:
                    assert x.answer_class == y.answer_class, (a.text, b.text)
        assert partitions[0] == partitions[1] == partitions[2]


def test_the_verdict_depends_on_no_order_and_no_worker(rows):
    pairs = [(text, group[0]) for group in groups(rows, 25) for text in group]
    backwards = pairs[::-1]
    with Grader(workers=1) as one, Grader(workers=2) as two:
        forth = one.rewards(*map(list, zip(*pairs, strict=True)))
        back = two.rewards(*map(list, zip(*backwards, strict=True)))
    assert forth.tolist() == back.tolist()[::-1]
