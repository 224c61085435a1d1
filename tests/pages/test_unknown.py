"""Pages of solutions of which others say little: no question, reference, text, answer, tokens or end."""

from __future__ import annotations

import json

import pytest

from rlv.pages.explorer import write_explorer
from rlv.pages.results import write_results
from rlv.pages.solutions import read_problems, sources
from rlv.pages.terminal import problem_lines
from rlv.store import Store
from tests.imported.studies import made, planned, study_of
from tests.imported.writing import lines
from tests.pages.browser import CHROMIUM, Browser
from tests.pages.written import chunks_of, index_of
from tests.unsealed import unseal

# Of `bare` only verdicts and scores are known; of `said` everything but the question of c.
BARE = [
    {"problem_id": p, "correct": right, "rm": score}
    for p in ("a", "b")
    for right, score in ((True, 0.75), (False, 0.5))
]
SAID = [
    {
        **{
            "problem_id": p,
            "question": None if p == "c" else f"Find {p}",
            "answer": "2",
            "predicted": answer,
        },
        **{"text": f"It is {answer}. Done.", "n_tokens": 5, "finish_reason": end},
    }
    for p in ("b", "c")
    for answer, end in (("2", "stop"), ("3", "length"))
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A plan of two reasoners with partly other problems, made, and its store."""
    folder = tmp_path_factory.mktemp("unknown")
    files = {"bare": lines(folder / "bare.jsonl", BARE), "said": lines(folder / "said.jsonl", SAID)}
    samples = {name: {"files": [str(file)], "n": 2} for name, file in files.items()}
    samples["bare"]["map"] = {"score": "rm"}
    reasoners = {name: {"samples": name, "evaluate_on": ["given"]} for name in files}
    reasoners["bare"]["verifiers"] = ["rm"]
    plan = planned(
        folder,
        study_of(
            folder,
            samples=samples,
            reasoners=reasoners,
            verifiers={"rm": {"score": "given"}},
            claims={"dataset": "given", "paired": [["said", "bare"]]},
            figures={"votes": {}, "accuracy_table": {}},
        ),
    )
    store = Store(folder / "store")
    made(plan, store)
    return plan, store


def nothing(line):
    raise AssertionError(line)


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    solutions = write_explorer(*study, out, nothing)
    write_results(*study, out, solutions=solutions, note=nothing)
    return out


def test_problems_of_all_files_are_there_with_what_any_of_them_says(study):
    plan, store = study
    found = read_problems(sources(plan), store, nothing)
    assert found is not None
    assert found.select("problem_id", "question", "answer").sort("problem_id").rows() == [
        ("a", "", ""),
        ("b", "Find b", "2"),
        ("c", "", "2"),
    ]


def test_the_index_counts_problems_that_only_one_has(study, folder):
    index = index_of(folder)
    at = {name: number for number, name in enumerate(index["problems"]["id"])}
    assert sorted(at) == ["a", "b", "c"] and index["solutions"] == 8
    right = {run["label"]: {p: run["right"][at[p]] for p in at} for run in index["runs"]}
    assert right == {"bare": {"a": 1, "b": 1, "c": None}, "said": {"a": None, "b": 1, "c": 1}}
    # Every verdict without an answer is a vote of its own.
    silent = {run["label"]: [one for one in run["silent"] if one is not None] for run in index["runs"]}
    assert silent == {"bare": [0, 0], "said": [0, 0]}
    heads = {p: index["problems"]["head"][at[p]] for p in at}
    assert heads == {"a": "", "b": "Find b", "c": ""}


def test_chunks_have_null_for_tokens_and_a_mark_for_ends_that_nobody_knows(folder):
    index, chunks = index_of(folder), chunks_of(folder)
    of = {run["label"]: str(number) for number, run in enumerate(index["runs"])}
    problems = {index["problems"]["id"][n]: one for chunk in chunks.values() for n, one in chunk.items()}
    bare, said = problems["b"]["r"][of["bare"]], problems["b"]["r"][of["said"]]
    assert (bare["n"], bare["f"], bare["w"], bare["k"]) == ([None, None], "??", [-1, -1], "10")
    assert bare["c"] == [0, 1] and bare["v"] == [[0.75, 0.5]]
    assert [problems["b"]["t"][place] for place in bare["t"]] == ["", ""]
    assert (said["n"], said["f"], said["k"]) == ([5, 5], "sl", "10")
    assert [problems["b"]["w"][place] for place in said["w"]] == ["2", "3"]
    assert set(problems["a"]["r"]) == {of["bare"]} and set(problems["c"]["r"]) == {of["said"]}
    assert (problems["c"]["q"], problems["a"]["a"]) == ("", "")


def test_lines_of_a_terminal_leave_out_what_nobody_knows(study):
    plan, store = study

    def shown(problem):
        return problem_lines(plan, store, problem, None, None, None, nothing)

    for problem in "abc":
        assert not any("None" in line or "null" in line for line in shown(problem))
    both = shown("b")
    assert "Find b" in both and "reference: 2" in both
    assert "== bare: 1 of 2 right; majority 0.5, weighted by rm right" in both
    assert "-- 0 + no answer, rm 0.75" in both and "-- 0 + 2; 5 tokens" in both
    assert "== said: 1 of 2 right; majority 0.5" in both
    assert shown("a")[0] == "a (given)" and not any(line.startswith("== said") for line in shown("a"))
    assert any(line.startswith("== said") for line in shown("c"))


def test_the_results_page_says_what_was_read(study, folder):
    page = (folder / "index.html").read_text()
    assert "None" not in page and ">null<" not in page and ">nan<" not in page
    assert "bare.jsonl" in page and "score=rm" in page and "problems that both have" in page


def test_problems_that_cannot_be_read_are_named_and_those_of_others_are_there(study, tmp_path):
    plan, _ = study
    store, notes = Store(tmp_path / "store"), []
    made(plan, store)
    bare = next(source for source in sources(plan) if source.reasoner == "bare")
    (unseal(store.location(bare.problems)) / "manifest.json").unlink()
    found = read_problems(sources(plan), store, notes.append)
    assert found is not None and sorted(found["problem_id"]) == ["b", "c"]
    assert len(notes) == 1 and notes[0].startswith("problems of given: ")
    assert read_problems(sources(plan), Store(tmp_path / "empty"), notes.append) is None


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package `chromium`)")
def test_no_null_on_the_explorer_s_page(folder, tmp_path):
    ready = "document.querySelectorAll('#problems .row').length === 3"
    chosen = "document.querySelectorAll('.solution-text').length"
    with Browser(tmp_path) as browser:
        for problem, sides in (("a", 1), ("b", 2), ("c", 1)):
            address = f"problem=given/{problem}&a=bare&va=rm&b=said"
            browser.open(folder / "solutions.html", address, ready=f"{ready} && {chosen} === {sides}")
            text = browser.value("document.body.innerText")
            for word in ("null", "undefined", "NaN", "None"):
                assert word not in text, (problem, word, text)
            assert browser.complaints() == []
        browser.open(
            folder / "solutions.html", "problem=given/b&a=bare&va=rm&b=said", ready=f"{chosen} === 2"
        )
        tokens = (
            "[...document.querySelectorAll('.solution-text')].map((x) => x.innerText.includes('5 tokens'))"
        )
        assert browser.value(tokens) == [False, True]
        tallies = "[...document.querySelectorAll('#solutions-a .tally')].map((x) => x.textContent)"
        assert browser.value(tallies) == ["0.75", "0.5"]  # scores and no tokens
        for order in ("long", "short"):
            browser.open(
                folder / "solutions.html",
                f"problem=given/b&a=bare&b=said&by={order}",
                ready=f"{chosen} === 2",
            )
            assert browser.complaints() == []


def test_the_index_is_json_without_nan(folder):
    for file in sorted((folder / "solutions").glob("*.js")):
        if file.name != "temml.min.js":
            assert "NaN" not in file.read_text()
    json.dumps(index_of(folder), allow_nan=False)
