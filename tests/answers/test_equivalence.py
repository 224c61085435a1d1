import itertools
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv.answers.equivalence import Answer, Classes, equal, is_read, plain_integer, read, unread

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


@pytest.mark.parametrize("group", EQUAL, ids=lambda g: g[0])
def test_ways_of_writing_one_answer_are_equal(group):
    for a, b in itertools.permutations(group, 2):
        assert equal(read(a), read(b)), (a, b)


def test_equality_is_symmetric():
    answers = [read(text) for group in [*EQUAL, MORE] for text in group]
    for a, b in itertools.combinations(answers, 2):
        assert equal(a, b) == equal(b, a), (a.text, b.text)


PIECES = r"1 2 10 x y i e + - = < \le , ; ( ) [ ] \{ \} { } \frac \sqrt \pm \cup \text{and} \text{cm}"
PIECES += r" % : ^ _ / ! | \infty \pi \sin . ' \in \circ \begin{pmatrix} \end{pmatrix} & \\ \mid 0 \ne ½ °"
STRINGS = st.lists(st.sampled_from(PIECES.split()), min_size=1, max_size=7).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(st.lists(STRINGS, min_size=2, max_size=6))
def test_any_strings_are_read_and_compared_both_ways(texts):
    answers = [read(text) for text in texts]
    for a, b in itertools.product(answers, repeat=2):
        assert equal(a, b) == equal(b, a)
        assert equal(a, b) or a.text != b.text


@settings(deadline=None, max_examples=60)
@given(st.integers(-(10**20), 10**20), st.integers(-30, 30), st.sampled_from(["", "0", "+"]))
def test_integers_are_equal_by_value(big, small, prefix):
    written = f"{prefix}{small}" if small >= 0 else str(small)
    for (a, x), (b, y) in itertools.combinations(
        [(str(big), big), (str(big + small), big + small), (written, small)], 2
    ):
        assert equal(read(a), read(b)) == (x == y)
        assert equal(read(a), read(f"{b}.0")) == (x == y)


@settings(deadline=None, max_examples=100)
@given(st.integers(-60, 60), st.integers(1, 60), st.integers(-60, 60), st.integers(1, 60))
def test_fractions_are_equal_by_value(a, b, c, d):
    assert equal(read(rf"\frac{{{a}}}{{{b}}}"), read(f"{c}/{d}")) == (a * d == b * c)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=4), st.lists(st.integers(-3, 3), min_size=2, max_size=4)
)
def test_products_equal_their_expansions_and_no_others(roots, others):
    """Two monic polynomials are equal if and only if their roots are, with multiplicity."""
    one, other = ("".join(f"(x-{r})" if r >= 0 else f"(x+{-r})" for r in rs) for rs in (roots, others))
    assert equal(read(one), read(other)) == (sorted(roots) == sorted(others))
    lists = (read(", ".join(map(str, rs))) for rs in (roots, others))
    assert equal(*lists) == (sorted(roots) == sorted(others))


@pytest.mark.parametrize(
    "text", ["", "1.0", "1,000", "1_000", "0x1", "- 7", "--7", "7.", "٣", "9" * 301, "x"]
)
def test_no_plain_integer(text):
    assert plain_integer(text) is None


