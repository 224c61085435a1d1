import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlv.answers import extract_answer, spelling
from rlv.answers.equivalence import equal, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\frac \pi4 + 2 - \sqrt2", r"\frac {\pi}{4} + 2 - \sqrt{2}"),
        (r"\frac{\frac12}3", r"\frac{\frac{1}{2}}{3}"),
        (r"\dfrac{1}{29,\!322,\!216}", r"\dfrac{1}{29322216}"),
        (r"111, \! 111, \! 111", "111111111"),
        (r"8{,}880", "8880"),
        (r"(1{,}5)", r"(1{,}5)"),
        (r"10\,000", "10000"),
        ("1,234", "1,234"),
        (r"\text{13}", "13"),
        (r"\mathbf{2340}", "2340"),
        (r"\text{A, D}", "A, D"),
        (r"\text{Monday}", r"\text{Monday}"),
        (r"\text{(E)},", r"\text{(E)}"),
        (r"7\text{ hours}.", "7"),
        (r"\left\{ x \right.", r"\left\{ x \right."),
        ("0.333...", r"\frac{3}{9}"),
        ("0.123...", "0.123..."),
        (r"\begin{pmatrix} 1 & \phantom -1 \end{pmatrix}", r"\begin{pmatrix} 1 & 1 \end{pmatrix}"),
        (r"\approx 8.24 \text{ mph}", "8.24"),
        (r"8\sqrt{3} \text { square inches}", r"8\sqrt{3}"),
        (r"45 \text{ miles}/\text{hour}", "45"),
        ("12 square feet", "12"),
        (r"3 + 2\mathrm{i}", r"3 + 2\mathrm{i}"),
        (r"2 \text{ hours and } 30 \text{ minutes}", r"2 \text{ hours}\text{ and } 30"),
        (r"5 \text{ or more}", r"5 \text{ or more}"),
        (r"x = \text{odd}", r"x = \text{odd}"),
        ("4t", "4t"),
        ("a + b + c", "a + b + c"),
        ("\u22125\u00b0", r"-5^\circ"),
        (r"\(\langle 1, 2 \rangle\)", "( 1, 2 )"),
    ],
)
def test_respelled(text, expected):
    assert spelling.respelled(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"2014_{5}.", ("2014", "base 5")),
        (r"\text{A5}_{11}", ("A5", "base 11")),
        ("0.0011_2", ("0.0011", "base 2")),
        ("-37_8", ("-37", "base 8")),
        ("9_8", None),
        ("x_1", None),
        ("a_{12}", None),
        (r"9\text{ a.m.}", ("9:00", "a.m.")),
        (r"\text{1:03 PM}", ("1:03", "p.m.")),
        ("3:45", None),
    ],
)
def test_marked(text, expected):
    assert spelling.marked(text) == expected


# Every string equals every other of its group, whichever is the reference; none equals one of another group.
GROUPS = [
    ["2014_5", "2014_{5}", r"2014_5."],
    ["2014_6"],
    [r"9\text{ a.m.}", "9 AM", r"\text{9:00 am}"],
    [r"9\text{ p.m.}"],
    ["(1,2)", r"\left( 1, 2 \right)", r"\langle 1,2\rangle"],
    ["(2,1)"],
    ["[1,2)"],
    ["[1,2]", r"x \in [1,2]"],
    ["10^4", "10{,}000", r"10\,000", "10000."],
    ["104"],
    ["1,2", "1, 2", "2, 1"],
    ["12", r"\$12", "12 cm", r"12\text{ cm}^2", r"\text{12}"],
    ["4t", "4 t"],
    ["4", r"4 \text{ t}"],
    ["4s"],
    ["a+b+c", "a + c + b"],
    ["a+b"],
    [r"\frac{7}{5} + \frac{1}{5} i", r"\frac 75 + \frac i5."],
    [r"\frac{1}{5}"],
    [r"\text{June 20}", "June 20", "june 20"],
    [r"\text{June 2}"],
    [r"\text{A, D}", r"\text{D,A}", "A, D"],
    [r"\text{A}", "A", "(A)", r"\textbf{(A)}"],
    [r"\emptyset", r"\varnothing"],
    [r"\text{even}", "Even"],
    [r"\text{odd}"],
    [r"\begin{pmatrix} 1 \\ 3 \end{pmatrix}", r"\begin{bmatrix}1\\3\end{bmatrix}."],
    [r"\begin{pmatrix} 3 \\ 1 \end{pmatrix}"],
    [r"\frac{12}{5,\!525}", r"\frac{12}{5525}"],
    [r"7.2\%", "7.2%", "7.2"],
    ["0.05", r"\frac{1}{20}"],
    ["5"],
    [r"x \le 3"],
    ["x < 3"],
    [r"2\text{ hours and }30\text{ minutes}"],
    [r"3 \text{ or more}"],
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g[0])
def test_spellings_of_one_answer_are_equal_and_others_differ(group):
    members = [read(text) for text in group]
    others = [read(text) for other in GROUPS if other is not group for text in other[:1]]
    for a, b in itertools.product(members, repeat=2):
        assert equal(a, b), (a.text, b.text)
    for a, b in itertools.product(members, others):
        if {"(1,2)", "1,2"} == {group[0], b.text} or {"(2,1)", "1,2"} == {group[0], b.text}:
            continue  # math-verify takes a list for the tuple of its elements
        assert not equal(a, b) and not equal(b, a), (a.text, b.text)


