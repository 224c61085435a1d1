import itertools
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from math_verify import verify

from rlv.answers import equivalence
from rlv.answers.equivalence import Answer, Classes, Placement, equal, plain_integer, read

EQUAL = [
    ("1/2", "0.5", r"\frac12", r"\dfrac{1}{2}", r"\frac{2}{4}", ".5"),
    ("1234", "1,234", r"1{,}234", "+1234", "01234"),
    (r"\sqrt{8}", r"2\sqrt{2}", r"2 \cdot 2^{1/2}"),
    ("x^2+2x+1", "(x+1)^2"),
    (r"\text{Evelyn}", "Evelyn"),
    ("(1,2)", r"\left( 1, 2 \right)"),
    ("18", r"\$18", r"18\text{ dollars}"),
]
MORE = [
    "50\\%",
    "50",
    "0.333333",
    "1/3",
    "x=5",
    "y=5",
    "5",
    "-7",
    r"\pi",
    "3.14159265",
    "x",
    "y",
    "x+y",
    "[1,2)",
    "1,2",
    r"\{5\}",
    r"(1,5] \cup [7, \infty)",
    r"3 \pm 1",
    "(5)",
    r"\emptyset",
    "2,4",
    "y=2x",
    "2x=y",
    "x=1/2",
    "2x+1=5",
    r"\{x,y\}",
    "(x,2)",
    "x>5",
    "(5,\\infty)",
    r"(-\infty,5)",
    r"\begin{pmatrix}1\\2\end{pmatrix}",
    r"\begin{pmatrix}1\\3\end{pmatrix}",
    r"\{1/2, 0.5\}",
    r"[1,2]\cup[2,3]",
    "[1,3]",
    "e",
    "2.718281828",
    "3+2i",
]


def plain_verify(gold: str, answer: str) -> bool:
    return verify(equivalence._expressions(gold), equivalence._expressions(answer), timeout_seconds=None)


@pytest.mark.parametrize("group", EQUAL, ids=lambda g: g[0])
def test_ways_of_writing_one_answer_are_equal(group):
    for a, b in itertools.permutations(group, 2):
        assert equal(read(a), read(b)), (a, b)


def test_short_cuts_agree_with_math_verify():
    texts = [t for group in EQUAL for t in group] + MORE
    pairs = list(itertools.product(texts, repeat=2))
    for a, b in random.Random(0).sample(pairs, 350):
        assert equal(read(a), read(b)) == plain_verify(a, b), (a, b)


@settings(deadline=None, max_examples=60)
@given(st.integers(-(10**20), 10**20), st.integers(-30, 30), st.sampled_from(["", "0", "+"]))
def test_integers_agree_with_math_verify(big, small, prefix):
    written = f"{prefix}{small}" if small >= 0 else str(small)
    for a, b in [(str(big), str(big + small)), (str(small), written), (str(big), written)]:
        assert equal(
            Answer(a, integer=plain_integer(a)), Answer(b, integer=plain_integer(b))
        ) == plain_verify(a, b), (a, b)


@pytest.mark.parametrize(
    "text", ["", "1.0", "1,000", "1_000", "0x1", "- 7", "--7", "7.", "٣", "9" * 301, "x"]
)
def test_no_plain_integer(text):
    assert plain_integer(text) is None


@pytest.mark.parametrize("text", ["{", "}", "5)", "$$$", "+".join("1" * 3000)])
def test_unparsable_strings_cast_no_vote(text):
    assert read(text).unparsed is not None
    assert Classes(read("1")).place(read(text)) == Placement(None, False)


def test_an_unparsable_answer_equals_itself_only():
    assert equal(read("{"), read("{"))
    assert not equal(read("{"), read("5)"))
    assert Classes(read("{")).place(read("{")) == Placement(0, True)


def test_classes_are_numbered_by_first_appearance():
    classes = Classes(read("1/2"))
    placements = [classes.place(read(t)) for t in ["3", r"\frac12", "4", "+3", "0.5", r"\frac{6}{2}", "x"]]
    assert [p.answer_class for p in placements] == [0, 1, 2, 0, 1, 0, 3]
    assert [p.correct for p in placements] == [False, True, False, False, True, False, False]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_equality_gives_a_partition_whose_classes_are_right_as_a_whole(values, rng):
    table = {(a, b): a == b or rng.random() < 0.3 for a in range(10) for b in range(10)}

    def same(gold: Answer, answer: Answer) -> bool:
        return table[int(gold.text[1:]), int(answer.text[1:])]

    distinct = list(dict.fromkeys(values))
    classes = Classes(Answer("v0"), same)
    placed = [classes.place(Answer(f"v{v}")) for v in distinct]
    numbers = [p.answer_class for p in placed]
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
    correct = {p.answer_class for p in placed if p.correct}
    assert len(correct) <= 1 and all((p.answer_class in correct) == p.correct for p in placed)
    # More answers change nothing about the earlier ones.
    again = Classes(Answer("v0"), same)
    half = len(distinct) // 2
    assert [again.place(Answer(f"v{v}")) for v in distinct[:half]] == placed[:half]


@pytest.fixture(scope="module")
def math500() -> list[str]:
    path = Path(os.environ.get("RLV_DATA", "")) / "math500.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip("needs math500.jsonl in the folder that the environment variable RLV_DATA names")
    return [json.loads(line)["answer"] for line in path.read_text().splitlines()]


def test_every_math500_reference_equals_itself(math500):
    for text in math500:
        answer = read(text)
        assert answer.unparsed is None and plain_verify(text, text), text


def test_short_cuts_agree_with_math_verify_on_math500(math500):
    rng = random.Random(0)
    texts = sorted(set(math500))
    for _ in range(400):
        a, b = rng.sample(texts, 2)
        assert equal(read(a), read(b)) == plain_verify(a, b), (a, b)
