"""The numbers of `rlv evaluate` are those that the files' own labels and scores give, counted by hand."""

from __future__ import annotations

from collections import Counter, defaultdict

import polars as pl
import pytest

from rlv import tables
from tests.front.files import plain, qwen, search_and_learn, value_of

COLUMNS = ("--map", "problem_id=id", "text=completion", "answer=target", "score=rm,other")


def accuracy(folder, strategy, n, verifier=""):
    curves = tables.read_parquet(folder / "tables" / "curves.parquet")
    of = (pl.col("strategy") == strategy, pl.col("n") == n, pl.col("verifier") == verifier)
    return curves.filter(*of)["accuracy"].item()


def shares(weights, labels):
    """The chance that a vote is right: classes by value, ties at random."""
    if not weights:
        return 0.0
    best = max(weights.values())
    tied = [value for value, weight in weights.items() if weight == pytest.approx(best, rel=1e-11)]
    return sum(labels[value] for value in tied) / len(tied)


def by_hand(rows, scores):
    """pass@1, majority, weighted voting, best of all and pass@all of a file's own labels."""
    found = defaultdict(list)
    for row in rows:
        voters = [
            (p, label, s) for p, label, s in zip(row["pred"], row["score"], scores[row["idx"]], strict=True)
        ]
        answered = [(value_of(p), label, s) for p, label, s in voters if p]
        labels = {value: label for value, label, _ in answered}
        weights: Counter = Counter()
        for value, _, s in answered:
            weights[value] += s
        found["pass_at_1"].append(sum(label for _, label, _ in voters) / len(voters))
        found["majority"].append(shares(Counter(value for value, _, _ in answered), labels))
        found["weighted_voting"].append(shares(weights, labels))
        found["best_of_n"].append(max(answered, key=lambda one: one[2])[1] if answered else False)
        found["pass_at_n"].append(any(label for _, label, _ in voters))
    return {name: sum(values) / len(values) for name, values in found.items()}


def ranks(rows):
    """Mid-ranks of all scores over their number, which `--scale pred_score=rank` makes of them."""
    flat = sorted(score[0] for row in rows for score in row["pred_score"])
    first = {value: flat.index(value) for value in flat}
    count = Counter(flat)
    place = {value: (first[value] + (count[value] + 1) / 2) / len(flat) for value in flat}
    return {row["idx"]: [place[score[0]] for score in row["pred_score"]] for row in rows}


def test_qwen_math_with_its_own_labels_and_with_our_grader(run, here):
    rows = qwen(here / "math.jsonl", problems=100, size=8)
    expected = by_hand(rows, ranks(rows))
    assert 0.2 < expected["majority"] < expected["pass_at_n"] < 1.0
    status, said, _ = run("math.jsonl", "--scale", "pred_score=rank", "--out", "out")
    assert status == 0 and "100 problems, 8 solutions of each; format qwen2.5-math" in said
    for name, value in expected.items():
        n = 1 if name == "pass_at_1" else 8
        strategy = "majority" if name == "pass_at_1" else name
        verifier = "pred_score" if name in ("weighted_voting", "best_of_n") else ""
        assert accuracy(here / "out", strategy, n, verifier) == pytest.approx(value), name
    solutions = tables.read_parquet(here / "out" / "tables" / "solutions.parquet")
    labels = [label for row in sorted(rows, key=lambda row: str(row["idx"])) for label in row["score"]]
    assert solutions.sort("problem_id", "sample_id")["correct"].to_list() == labels


def test_scores_of_steps_and_tokens_that_a_file_states(run, here):
    status, said, _ = run(search_and_learn(here / "sal.jsonl"), "--out", "out")
    assert status == 0 and "format search-and-learn" in said
    # Of problem k the first k + 1 of 4 solutions are right and have the higher score.
    assert accuracy(here / "out", "majority", 1) == pytest.approx((1 + 2 + 3 + 4) / 16)
    assert accuracy(here / "out", "best_of_n", 4, "scores") == 1.0
    assert accuracy(here / "out", "majority", 4) == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    curves = tables.read_parquet(here / "out" / "tables" / "curves.parquet")
    majority = curves.filter(pl.col("strategy") == "majority").sort("n")
    assert majority["tokens"].to_list() == [12.5, 25.0, 50.0]
    solutions = tables.read_parquet(here / "out" / "tables" / "solutions.parquet")
    assert solutions["steps_scores"].to_list()[0] == [0.5, 0.9]
    assert (here / "out" / "figures" / "votes_tokens.png").is_file()


def test_verdicts_are_trusted_if_they_are_named(run, here):
    plain(here / "plain.jsonl", wrong=2)
    frame = pl.read_ndjson(here / "plain.jsonl").with_columns(label=pl.col("rm") > 0.45)
    frame.write_csv(here / "labelled.csv")
    status, _, _ = run("labelled.csv", *COLUMNS[:3], "score=rm", "--correct", "label", "--out", "out")
    assert status == 0
    # rm is .6 .5 .4 .3: half of the solutions are right by the labels, as by the texts.
    assert accuracy(here / "out", "pass_at_n", 1) == 0.5
    status, _, _ = run("labelled.csv", *COLUMNS, "--out", "graded")
    assert accuracy(here / "graded", "pass_at_n", 1) == 0.5


def test_two_files_are_compared_on_the_problems_that_both_have(run, here):
    plain(here / "a.jsonl", wrong=2, problems=6)
    plain(here / "b.jsonl", wrong=1, problems=8)
    status, said, _ = run("--compare", "a.jsonl", "ours=b.jsonl", *COLUMNS, "--name", "both")
    assert status == 0
    claims = pl.read_csv(here / "results" / "both" / "claims.csv").filter(pl.col("id") == "paired")
    one = claims.filter(pl.col("statement").str.contains("one solution"))
    # 3 of 4 against 2 of 4 in each of 6 problems: no spread at all.
    assert one.select("ours", "low", "high", "verdict").row(0) == (25.0, 25.0, 25.0, "holds")
    assert "(6 problems that both have)" in one["statement"][0]
    assert "ours over a by one solution" in said


def test_the_same_study_under_snakemake_makes_nothing_again(run, here, monkeypatch):
    """Snakemake finds every artifact: one implementation, the same keys."""
    from rlv.plan import build_plan
    from rlv.plan.reading import load
    from rlv.store import Store

    plain(here / "plain.jsonl")
    run("plain.jsonl", *COLUMNS, "--out", "out")
    plan, store = build_plan(load("out/study.yaml")), Store(here / "out" / "store")
    assert all(store.exists(artifact) for artifact in plan.artifacts.values())
    status, _, log = run("plain.jsonl", *COLUMNS, "--out", "out", "--verbose")
    assert status == 0 and "published after" not in log and "already published" in log
    # A file with the same content elsewhere is the same solutions.
    (here / "elsewhere").mkdir()
    (here / "plain.jsonl").rename(here / "elsewhere" / "plain.jsonl")
    _, _, log = run("elsewhere/plain.jsonl", *COLUMNS, "--out", "out", "--verbose")
    assert "published after" not in log
