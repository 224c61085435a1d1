"""Which problems of a data set that is evaluated on were trained on: the stage `overlap`.

Two measures, of every pair of a trained and an evaluated problem: the same normalised text (text.py), and
13-grams of words that both have, as in appendix C of Brown et al. 2020 (GPT-3), words being runs of letters
and digits in lower case. A problem of fewer than 13 words has no 13-gram and is compared only by its text;
common phrases count as any other words do, so `share` is the shared part of a problem. Counts are exact.

Left out on purpose: leaving problems out (a data set's `exclude` does that, by text), paraphrases, and the
generated task, whose questions have seven words and whose splits are disjoint by construction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import polars as pl

from rlv import tables
from rlv.job import Job, Stage
from rlv.problems.text import normalised, words

NGRAM = 13


def ngrams(text: str, n: int) -> set[str]:
    """The distinct runs of n words of a text; empty if it has fewer."""
    found = words(text)
    return {" ".join(found[i : i + n]) for i in range(len(found) - n + 1)}


def overlap_table(trained: pl.DataFrame, evaluated: pl.DataFrame, n: int = NGRAM) -> pl.DataFrame:
    """The "overlap" table of two problems tables: pairs with equal text or a shared n-gram, by evaluated row.

    Time is that of going through both texts once, and of the pairs that are found.
    """
    ids, questions = evaluated["problem_id"].to_list(), evaluated["question"].to_list()
    by_text: dict[str, list[int]] = defaultdict(list)
    by_ngram: dict[str, list[int]] = defaultdict(list)
    sizes: list[int] = []
    for i, question in enumerate(questions):
        by_text[normalised(question)].append(i)
        grams = ngrams(question, n)
        sizes.append(len(grams))
        for gram in grams:
            by_ngram[gram].append(i)
    rows: list[tuple[int, int, dict[str, Any]]] = []
    for t, (trained_id, question) in enumerate(trained.select("problem_id", "question").iter_rows()):
        equal = by_text.get(normalised(question), [])
        shared = Counter(i for gram in ngrams(question, n) for i in by_ngram.get(gram, ()))
        for i in {*equal, *shared}:
            row = {
                "trained_id": trained_id,
                "evaluated_id": ids[i],
                "equal": i in equal,
                "ngrams": shared[i],
                "share": shared[i] / sizes[i] if sizes[i] else None,
            }
            rows.append((i, t, row))
    rows.sort(key=lambda found: found[:2])
    return tables.frame("overlap", [row for _, _, row in rows])


def _run(job: Job) -> dict[str, Any]:
    columns = ["problem_id", "question"]
    trained, evaluated = (job.table(role, "problems", columns) for role in ("trained", "evaluated"))
    n = job.params["ngram"]
    pairs = overlap_table(trained, evaluated, n)
    job.write(pairs, "overlap")
    equal = pairs.filter(pl.col("equal"))["evaluated_id"].n_unique()
    sharing = pairs.filter(pl.col("ngrams") > 0)["evaluated_id"].n_unique()
    short = sum(len(words(question)) < n for question in evaluated["question"])
    names = {role: job.artifact.inputs[role].name for role in ("trained", "evaluated")}
    for count, what in ((equal, "the text"), (sharing, f"a run of {n} words")):
        if count:
            job.log(
                f"warning: {count} of {len(evaluated)} problems of {names['evaluated']} have {what} of a "
                f"problem of {names['trained']}, which is trained on"
            )
    if not len(pairs):
        job.log(f"nothing of {names['evaluated']} is in {names['trained']}")
    return {
        "trained": len(trained),
        "evaluated": len(evaluated),
        "equal": equal,
        "equal_share": equal / len(evaluated),
        "sharing_ngrams": sharing,
        "sharing_ngrams_share": sharing / len(evaluated),
        "shorter_than_ngram": short,
        "pairs": len(pairs),
    }


OVERLAP = Stage(
    recipe=1, run=_run, leaves=lambda artifact: ("overlap",), doing="overlap of", memory_mb=2000, minutes=10
)
