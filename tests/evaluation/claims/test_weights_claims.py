"""Claims about weights and panels, on tables whose numbers are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.panels import added_information, weaver_gap
from rlv.evaluation.claims.weights import (
    bayes_vote,
    best_of_n_decay,
    confidence_saving,
    peaks,
    vote_temperature,
)
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v", confidence="free")
SOFT = rows("grpo_v", "unified", "softmax:fit", [0.5, 0.6, 0.7, 0.85, 0.95])
FITTED = tables.frame(
    "fitted",
    [
        {
            "dataset": "test",
            "reasoner": "grpo_v",
            "verifier": "unified",
            "strategy": "softmax:fit",
            "vote": "softmax:0.1",
        }
    ],
)


def on(*parts, pair=PAIR, **more):
    return Evidence("test", (pair,), pl.concat(parts), **more)


def test_a_chosen_temperature_stands_against_plain_weights_and_majority(per_problem):
    found = vote_temperature(on(per_problem, SOFT, fitted=FITTED))
    assert [row["ours"] for row in found] == pytest.approx([5, 5, 35, 45])
    assert "over weighted voting, same solutions, N = 8 on test" in found[0]["statement"]
    assert "over majority voting, same solutions, N = 16 on test" in found[3]["statement"]
    assert "softmax:0.1 was chosen on training problems" in found[0]["detail"]
    assert found[0]["paper"].startswith("CISC") and (found[0]["bar"], found[0]["verdict"]) == (0, "holds")
    assert vote_temperature(on(per_problem)) == []


def test_samples_saved_are_counted_from_majoritys_accuracy(per_problem):
    judged = rows("grpo", "judge", "softmax:fit", [0.4, 0.5, 0.7, 0.7, 0.7])
    base, own = confidence_saving(on(per_problem, judged, SOFT, fitted=FITTED))
    # Majority voting needs 2, 4, 8 and 16 solutions for .4, .5, .6 and .7; the other 1, 2, 2.83 and 4.
    assert base["ours"] == pytest.approx((2 + 8 / 2**1.5) / 2, rel=1e-3)
    assert "2: 50 %, 4: 50 %, 8: 65 %, 16: 75 %" in base["detail"]
    assert (base["bar_from"], base["verdict"]) == ("paper", "reproduced")
    assert base["bar"] == pytest.approx(5 / 3) and "Solutions of grpo by majority" in base["statement"]
    # RL^V's majority voting stays at the accuracy of one solution.
    assert own["ours"] == pytest.approx(6) and "Solutions of grpo_v" in own["statement"]


def test_a_vote_that_never_gets_there_saves_nothing(per_problem):
    (row,) = confidence_saving(on(per_problem, rows("grpo", "judge", "softmax:fit", [0.1] * 5)))
    assert row["ours"] == 0 and "16: never" in row["detail"] and row["verdict"] == "not reproduced"
    assert "the chosen number is not known" in row["detail"]


def test_log_odds_stand_against_the_same_scores(per_problem):
    few, many = bayes_vote(
        on(per_problem, rows("grpo_v", "unified", "log_odds", [0.5, 0.6, 0.7, 0.82, 0.88]))
    )
    assert (few["ours"], many["ours"]) == (pytest.approx(2), pytest.approx(-2))
    assert (few["verdict"], many["verdict"]) == ("holds", "does not hold")


def test_a_best_of_n_that_falls_decays_and_one_that_rises_does_not(per_problem):
    def row(accuracies):
        (found,) = best_of_n_decay(on(per_problem, rows("grpo_v", "unified", "best_of_n", accuracies)))
        return found

    falling = row([0.5, 0.6, 0.8, 0.7, 0.65])
    assert falling["ours"] == pytest.approx(-15) and falling["verdict"] == "holds"
    assert "chosen N = 4," in falling["detail"]
    rising = row([0.5, 0.6, 0.7, 0.8, 0.9])
    assert rising["ours"] == 0 and rising["verdict"] == "undecided"


def test_a_peak_is_chosen_on_the_other_half_of_the_problems():
    curve_QN = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert peaks(curve_QN, 1).tolist() == [1, 0, 1, 0]
    # Of two seeds with three problems each: problem 0 and 2 against problem 1, with both seeds.
    assert peaks(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]] * 2), 2).tolist() == [1, 0, 1, 1, 0, 1]
    assert peaks(np.array([[0.2, 0.4]]), 1).tolist() == [1]


def test_noise_is_no_decay():
    rng = np.random.default_rng(0)
    noise = rng.random((5, 200))
    table = rows("grpo_v", "unified", "best_of_n", list(noise), problems=200)
    (row,) = best_of_n_decay(on(table))
    assert row["verdict"] == "undecided"


PANELS = {
    "label": {"panel": "label_model", "of": ["unified", "free", "short"]},
    "rank": {"panel": "mean_rank", "of": ["free", "short", "unified"]},
    "best": {"panel": "best_member", "of": ["unified", "free", "short"]},
    "other": {"panel": "mean_rank", "of": ["unified", "free"]},
    "both": {"panel": "stacked", "of": ["free", "unified"]},
}


def test_the_gap_that_a_label_model_closes_stands_against_the_same_members():
    def board(limit):
        return weaver_gap(
            on(
                rows("grpo_v", "", "majority", [0.5] * 5),
                rows("grpo_v", "", "pass_at_n", [0.5, 0.6, 0.7, *limit]),
                *(
                    rows("grpo_v", name, "best_of_n", [0.5, 0.5, 0.6, 0.7, a])
                    for name, a in (("label", 0.7), ("rank", 0.6), ("best", 0.75), ("other", 0.1))
                ),
                panels=PANELS,
            )
        )

    rank_8, rank_16, best_8, best_16 = board([0.9, 1.0])
    assert [row["ours"] for row in (rank_8, rank_16, best_8, best_16)] == pytest.approx([0, 0.2, 0, -0.1])
    assert "closed by label less that by rank, the best of N = 16 of grpo_v" in rank_16["statement"]
    assert "rank is the mean of ranks; gap of 50.0 points, closed by 0.40 against 0.20" in rank_16["detail"]
    assert (rank_16["verdict"], best_16["verdict"]) == ("holds", "does not hold")
    # Nothing is left to close.
    row = board([0.9, 0.51])[1]
    assert row["ours"] is None and row["verdict"] == "undecided"
    assert "gap of 1.0 points, less than 2: there is nothing to close" in row["detail"]


def test_what_a_verifier_adds_to_the_confidence_is_that_of_the_two_together():
    parts = [
        rows("grpo_v", "free", "weighted_voting", [0.5, 0.6, 0.7, 0.8, 0.9]),
        rows("grpo_v", "both", "weighted_voting", [0.5, 0.6, 0.7, 0.83, 0.9]),
    ]
    few, many = added_information(on(*parts, panels=PANELS))
    assert (few["ours"], many["ours"]) == (pytest.approx(3), pytest.approx(0))
    assert "with unified and free over free, N = 8" in few["statement"]
    assert added_information(on(*parts)) == []
    assert added_information(on(*parts, panels=PANELS, pair=Pair("grpo", "grpo_v"))) == []