UNREADABLE = ["{", "}", "5)", "$$$", "1 2 3", r"\frac{1}{0}", r"1, 2, \ldots, n"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_nobody_can_read_votes_as_its_string_right_or_wrong(text):
    other = next(u for u in UNREADABLE if u != text)
    assert not is_read(read(text))
    wrong, right = Classes(read("1")), Classes(read(text))
    for classes in (wrong, right):
        for written in (text, "1", other, f" {text}", text):
            classes.add(read(written))
    assert [p.answer_class for p in wrong.placements()] == [0, 1, 2, 0, 0]
    assert [p.answer_class for p in right.placements()] == [0, 1, 2, 0, 0]
    assert [p.correct for p in wrong.placements()] == [False, True, False, False, False]
    assert [p.correct for p in right.placements()] == [True, False, False, True, True]


def placed(reference: str, texts: list[str]) -> dict[str, tuple[frozenset[str], bool]]:
    """Every answer's class, as the set of its members, and whether it is right."""
    classes = Classes(read(reference))
    for text in texts:
        classes.add(read(text))
    found = list(zip(texts, classes.placements(), strict=True))
    members: dict[int | None, set[str]] = {}
    for text, placement in found:
        members.setdefault(placement.answer_class, set()).add(text)
    return {text: (frozenset(members[p.answer_class]), p.correct) for text, p in found}


CROWDS = {
    "0": ["5", "0.05", r"5\%", "500", r"\frac{1}{20}", r"5\text{ cm}"],
    "7": ["x = 5", "5", "y = 5", "5 = x", "5.0", "2x = 10", "y"],
    r"5\%": ["5", "0.05", r"5\%", "500", "6"],
    "1, 2": ["(1,2)", "2,1", r"\{1,2\}", "(2,1)", "1,2,2", "x=1, y=2", r"\{2, 1\}"],
    "(0, 3)": ["0 < x < 3", "x < 3", "(0,3)", "0, 3", r"x \in (0,3)", "y > 0", "0.3"],
    r"\frac{1}{3}": ["0.333333", "0.33", "1/3", "0.3333333", r"0.\overline{3}", "1:3"],
    "2:30": ["1:15", "2:30", "1/15", "2 : 30", "2:30 p.m."],
}


@pytest.mark.parametrize("reference", CROWDS)
def test_classes_are_a_function_of_the_set_of_answers(reference):
    texts = CROWDS[reference]
    first = placed(reference, texts)
    rng = random.Random(0)
    for _ in range(25):
        assert placed(reference, rng.sample(texts, len(texts))) == first
    for text, (members, correct) in first.items():
        assert correct == equal(read(reference), read(text))  # whatever else was answered
        assert all(first[member][1] == correct for member in members)


def test_answers_that_were_not_read_change_no_class_whatever_their_order():
    """A limit keeps some spellings from being read: those go with the same answer in another spelling."""
    spellings = ["1/2", "0.5", r"\frac{1}{2}", r"\frac{1}{ 2}", "50\\%", "25_6", "25", "25.0"]
    for reference, limited in itertools.product(("1/2", "25", "7"), (r"\frac{1}{ 2}", r"\frac{1}{2}")):
        found = set()
        rng = random.Random(0)
        for _ in range(25):
            classes = Classes(read(reference))
            order = rng.sample(spellings, len(spellings))
            for text in order:
                classes.add(unread(text) if text == limited else read(text))
            members: dict[int | None, set[str]] = {}
            for text, placement in zip(order, classes.placements(), strict=True):
                members.setdefault(placement.answer_class, set()).add(text)
                assert placement.correct == equal(read(reference), read(text))
            found.add(frozenset(map(frozenset, members.values())))
        assert len(found) == 1


def test_classes_are_numbered_by_first_appearance():
    classes = Classes(read("1/2"))
    for text in ["3", r"\frac12", "4", "+3", "0.5", r"\frac{6}{2}", "x"]:
        classes.add(read(text))
    placements = classes.placements()
    assert [p.answer_class for p in placements] == [0, 1, 2, 0, 1, 0, 3]
    assert [p.correct for p in placements] == [False, True, False, False, True, False, False]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_symmetric_relation_gives_the_components_of_the_wrong_answers(values, rng):
    table = {frozenset((a, b)): a == b or rng.random() < 0.15 for a in range(10) for b in range(a, 10)}

    def same(one: Answer, other: Answer) -> bool:
        return table[frozenset((int(one.text[1:]), int(other.text[1:])))]

    classes = Classes(Answer("v0", "v0"), same)
    for v in values:
        classes.add(Answer(f"v{v}", f"v{v}"))
    placed = classes.placements()
    numbers = [p.answer_class for p in placed]
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))
    assert [p.correct for p in placed] == [table[frozenset((0, v))] for v in values]
    # Brute force: a wrong answer's component, grown until nothing joins it.
    wrong = {v for v in values if not table[frozenset((0, v))]}
    for v, p in zip(values, placed, strict=True):
        component = {v}
        while v in wrong and (
            more := {w for w in wrong for u in component if table[frozenset((u, w))]} - component
        ):
            component |= more
        expected = component if v in wrong else set(values) - wrong
        assert {
            w for w, q in zip(values, placed, strict=True) if q.answer_class == p.answer_class
        } == expected


@pytest.fixture(scope="module")
def math500() -> list[str]:
    path = Path(os.environ.get("RLV_DATA", "")) / "math500.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip("needs math500.jsonl in the folder that the environment variable RLV_DATA names")
    return [json.loads(line)["answer"] for line in path.read_text().splitlines()]


def test_every_math500_reference_is_read(math500):
    for text in math500:
        assert is_read(read(text)), text


def test_math500_agrees_with_math_verify(math500):
    from math_verify import parse, verify

    rng = random.Random(0)
    for _ in range(300):
        a, b = rng.sample(sorted(set(math500)), 2)
        ours = equal(read(a), read(b))
        assert ours == verify(parse(rf"\boxed{{{a}}}"), parse(rf"\boxed{{{b}}}"), timeout_seconds=None), (
            a,
            b,
        )
