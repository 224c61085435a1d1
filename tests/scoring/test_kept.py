"""Free confidences: closed forms, their order, and what they refuse."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError, StudyError
from rlv.job import Job
from rlv.scoring import SCORES
from rlv.scoring.kept import CONFIDENCES, NEEDS, TAIL_TOKENS, WINDOWED, confidence
from rlv.scoring.kept_table import kept_table
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store

LOGPROBS = np.log([0.5, 0.25, *[1.0] * TAIL_TOKENS]).tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean_logprob", 0.125 ** (1 / (2 + TAIL_TOKENS))),
        ("tail_logprob", 1.0),
        ("lowest_logprob", 0.25),
        ("self_certainty", 3 / 4),
        ("brevity", 1 / (2 + TAIL_TOKENS)),
        ("claims", 1.0),
        ("tail_logprob:8", 0.25 ** (1 / 8)),
        ("group_logprob:2", 0.125 ** (1 / 2)),
        ("group_logprob", 0.125 ** (1 / TAIL_TOKENS)),
        ("bottom_logprob:1", 0.25),
    ],
)
def test_closed_forms(name: str, expected: float) -> None:
    text = "Try 1 no Try 2 yes Answer 2"
    assert confidence(name, range(2 + TAIL_TOKENS), LOGPROBS, 3.0, text) == pytest.approx(expected)


def test_windows_by_brute_force_and_longer_than_the_solution() -> None:
    """The lowest group is the worst window, the bottom the mean of the worst tenth of them."""
    logprobs = -np.random.default_rng(0).exponential(size=60)
    means = sorted(logprobs[i : i + 5].mean() for i in range(56))
    asked = [
        confidence(name, range(60), logprobs.tolist(), None)
        for name in ("group_logprob:5", "bottom_logprob:5")
    ]
    np.testing.assert_allclose(asked, np.exp([means[0], np.mean(means[:5])]))
    whole = confidence("mean_logprob", range(60), logprobs.tolist(), None)
    for family in WINDOWED:
        assert confidence(f"{family}:61", range(60), logprobs.tolist(), None) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("text", "expected"), [("Try 1 yes Try 2 no Answer 1", 0), ("", 0), ("yes", 1), ("Try 3 no yes", 1)]
)
def test_claims_is_the_last_mark(text: str, expected: float) -> None:
    assert confidence("claims", [5], None, None, text) == expected


@pytest.mark.parametrize(
    "name", ["group_logprob:0", "group_logprob:1.5", "bottom_logprob:x", "tail_logprob:"]
)
def test_a_window_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match=r"expected .*:PARAMETER with a whole number of 1 or more"):
        SCORES[name]


def test_the_tail_of_a_short_solution_is_all_of_it() -> None:
    assert confidence("tail_logprob", [1, 2], np.log([0.5, 0.125]).tolist(), None) == pytest.approx(0.25)


@pytest.mark.parametrize("name", CONFIDENCES)
def test_scores_stay_in_their_range_where_rounding_leaves_it(name: str) -> None:
    """A certain token may have a log-probability of a rounding above 0, and uniform ones a KL below 0."""
    for logprob, certainty in ((1e-7, -1e-7), (-1e4, 1e30)):
        assert 0 <= confidence(name, [5, 6], [logprob, logprob], certainty, "") <= 1


@pytest.mark.parametrize("name", CONFIDENCES)
def test_what_is_not_needed_may_be_missing_and_what_is_needed_not(name: str) -> None:
    kept = {"token_logprobs": [-1.0, -2.0], "self_certainty": 2.0, "text": "yes"}
    needed = NEEDS.get(name)
    alone = [kept[column] if column == needed else None for column in kept]
    assert confidence(name, [5, 6], *alone) == confidence(name, [5, 6], *kept.values())
    if needed is not None:
        others = [None if column == needed else kept[column] for column in kept]
        with pytest.raises(DataError, match=rf"no {needed} was kept .*(sample again|text)"):
            confidence(name, [5, 6], *others)


def test_a_row_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="2 tokens has 1 token_logprobs"):
        confidence("mean_logprob", [5, 6], [-1.0], None)
    with pytest.raises(DataError, match="no tokens"):
        confidence("brevity", [], [], None)


def samples(**changed) -> pl.DataFrame:
    """Two solutions of one problem at two budgets, the second without what sampling keeps."""
    columns = {
        "problem_id": ["p", "p"],
        "sample_id": [1, 0],
        "budget": [9, 4],
        "text": ["", ""],
        "token_ids": [[5, 6, 7], [5, 2]],
        "n_prompt_tokens": [3, 3],
        "n_tokens": [3, 6],
        "flops": [1.0, 1.0],
        "finish_reason": ["stop", "forced"],
        "token_logprobs": [np.log([0.5, 0.5, 0.25]).tolist(), None],
        "self_certainty": [1.0, None],
    }
    return tables.frame("samples", columns | changed)


def test_a_table_is_scored_row_by_row_at_no_cost() -> None:
    found = kept_table(CONFIDENCES["brevity"], None, samples())
    assert tables.check(found, "scores", "here").equals(
        tables.frame(
            "scores",
            {
                "problem_id": ["p", "p"],
                "sample_id": [1, 0],
                "budget": [9, 4],
                "score": [1 / 3, 1 / 2],
                "n_tokens_read": [0, 0],
                "flops": [0.0, 0.0],
                "n_tokens_new": [0, 0],
                "flops_new": [0.0, 0.0],
            },
        )
    )

    def one(name: str) -> float:
        return kept_table(CONFIDENCES[name], NEEDS[name], samples()[:1])["score"][0]

    assert (one("lowest_logprob"), one("self_certainty")) == (pytest.approx(0.25), 0.5)


def test_rows_that_cannot_be_scored_are_named() -> None:
    row = "problem 'p', sample 0, budget 4"
    with pytest.raises(DataError, match=f"{row}: no token_logprobs was kept .*length budget"):
        kept_table(CONFIDENCES["mean_logprob"], "token_logprobs", samples())
    with pytest.raises(DataError, match=f"{row}: no self_certainty was kept .*'vllm' cannot"):
        kept_table(CONFIDENCES["self_certainty"], "self_certainty", samples())
    with pytest.raises(DataError, match="problem 'p', sample 1, budget 9: its score is nan"):
        kept_table(lambda *_: float("nan"), None, samples())


@pytest.fixture
def scored(tmp_path):
    """Runs the stage `score` on a shard whose file was written by `write`, with no other input."""

    def run(score: str, write) -> pl.DataFrame:
        store = Store(tmp_path / score)
        shard = Artifact("sample", "s", 1, {})
        with store.publishing(shard) as draft:
            write(draft.path / "samples.parquet")
        artifact = Artifact("score", "s", SCORE.recipe, {"score": score}, {"samples": shard})
        with store.publishing(artifact) as draft:
            SCORE.run(Job(artifact, store, draft.path, tmp_path, 1, lambda line: None))
        return tables.read(store.open(artifact, "scores.parquet"), "scores")

    return run


def test_the_stage_needs_samples_only(scored) -> None:
    whole = samples(token_logprobs=[[-1.0] * 3, [-2.0] * 2])
    found = scored("mean_logprob", lambda path: tables.write(whole, path, "samples"))
    np.testing.assert_allclose(found["score"], np.exp([-1, -2]))


def test_samples_of_older_versions_have_a_length_and_no_log_probabilities(scored) -> None:
    def older(path) -> None:
        samples().drop("token_logprobs", "self_certainty").write_parquet(path)

    assert scored("brevity", older)["score"].to_list() == [1 / 3, 1 / 2]
    with pytest.raises(DataError, match=r"samples of older versions lack it .*sample again") as raised:
        scored("tail_logprob", older)
    # Which artifact it is, and how to make it again.
    assert re.match(r"sample/\S+-[0-9a-f]{12}: ", str(raised.value))
    assert re.search(r"take sample/\S+ out of the store", str(raised.value))


def test_every_free_confidence_is_a_score_that_loads_no_torch() -> None:
    free = [name for name, score in SCORES.own.items() if score.reads == "kept"]
    assert free == list(CONFIDENCES)
    # The others that load no model: one is chosen among these, one comes with solutions of others.
    rest = {name for name, score in SCORES.own.items() if score.loads_no_model} - set(free)
    assert rest == {"confidence", "given", "panel"}
    code = (
        "import sys\nfrom tests.scoring.test_kept import CONFIDENCES, kept_table, samples\n"
        "import rlv.scoring.stage\nkept_table(CONFIDENCES['brevity'], None, samples())\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
