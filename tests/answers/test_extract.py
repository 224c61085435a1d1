import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlv.answers import extract_answer
from rlv.answers.extract import answer_end, last_box
from rlv.errors import DataError


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{7}.", "7"),
        (r"\boxed{1} no, \boxed{ \frac{1}{2} }", r"\frac{1}{2}"),
        (r"\fbox{3}", "3"),
        (r"\boxed {4}", "4"),
        (r"\boxed{1} then \boxed{2", None),
        (r"\boxed{x = \boxed{5}}", "5"),
        (r"\boxed{\left\{ 1, 2 \right\}}", r"\left\{ 1, 2 \right\}"),
        (r"\boxed{\left\{ x \right.} and } more", r"\left\{ x \right."),
        (r"a stray } { before \boxed{6}", "6"),
        (r"\boxed{1}, \boxed{2} or \boxed{3}", r"1, 2 \text{ or } 3"),
        (r"$\boxed{(1, 2)} \quad \text{and} \quad \boxed{(6, 2)}$", "(1, 2), (6, 2)"),
        (r"\boxed{1}, \boxed{1}", "1"),
        (r"$x=\boxed{2}$ or $x=\boxed{3}$", r"2 \text{ or } 3"),
        (r"\[x=\boxed{2}, \quad x = \boxed{3} \text{ and } x=\boxed{4}\]", "2, 3, 4"),
        (r"$x=\boxed{2}$ or $y=\boxed{3}$", "3"),
        (r"$2x=\boxed{2}$ or $x=\boxed{3}$", "3"),
        (r"\boxed{2} or $x=\boxed{3}$", "3"),
        (r"\boxed{1}, so \boxed{2}", "2"),
        (r"\boxed{1} \boxed{2}", "2"),
        (r"\\boxed{1} then \\boxed{2}", "2"),
        (r"\boxed{}", None),
        (r"\boxed{2} and \boxed{ }", None),
        (r"\boxed{cut off by the length limit", None),
        ("no box 5", None),
        ("", None),
    ],
)
def test_boxed(text, answer):
    assert extract_answer(text, "boxed") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Try 3 9 10 15 8 yes Answer 3", "3"),
        ("Answer: 1/2.\nBye", "1/2"),
        ("Answer 4 no Answer : 5 ", "5"),
        ("The Answers are many", None),
        ("Answer 4 but Answers vary", "4 but Answers vary"),
        ("Answer\n5", None),
        ("Answer 4\nAnswer", None),
        ("Try 3 9 10 15", None),
    ],
)
def test_marker(text, answer):
    assert extract_answer(text, "marker") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("There are 36 eggs.\n#### 36\nThe answer is: 35", "35"),
        ("So 4 * 6 = 24.\n#### 24", "24"),
        ("So, the final answer is $x + 9 = 23$.", "x + 9 = 23"),
        ("The answer is 2.5. I hope it helps.", "2.5"),
        ("the Answer is **7**!", "7"),
        (r"The answer is \( \frac{1}{2} \).", r"\frac{1}{2}"),
        (r"The answer is 3, so \boxed{4}.", "4"),
        ("The answer is $5", "$5"),
        ("The answer is 36 in.", "36"),
        ("#### 1,200.5 m", "1,200.5"),
        ("The answer is $4 m$.", "4 m"),
        ("The answer is 4m.", "4m"),
        ("The answer is 5 and m.", "5 and m"),
        ("the answer is 5 because 2 + 3 = 5.", "5"),
        ("####\n5", None),
        ("The answer is.", None),
        ("There are 24 rolls.", None),
    ],
)
def test_stated(text, answer):
    assert extract_answer(text, "stated") == answer


def test_unknown_format_is_named():
    for function in (extract_answer, answer_end):
        with pytest.raises(DataError, match=r"'box'.*boxed, marker, stated"):
            function("x", "box")


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("5} and more", "5}"),
        (r"\frac{1}{2}}$.", r"\frac{1}{2}}"),
        (r"\left\{ 1 \right\}}}", r"\left\{ 1 \right\}}"),
        (r"\boxed{5}}", r"\boxed{5}}"),
        (r"\frac{1}{2", None),
        (r"5\}", None),
        ("", None),
    ],
)
def test_an_opened_box_ends_at_its_own_brace(text, ended):
    end = answer_end(text, "boxed")
    assert (None if end is None else text[:end]) == ended
    if ended is not None:
        inside = extract_answer(rf"\fbox{{{text}", "boxed")
        assert inside == extract_answer(rf"\fbox{{{ended}", "boxed") is not None


def test_an_answer_after_the_marker_goes_on_to_the_end():
    assert answer_end("5 } and more", "marker") is None


@given(st.text(st.sampled_from("ab{}\\ "), max_size=30))
def test_boxed_finds_any_content_with_balanced_braces(content):
    depth, escaped = 0, False
    for char in content:
        escaped, plain = char == "\\" and not escaped, not escaped
        depth += plain * ((char == "{") - (char == "}"))
        if depth < 0:
            return
    if depth == 0 and not escaped:
        assert extract_answer(rf"before \boxed{{{content}}} after", "boxed") == (content.strip() or None)


@pytest.mark.parametrize(
    "text", [r"\boxed{" * 50_000, "{" * 100_000, r"\boxed{" + "{" * 50_000 + "}" * 50_000 + "}"]
)
def test_deep_nesting_is_linear_and_does_not_recurse(text):
    start = time.process_time()
    extract_answer(text, "boxed")
    assert time.process_time() - start < 5  # a hundred times what it takes; a quadratic scan takes minutes


@pytest.mark.parametrize(
    ("text", "answer_format", "answer"),
    [
        ("{a} " * 2_500_000 + r"\boxed{5}", "boxed", "5"),
        (r"\boxed{5}" + "{a} " * 2_500_000, "boxed", "5"),
        (r"\boxed{" * 1_400_000, "boxed", None),
        (r"\boxed{1}, " * 1_000_000, "boxed", "1"),
        ("the answer is 4. " * 600_000, "stated", "4"),
    ],
    ids=["before", "after", "boxes", "list", "stated"],
)
def test_ten_megabytes_are_read_in_part(text, answer_format, answer):
    start = time.process_time()
    assert extract_answer(text, answer_format) == answer
    assert time.process_time() - start < 2  # ten times what it takes


def test_the_last_box_of_a_reference_is_complete_and_alone():
    assert last_box(r"\boxed{1} and \boxed{ 2 } then \boxed{3") == "2"
    assert last_box("5") is None
