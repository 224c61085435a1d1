"""Panels: from definitions, with members that are equal, missing or shuffled, and on simulated verifiers."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from rlv.evaluation import label_model as label
from rlv.evaluation.panels import PANELS, Tuned, ranks
from rlv.evaluation.stacking import best_member, logistic

PLAIN = ["mean", "median", "min", "majority", "approvals", "log_odds", "mean_rank"]
RNG = np.random.default_rng(0)


def tuned(scores_PSV, correct_PS) -> Tuned:
    return Tuned(correct_PS, np.where(correct_PS, 0, 1), scores_PSV)


def combined(name: str, scores_PSV, known=None):
    return PANELS[name].combine(np.asarray(scores_PSV, dtype=float), known)


@pytest.fixture(scope="module")
def simulated():
    """Scores of four noisy members, which solutions are right, and the same of training problems."""
    correct_PS = RNG.random((40, 8)) < 0.4
    scores_PSV = np.clip(correct_PS[..., None] * 0.3 + RNG.random((40, 8, 4)) * 0.7, 0, 1)
    return scores_PSV, correct_PS, tuned(scores_PSV[:20], correct_PS[:20])


def test_plain_panels_are_what_their_names_say():
    scores = [[[0.2, 0.9, 0.6]]]
    assert combined("mean", scores) == pytest.approx(1.7 / 3)
    assert combined("median", scores) == pytest.approx(0.6)
    assert combined("min", scores) == pytest.approx(0.2)
    assert combined("majority", scores) == 1
    assert combined("approvals", scores) == pytest.approx(2 / 3)
    odds = (0.2 / 0.8) * (0.9 / 0.1) * (0.6 / 0.4)
    assert combined("log_odds", scores) == pytest.approx(odds ** (1 / 3) / (1 + odds ** (1 / 3)))
    assert combined("mean_rank", [[[0.1, 0.9], [0.5, 0.9], [0.5, 0.1]]])[0].tolist() == [0.375, 0.75, 0.375]


@pytest.mark.parametrize("name", ["mean", "median", "min", "log_odds", "best_member"])
def test_equal_members_are_their_panel(name, simulated):
    scores_PSV, correct_PS, _ = simulated
    equal_PSV = np.repeat(scores_PSV[..., :1], 3, axis=-1)
    found = combined(name, equal_PSV, tuned(equal_PSV, correct_PS))
    np.testing.assert_allclose(found, scores_PSV[..., 0])


@pytest.mark.parametrize("name", list(PANELS.own))
def test_equal_members_are_put_in_no_other_order(name, simulated):
    scores_PSV, correct_PS, _ = simulated
    equal_PSV = np.repeat(scores_PSV[..., :1], 3, axis=-1)
    found_PS = combined(name, equal_PSV, tuned(equal_PSV, correct_PS))
    order_PS = np.argsort(scores_PSV[..., 0], axis=1)
    assert (np.diff(np.take_along_axis(found_PS, order_PS, axis=1), axis=1) >= -1e-12).all()


@pytest.mark.parametrize("scores", [[0.2], [0.8], [0.5]])
def test_a_majority_of_one_is_a_threshold(scores):
    assert combined("majority", [[scores]])[0, 0] == {0.2: 0, 0.8: 1, 0.5: 0.5}[scores[0]]


@pytest.mark.parametrize("name", [*PLAIN, "label_model"])
def test_a_member_without_scores_leaves_the_result_of_the_others(name, simulated):
    scores_PSV, _, _ = simulated
    silent_PSV = np.concatenate([scores_PSV, np.full((*scores_PSV.shape[:2], 1), np.nan)], axis=-1)
    np.testing.assert_allclose(combined(name, silent_PSV), combined(name, scores_PSV))


@pytest.mark.parametrize("name", list(PANELS.own))
def test_where_no_member_has_a_score_the_panel_has_none(name, simulated):
    scores_PSV, _, known = simulated
    silent_PSV = scores_PSV.copy()
    silent_PSV[3, 2] = np.nan
    found_PS = combined(name, silent_PSV, known)
    assert np.isnan(found_PS[3, 2]) and np.isnan(found_PS).sum() == 1


@pytest.mark.parametrize("name", list(PANELS.own))
def test_the_order_of_solutions_problems_and_members_changes_nothing(name, simulated):
    scores_PSV, _, known = simulated
    found_PS = combined(name, scores_PSV, known)
    assert ((found_PS >= 0) & (found_PS <= 1)).all()
    problems, solutions, members = (RNG.permutation(size) for size in scores_PSV.shape)
    mixed_PSV = scores_PSV[problems][:, solutions][..., members]
    mixed = Tuned(known.correct_PS, known.classes_PS, known.scores_PSV[..., members])
    np.testing.assert_allclose(combined(name, mixed_PSV, mixed), found_PS[problems][:, solutions], atol=1e-9)


@pytest.mark.parametrize("name", list(PANELS.own))
def test_one_solution_and_constant_scores_do_no_harm(name, simulated):
    _, _, known = simulated
    for scores_PSV in (np.full((3, 1, 4), 0.3), np.zeros((2, 5, 4)), np.ones((2, 5, 4))):
        found_PS = combined(name, scores_PSV, known)
        assert ((found_PS >= 0) & (found_PS <= 1)).all()
        assert np.ptp(found_PS) < 1e-12


def votes(true_V, false_V, balance, rows, seed=0):
    rng = np.random.default_rng(seed)
    right_R = rng.random(rows) < balance
    rates_RV = np.where(right_R[:, None], np.array(true_V), np.array(false_V))
    return (rng.random(rates_RV.shape) < rates_RV).astype(float), right_R


TRUE, FALSE = [0.9, 0.8, 0.7, 0.85, 0.6, 0.75], [0.2, 0.3, 0.1, 0.4, 0.5, 0.25]


@pytest.mark.parametrize("balance", [0.1, 0.3, 0.6])
def test_the_label_model_recovers_the_rates_that_made_the_votes(balance):
    rows = 20_000
    votes_RV, _ = votes(TRUE, FALSE, balance, rows)
    near = 3 / np.sqrt(rows * balance)
    known = label.fitted(votes_RV, balance)
    assert np.abs(known.true_V - TRUE).max() < 2 * near and np.abs(known.false_V - FALSE).max() < near
    # Without the balance, from third moments.
    assert label.fitted(votes_RV).balance == pytest.approx(balance, abs=0.03)


def test_the_posterior_is_bayes_rule():
    rates = label.Rates(0.3, np.array([0.9, 0.8]), np.array([0.2, 0.4]))
    said = np.array([[[1.0, 0.0], [1.0, np.nan]]])
    first = 0.3 * 0.9 * 0.2 / (0.3 * 0.9 * 0.2 + 0.7 * 0.2 * 0.6)
    second = 0.3 * 0.9 / (0.3 * 0.9 + 0.7 * 0.2)
    np.testing.assert_allclose(label.posterior(said, rates), [[first, second]])


def test_a_factor_is_found_from_its_products_off_the_diagonal():
    b_V = np.array([0.4, -0.1, 0.3, 0.2])
    np.testing.assert_allclose(
        label.rank_one(np.outer(b_V, b_V) + np.diag([9.0, 1.0, 0.0, 5.0])), b_V, atol=1e-6
    )
    assert label.rank_one(np.zeros((3, 3))).tolist() == [0, 0, 0]


def test_one_verifier_that_is_worse_than_chance_is_found_to_be_so():
    votes_RV, right_R = votes([0.9, 0.85, 0.2], [0.2, 0.3, 0.7], 0.5, 20_000)
    rates = label.fitted(votes_RV, 0.5)
    assert rates.true_V[2] < rates.false_V[2]
    found_R = label.posterior(votes_RV[None], rates)[0]
    assert found_R[right_R].mean() > found_R[~right_R].mean() + 0.3


def test_the_label_model_sees_no_label_of_what_it_scores(simulated):
    scores_PSV, correct_PS, _ = simulated
    shuffled_PS = RNG.permutation(correct_PS.reshape(-1)).reshape(correct_PS.shape)
    found = [combined("label_model", scores_PSV, tuned(None, c)) for c in (correct_PS, shuffled_PS)]
    np.testing.assert_array_equal(*found)
    assert "correct" not in "".join(inspect.signature(label.label_model).parameters)


def test_a_label_model_of_two_is_refused():
    with pytest.raises(ValueError, match="3 verifiers or more, found 2"):
        combined("label_model", np.full((2, 2, 2), 0.5))


def test_stacking_finds_the_weights_that_made_the_answers():
    rng = np.random.default_rng(1)
    logits_PSV = rng.normal(size=(2000, 10, 3))
    true_V = np.array([1.5, 0.0, -0.7])
    right_PS = rng.random((2000, 10)) < 1 / (1 + np.exp(-(logits_PSV @ true_V + 0.4)))
    fit = logistic(1 / (1 + np.exp(-logits_PSV)), right_PS)
    np.testing.assert_allclose(fit.weights_V / fit.spread_V, true_V, atol=0.08)
    assert fit.intercept - (fit.weights_V * fit.mean_V / fit.spread_V).sum() == pytest.approx(0.4, abs=0.08)


def test_members_that_separate_or_labels_of_one_kind_keep_weights_finite():
    right_PS = np.array([[True, False, True]])
    assert np.isfinite(logistic(right_PS[..., None].astype(float), right_PS).weights_V).all()
    assert np.isfinite(logistic(np.full((1, 3, 2), 0.5), np.ones((1, 3), dtype=bool)).intercept)


def test_what_learns_is_refused_without_training_problems():
    for name in ("stacked", "best_member"):
        with pytest.raises(ValueError, match="learns from training problems"):
            combined(name, np.full((2, 2, 2), 0.5))
        with pytest.raises(ValueError, match="members' scores on training problems"):
            combined(name, np.full((2, 2, 2), 0.5), tuned(None, np.ones((2, 2), dtype=bool)))


def test_the_best_member_is_that_of_the_training_problems():
    correct_PS = np.array([[True, False], [False, True]] * 5)
    classes_PS = np.where(correct_PS, 0, 1)
    good, bad = correct_PS * 1.0, 1.0 - correct_PS
    assert best_member(np.stack([bad, good], axis=-1), correct_PS, classes_PS) == 1
    assert best_member(np.stack([good, good], axis=-1), correct_PS, classes_PS) == 0


def test_ranks_share_ties_and_skip_what_is_missing():
    ranked = ranks(np.array([[[0.1], [np.nan], [0.5], [0.5]]]))[0, :, 0]
    np.testing.assert_array_equal(ranked, [0.0, np.nan, 0.75, 0.75])
