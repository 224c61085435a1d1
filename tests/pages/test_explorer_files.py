"""The explorer's files have every solution once, with the numbers of the tables."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from rlv.pages import explorer
from rlv.pages.explorer import write_explorer
from rlv.pages.solutions import sources
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.finished import tiny_study
from tests.pages.written import chunks_of, index_of, publish_tables


def solved(reasoner):
    ours = reasoner == "grpo_v"
    return [
        ("Try 1 no Try 2 yes Answer 2", "2", 0, True),
        ("Try 3 yes Answer 3", "3", 1, False),
        ("Answer 3" if ours else "Answer 2", "3" if ours else "2", int(ours), not ours),
        ("nothing", None, None, False),
    ]


PROBLEMS = [(f"p{i}", f"Find {i}", "2", solved) for i in range(7)]


def score(verifier, problem, sample, reasoner):
    return (1 + int(problem[1:]) + 2 * sample) / 20


@pytest.fixture
def made(tmp_path):
    plan = build_plan(load(str(tiny_study(tmp_path))))
    store = Store(tmp_path / "store")
    publish_tables(plan, store, PROBLEMS, score)
    return plan, store


def nothing(line):
    raise AssertionError(line)


def test_every_solution_is_there_once_as_in_its_table(made, tmp_path, monkeypatch):
    plan, store = made
    monkeypatch.setattr(explorer, "CHUNK", 1500)
    count = write_explorer(plan, store, tmp_path / "out", nothing)
    index, chunks = index_of(tmp_path / "out"), chunks_of(tmp_path / "out")
    assert len(chunks) > 2 and sorted(chunks) == list(range(len(chunks)))
    problems = {number: problem for chunk in chunks.values() for number, problem in chunk.items()}
    assert sorted(problems) == list(range(len(index["problems"]["id"])))
    assert all(index["problems"]["chunk"][n] == chunk for chunk, part in chunks.items() for n in part)
    found = Counter()
    for number, problem in problems.items():
        for run, columns in problem["r"].items():
            run = index["runs"][int(run)]
            for i, sample in enumerate(columns["s"]):
                text = problem["t"][columns["t"][i]].replace("\x7f", "")
                answer = None if columns["w"][i] < 0 else problem["w"][columns["w"][i]]
                scores = tuple((v, columns["v"][at][i]) for at, v in enumerate(run["verifiers"]))
                place = (run["reasoner"], index["problems"]["id"][number], sample)
                found[(*place, text, answer, columns["k"][i] == "1", columns["n"][i], scores)] += 1
    expected = {}
    for source in sources(plan):
        table = pl.read_parquet(store.location(source.graded) / "solutions.parquet")
        for row in table.iter_rows(named=True):
            place = (source.reasoner, row["problem_id"], row["sample_id"])
            scores = tuple(
                (v, score(v, row["problem_id"], row["sample_id"], source.reasoner)) for v in source.scores
            )
            rest = (row["text"], row["answer"], row["correct"], row["n_tokens"], scores)
            expected[(*place, *rest)] = 1
    assert found == expected and count == index["solutions"] == len(expected)


def test_the_index_counts_votes_and_errors(made, tmp_path):
    write_explorer(*made, tmp_path / "out", nothing)
    index = index_of(tmp_path / "out")
    for run in index["runs"]:
        ours = run["reasoner"] == "grpo_v"
        assert run["right"] == [1 if ours else 2] * 7 and run["silent"] == [1] * 7 and run["size"] == 4
        assert run["majority"] == [0 if ours else 1] * 7
        for weighted, error in zip(run["weighted"], run["error"], strict=True):
            # Votes: the right answer has sample 0 (and 2, unless ours), the wrong one the others that answer.
            of = [[score("", f"p{i}", sample, "") for sample in range(4)] for i in range(7)]
            right = [s[0] + (0 if ours else s[2]) for s in of]
            wrong = [s[1] + (s[2] if ours else 0) for s in of]
            assert weighted == [int(r > w) for r, w in zip(right, wrong, strict=True)]
            assert error == [round(s[3], 4) for s in of]  # without an answer it is wrong, too


def test_steps_are_marked(made, tmp_path):
    write_explorer(*made, tmp_path / "out", nothing)
    texts = chunks_of(tmp_path / "out")[0][0]["t"]
    assert "Try 1 no \x7fTry 2 yes \x7fAnswer 2" in [text.replace("\x7f ", " \x7f") for text in texts]


def test_the_same_store_gives_the_same_bytes_and_old_chunks_go(made, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    (again / "solutions").mkdir(parents=True)
    (again / "solutions" / "chunk-99.js").write_text("old")
    (again / "solutions" / "mine.txt").write_text("mine")
    for folder in (first, again):
        write_explorer(*made, folder, nothing)
    (again / "solutions" / "mine.txt").unlink()
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in files)


def test_what_is_missing_is_named_and_the_rest_is_there(tmp_path):
    plan = build_plan(load(str(tiny_study(tmp_path))))
    store, notes = Store(tmp_path / "store"), []
    assert write_explorer(plan, store, tmp_path / "out", notes.append) == 0
    assert notes and all("not published" in note for note in notes)
    publish_tables(plan, store, PROBLEMS, score)
    first = next(source for source in sources(plan) if source.scores)
    verifier = next(iter(first.scores))
    from tests.unsealed import unseal

    folder = unseal(store.location(first.scores[verifier][0]))
    (folder / "manifest.json").unlink()
    notes.clear()
    assert write_explorer(plan, store, tmp_path / "out", notes.append) > 0
    assert len(notes) == 1 and f"scores of {verifier} for {first.reasoner}" in notes[0]
    index = index_of(tmp_path / "out")
    run = next(run for run in index["runs"] if run["reasoner"] == first.reasoner)
    assert index["lacking"] == notes and verifier not in run["verifiers"]


def test_solutions_at_length_budgets_are_runs_of_their_own(tmp_path):
    plan, store = build_plan(load("mini-paper")), Store(tmp_path / "store")
    publish_tables(plan, store, PROBLEMS, score)
    count = write_explorer(plan, store, tmp_path / "out", nothing)
    index = index_of(tmp_path / "out")
    cut = {(s.dataset, s.reasoner) for s in sources(plan) if s.cut}
    names = [one["name"] for one in index["datasets"]]
    budgets = Counter(
        (names[run["dataset"]], run["reasoner"]) for run in index["runs"] if run["budget"] is not None
    )
    assert cut and budgets == dict.fromkeys(cut, 2)
    assert {run["label"] for run in index["runs"] if run["budget"] == 10} == {
        f"{r}, 10 tokens" for _, r in cut
    }
    assert count == index["solutions"] == 28 * len(index["runs"])
