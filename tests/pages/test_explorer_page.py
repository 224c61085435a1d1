"""The explorer in a browser: filters, order, two sides, LaTeX, long lists, and text that looks like code."""

from __future__ import annotations

import pytest

from rlv.pages.explorer import write_explorer
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.finished import tiny_study
from tests.pages.browser import CHROMIUM, Browser
from tests.pages.written import publish_tables

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package `chromium`)")

HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'>"
    "<a href='javascript:window.pwned = 3'>x</a>\u202e\x00\u2028&lt;"
)
MATHS = r"Let $x_1 = \frac{1}{2}$ and \[\sum_{i} i^2\] cost \$5, or $6 and $7, $\frac{$ is bad"
WICKED = r"$\href{javascript:window.pwned=4}{x}$ $\includegraphics{http://e.x/y.png}$ $\text{<b>bold</b>}$"
MANY = 300
LISTED = "[...document.querySelectorAll('#problems .id')].map((row) => row.textContent)"
READY = "document.querySelectorAll('#problems .row').length > 0"
OPEN = f"{READY} && document.querySelectorAll('.solutions .row').length > 0"


def solutions(right: int, wrong: int, text: str = "Try 1 no Answer 2", answer: str = "2"):
    return [(text, answer, 0, True)] * right + [("wrong", "9", 1, False)] * wrong


def problem(name: str, question: str, base: tuple[int, int], ours: tuple[int, int], **how: str):
    return (
        name,
        question,
        how.get("answer", "2"),
        lambda r: solutions(*(ours if r == "grpo_v" else base), **how),
    )


# By name: (right, wrong) of 4 solutions of `grpo`, and of `grpo_v`.
PROBLEMS = [
    problem("both-right", "Find 1", (4, 0), (4, 0)),
    problem("ours-alone", "Find 2", (1, 3), (3, 1)),
    problem("base-alone", "Find 3", (3, 1), (1, 3)),
    problem("nobody", "Find 4", (0, 4), (0, 4)),
    problem("maths", MATHS, (4, 0), (3, 1), answer=r"\frac{1}{2}", text=r"So $x^2$ is $\frac12$. Answer 2"),
    problem("wicked", WICKED, (4, 0), (4, 0)),
    problem(f"hostile {HOSTILE}", HOSTILE, (4, 0), (3, 1), answer=HOSTILE, text=HOSTILE),
    *(problem(f"many-{i:03d}", f"Find many {i}", (4, 0), (4, 0)) for i in range(MANY)),
]
# The scores of wrong solutions of grpo_v: "nobody" has its most confident error.
ERRORS = {"nobody": 0.9, "ours-alone": 0.2, "base-alone": 0.7, "maths": 0.4}


def score(verifier: str, name: str, sample: int, reasoner: str) -> float:
    return ERRORS.get(name, 0.1) if verifier == "unified" else 0.5


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorer")
    plan = build_plan(load(str(tiny_study(folder))))
    store = Store(folder / "store")
    publish_tables(plan, store, PROBLEMS, score)
    assert write_explorer(plan, store, folder / "out", print) > 4 * MANY
    return folder / "out" / "solutions.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


def test_two_sides_of_a_comparison_come_first(browser, page):
    browser.open(page, ready=READY)
    chosen = "['a', 'va', 'b', 'vb'].map((id) => document.getElementById(id).value)"
    assert browser.value(chosen) == ["grpo", "", "grpo_v", "unified"]
    assert (
        browser.value("document.getElementById('count').textContent") == f"{MANY + 7} of {MANY + 7} problems"
    )
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("b-alone", ["ours-alone"]),
        ("a-alone", ["base-alone"]),
        ("a-wrong", ["ours-alone", "nobody"]),
        ("b-wrong", ["base-alone", "nobody"]),
        ("a-lost", ["ours-alone"]),
        ("b-lost", ["base-alone"]),
        ("none", ["nobody"]),
    ],
)
def test_filters(browser, page, show, names):
    browser.open(page, f"show={show}", ready=READY)
    assert browser.value(LISTED) == names


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("b-error", ["nobody", "base-alone", "maths", "ours-alone"]),
        ("a-few", ["ours-alone", "base-alone", "both-right"]),
        ("b-few", ["base-alone", "ours-alone", "maths"]),
        ("id", ["base-alone", "both-right"]),
    ],
)
def test_orders(browser, page, sort, first):
    browser.open(page, f"sort={sort}", ready=READY)
    assert browser.value(LISTED)[: len(first)] == first


def test_search_and_controls_change_the_list_and_the_address(browser, page):
    browser.open(page, ready=READY)
    change = "(id, value, kind) => { const e = document.getElementById(id); e.value = value; "
    change += "e.dispatchEvent(new Event(kind, { bubbles: true })); }"
    browser.value(f"({change})('search', 'MANY-00 find', 'input')")
    assert browser.value(LISTED) == [f"many-00{i}" for i in range(10)]
    browser.value(f"({change})('search', '', 'input')")
    browser.value(f"({change})('show', 'none', 'change')")
    assert browser.value(LISTED) == ["nobody"] and "show=none" in browser.value("location.hash")


