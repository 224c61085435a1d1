"""What two data sets share: the table against comparing every pair, and the stage."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.problems import load_local
from rlv.problems.overlap import NGRAM, ngrams, overlap_table
from rlv.problems.text import normalised, words
from rlv.run.make import make
from rlv.store import Artifact, Store, file_digest


def problems(texts: dict[str, str]) -> pl.DataFrame:
    return tables.frame(
        "problems",
        [
            {"problem_id": i, "question": q, "answer": "1", "level": None, "subject": None}
            for i, q in texts.items()
        ],
    )


def brute_force(trained: pl.DataFrame, evaluated: pl.DataFrame, n: int) -> list[tuple]:
    """Every pair looked at: lists of words, compared place by place."""
    found = []
    for evaluated_id, right in evaluated.select("problem_id", "question").iter_rows():
        w = words(right)
        runs = {tuple(w[i : i + n]) for i in range(len(w) - n + 1)}
        for trained_id, left in trained.select("problem_id", "question").iter_rows():
            v = words(left)
            shared = sum(any(tuple(v[j : j + n]) == run for j in range(len(v) - n + 1)) for run in runs)
            equal = normalised(left) == normalised(right)
            if shared or equal:
                share = shared / len(runs) if runs else None
                found.append((trained_id, evaluated_id, equal, shared, share))
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_table_is_what_comparing_every_pair_says(n) -> None:
    rng = random.Random(n)
    text = lambda: " ".join(rng.choice("abc") for _ in range(rng.randrange(1, 12)))  # noqa: E731
    trained = problems({f"t{i}": text() for i in range(30)})
    evaluated = problems({f"e{i}": text() for i in range(20)})
    table = overlap_table(trained, evaluated, n)
    tables.check(table, "overlap", "test")
    assert table.rows() == brute_force(trained, evaluated, n)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Find $x$ if  $x+1 = 2$.", "find x if x + 1 = 2.", True),
        ("$\\dfrac{1}{2}\\,x$", "$\\frac{1}{2}x$", True),
        ("$\\left(\\frac12\\right)$", "\\((\\tfrac12)\\)", True),
        ("1 + 2?", "1 - 2?", False),
        ("$x^2$", "$x_2$", False),
        ("12 apples", "1 2 apples", False),
        ("one\n  apple", "one apple", True),
        ("one apple", "oneapple", False),
        ("\\leftarrow", "arrow", False),
        ("costs \\$5", "costs 5", False),
        ("ﬁve", "five", True),
    ],
)
def test_what_makes_two_texts_one_problem(left, right, same) -> None:
    assert (normalised(left) == normalised(right)) is same


def test_short_texts_have_no_ngrams_and_are_compared_by_text() -> None:
    text = " ".join(f"w{i}" for i in range(NGRAM - 1))
    assert ngrams(text, NGRAM) == set() and len(ngrams(f"{text} more", NGRAM)) == 1
    table = overlap_table(problems({"t": f"  {text.upper()}"}), problems({"e": text}))
    assert table.rows() == [("t", "e", True, 0, None)]
    assert overlap_table(problems({"t": f"{text} x"}), problems({"e": f"{text} y"})).rows() == []


def test_the_stage_counts_problems_and_warns(tmp_path) -> None:
    store = Store(tmp_path)
    long = " ".join(f"w{i}" for i in range(20))
    sets = {
        "train": {"a": "1 + 1?", "b": f"{long} one"},
        "test": {"c": "1+1?", "d": f"two {long}", "e": f"three {long}", "f": "2 + 2?"},
        "other": {"g": "3?"},
    }
    made = {}
    for name, texts in sets.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text(
            "".join(json.dumps({"id": i, "question": q, "answer": "1"}) + "\n" for i, q in texts.items())
        )
        params = {
            "source": "local",
            "size": None,
            "levels": [],
            "format": ".jsonl",
            "sha256": file_digest(path),
        }
        made[name] = Artifact("problems", name, 1, params, {}, {"path": str(path)})
        make(made[name], store, log=lambda line: None)

    def overlap(evaluated: str) -> tuple[dict, list[str]]:
        log: list[str] = []
        inputs = {"trained": made["train"], "evaluated": made[evaluated]}
        artifact = Artifact("overlap", f"train-{evaluated}", 1, {"ngram": NGRAM}, inputs, {})
        make(artifact, store, log=log.append)
        return json.loads((store.location(artifact) / "manifest.json").read_text())["facts"], log

    facts, log = overlap("test")
    assert facts == {
        "trained": 2,
        "evaluated": 4,
        "equal": 1,
        "equal_share": 0.25,
        "sharing_ngrams": 2,
        "sharing_ngrams_share": 0.5,
        "shorter_than_ngram": 2,
        "pairs": 3,
    }
    assert any("warning: 1 of 4 problems of test have the text of a problem of train" in line for line in log)
    assert any("warning: 2 of 4 problems of test have a run of 13 words" in line for line in log)
    facts, log = overlap("other")
    assert facts["pairs"] == 0 and not any("warning" in line for line in log)


def real(name: str) -> pl.DataFrame:
    path = Path(os.environ.get("RLV_DATA", "")) / f"{name}.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {name}.jsonl in the folder that the environment variable RLV_DATA names")
    empty = ("train/number_theory/7115", "train/number_theory/7117")
    return load_local(path, without=empty if name == "math_train12k" else ())


def test_the_real_training_set_against_the_real_test_set() -> None:
    trained, evaluated = real("math_train12k"), real("math500")
    table = overlap_table(trained, evaluated)
    # Every pair, by another route: texts joined on equality, 13-grams as rows of words joined on equality.
    texts = [
        f.with_columns(pl.col("question").map_elements(normalised, pl.String)) for f in (trained, evaluated)
    ]
    equal = texts[0].join(texts[1], on="question").select("problem_id", "problem_id_right")
    assert set(equal.rows()) == set(table.filter("equal").select("trained_id", "evaluated_id").rows())

    def runs(frame: pl.DataFrame) -> pl.DataFrame:
        listed = frame.select(
            "problem_id", pl.col("question").map_elements(words, pl.List(pl.String)).alias("w")
        )
        columns = [
            pl.col("w").list.slice(i, pl.max_horizontal(pl.col("w").list.len().cast(pl.Int64) - NGRAM + 1, 0))
            for i in range(NGRAM)
        ]
        long = listed.filter(pl.col("w").list.len() >= NGRAM)
        return (
            long.select("problem_id", *(c.alias(f"w{i}") for i, c in enumerate(columns)))
            .explode([f"w{i}" for i in range(NGRAM)])
            .unique()
        )

    joined = runs(trained).join(runs(evaluated), on=[f"w{i}" for i in range(NGRAM)])
    counts = joined.group_by("problem_id", "problem_id_right").len().rows()
    found = table.filter(pl.col("ngrams") > 0).select("trained_id", "evaluated_id", "ngrams").rows()
    assert set(counts) == set(found) and len(found) > 0


@pytest.mark.parametrize("name", ["math_train12k", "math500", "gsm8k_test", "aime24"])
def test_worked_problems_of_prompts_are_in_no_real_data_set(name) -> None:
    from rlv.prompts import WORKED_PROBLEMS

    shown = problems({str(i): problem for i, (problem, _) in enumerate(WORKED_PROBLEMS)})
    assert overlap_table(shown, real(name)).rows() == []