@pytest.mark.parametrize(
    ("reference", "answer", "verdict"),
    [
        # The mark or the sign on one side only: see docs/grading.md for why.
        ("110111", "110111_2", True),
        ("2014_5", "2014", True),
        ("2014_5", "259", False),
        (r"\text{1:03 PM}", "1:03", True),
        (r"5\%", "5", True),
        ("5", r"5\%", True),
        (r"5\%", "0.05", True),
        ("0.05", "5", False),
        ("152A_{11}", "152A", True),
    ],
)
def test_a_mark_on_one_side(reference, answer, verdict):
    assert equal(read(reference), read(answer)) == verdict


@given(st.text(st.sampled_from("ab12{}\\$ ,.%^_()\n\u2212é") | st.characters(), max_size=60))
def test_any_string_is_respelled(text):
    spelled = spelling.respelled(text)
    assert isinstance(spelling.key(spelled), str)
    spelling.marked(text)


GARBAGE = {
    "an empty box at the end": (r"\boxed{5} so \boxed{}", None),
    "the box in its own box": (r"\boxed{\boxed{\boxed{7}}}", "7"),
    "text after": (r"\boxed{7} because $x = 8$, right?", "7"),
    "an instruction repeated": (r"put it in \boxed{} as \boxed{12}. Answer: 13", "12"),
    "without braces": (r"our answer is $\boxed 2$.", "2"),
    "without braces, a command": (r"$\boxed\frac{1}{2}$", r"\frac{1}{2}"),
    "the word alone": (r"we give it in \boxed form. Then", None),
    "the word alone, a box later": (r"in \boxed form $5$ it is \boxed{7}", "7"),
    "framed": (r"or $\framebox{204}$ minutes", "204"),
    "unbalanced": (r"\boxed{\frac{1}{2}", None),
    "unbalanced, then good": (r"\boxed{\frac{1}{2} and \boxed{3}", "3"),
    "a minus sign of print": ("\\boxed{\u22125}", "\u22125"),
    "after </think>": ("<think>\\boxed{1}</think> **Answer** \\boxed{ 2 }", "2"),
}


@pytest.mark.parametrize(("text", "answer"), GARBAGE.values(), ids=GARBAGE)
def test_boxes_as_models_write_them(text, answer):
    assert extract_answer(text, "boxed") == answer


@pytest.mark.parametrize(
    "text",
    [
        "\\frac" * 20_000,
        "\\frac{" * 20_000,
        " " * 100_000 + "x" + " " * 100_000,
        "\\text{" * 20_000,
        "5" + " cm" * 20_000 + "!",
        "." * 100_000 + "x",
        "\\boxed x" * 10_000,
    ],
)
def test_long_strings_are_respelled_in_a_moment(text):
    start = time.process_time()
    spelled = spelling.respelled(text)
    spelling.key(spelled)
    spelling.marked(text)
    extract_answer(text, "boxed")
    assert time.process_time() - start < 5