def test_an_address_with_anything_in_it_is_no_error(browser, page):
    browser.open(
        page,
        "a=%00&b=__proto__&vb=x&show=toString&sort=%3Cb%3E&problem=test/none&only=constructor",
        ready=READY,
    )
    assert browser.value("document.getElementById('a').value") == "grpo"
    assert len(browser.value(LISTED)) > 5 and browser.complaints() == []


def test_one_problem_side_by_side(browser, page):
    browser.open(page, "problem=test/ours-alone&vb=unified", ready=OPEN)
    sides = "[...document.querySelectorAll('.side')].map((side) => side.innerText)"
    a, b = browser.value(sides)
    assert a.startswith("A: grpo") and b.startswith("B: grpo_v, scores of unified")
    votes = (
        "[...document.querySelectorAll('.votes')].map((t) => [...t.rows].slice(1).map((r) => r.innerText))"
    )
    assert browser.value(votes) == [["✗ 9\t3", "✓ 2\t1"], ["✓ 2\t3\t0.60", "✗ 9\t1\t0.20"]]
    assert browser.value("document.querySelectorAll('#solutions-a .row').length") == 4
    assert "judge 0.5" in a and "unified 0.2" in b
    steps = "[...document.querySelectorAll('.side:last-child .steps li')].map((li) => li.textContent)"
    assert browser.value(steps) == ["Try 1 no", "Answer 2"]


def test_solutions_are_chosen_with_keys_and_filtered(browser, page):
    browser.open(page, "problem=test/ours-alone&only=wrong", ready=OPEN)
    assert browser.value("document.querySelectorAll('#solutions-a .row').length") == 3
    browser.open(page, "problem=test/base-alone&by=error", ready=OPEN)
    marks = "[...document.querySelectorAll('#solutions-b .row')].map((row) => row.firstChild.textContent)"
    assert browser.value(marks) == ["✗", "✗", "✗", "✓"]
    browser.value("document.getElementById('solutions-b').focus()")
    browser.press("End")
    assert "Answer: 2 right" in browser.value("document.querySelector('.side:last-child').innerText")


def test_latex_becomes_mathml_and_what_is_none_stays(browser, page):
    browser.open(
        page, "problem=test/maths", ready=f"{OPEN} && document.querySelectorAll('.reference math').length > 0"
    )
    assert browser.value("document.querySelectorAll('.question math').length") == 2
    assert browser.value("document.querySelectorAll('.question math mfrac').length") == 1
    said = browser.value("document.querySelector('.question').textContent")
    assert r"cost \$5, or $6 and $7, $\frac{$ is bad" in said
    assert browser.value("document.querySelectorAll('.side .steps math, .side p.text math').length") >= 2
    assert browser.complaints() == []


def test_long_lists_are_windowed(browser, page):
    browser.open(page, ready=READY)
    assert browser.value("document.querySelectorAll('#problems .row').length") < 60
    browser.value("document.getElementById('problems').scrollTop = 1e9")
    browser.wait(f"document.getElementById('problems-{MANY + 6}') !== null")
    assert browser.value("document.querySelectorAll('#problems .row').length") < 60
    browser.value("document.getElementById('problems').focus()")
    browser.press("Home")
    browser.wait("document.querySelector('#problem h2')?.textContent === 'both-right'")


def test_hostile_text_stays_text(browser, page):
    for name in ("hostile", "wicked"):
        browser.open(page, f"sort=id&search={name}", ready=READY)
        browser.value("document.getElementById('problems').focus()")
        browser.press("Home")
        browser.wait(OPEN)
        browser.wait("window.temml !== undefined")
        assert browser.value("window.pwned === undefined && window.x === undefined")
        allowed = (
            "document.querySelectorAll('#panes script, #panes img, #panes a, #panes [onerror], #panes b b')"
        )
        assert browser.value(f"{allowed}.length") == 0
        files = {url.rsplit("/", 1)[-1].split("#")[0].split("-")[0] for url in browser.requests()}
        assert files <= {"solutions.html", "index.js", "chunk", "temml.min.js"}
        assert browser.complaints() == []
    assert r"\href{javascript:window.pwned=4}{x}" in browser.value(
        "document.querySelector('.question').textContent"
    )
    assert "<b>bold</b>" in browser.value("document.querySelector('.question math').textContent")


def test_hostile_text_is_shown_with_its_controls_spelled_out(browser, page):
    browser.open(page, "search=hostile", ready=READY)
    browser.value("document.querySelector('#problems .row').click()")
    browser.wait(OPEN)
    said = browser.value("document.querySelector('.question').textContent")
    assert said == HOSTILE.replace("\u202e\x00\u2028", "\\u202e\\x00\\u2028")


def test_code_that_was_put_into_the_page_does_not_run(browser, page):
    """Even if text became elements, the policy would forbid what these try."""
    browser.open(page, ready=READY)
    browser.value("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='window.pwned = 1'>`)")
    browser.value("fetch('http://127.0.0.1:9/').catch(() => 0)")
    browser.wait("true")
    assert browser.value("window.pwned === undefined")
    assert any("Content Security Policy" in line for line in browser.complaints())


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_as_wide_as_the_window(browser, page, width):
    browser.open(page, "problem=test/maths", width=width, ready=OPEN)
    assert browser.value("document.documentElement.scrollWidth") <= width
