"""Stopping rules replayed: against loops that are written from the definitions, and what no rule may do."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from rlv.errors import DataError, StudyError
from rlv.evaluation.recorded import recorded
from rlv.evaluation.stopping.fitted import Fitted, fit, platt
from rlv.evaluation.stopping.replay import COLUMNS, cells, fixed_grid, orders, replay
from rlv.evaluation.stopping.rules import FAMILIES, STOPS, USUAL, reservation
from rlv.evaluation.stopping.running import CREDITS
from rlv.evaluation.stopping.seen import Seen
from rlv.evaluation.votes import VOTES
from rlv.logistic import CLIP
from tests.evaluation.tables_for_tests import make_tables

RULES = (
    *(
        "beta:0.7",
        "beta:0.95",
        "window:2",
        "window:3",
        "share:0.6",
        "share:1",
        "lead:1",
        "lead:2",
        "lead:0.7",
    ),
    *("posterior:0.6", "posterior:0.95", "confident:0.5", "confident:0.9", "pandora:0.001", "pandora:0.02"),
    *("fixed:1", "fixed:5"),
)
FITTED = Fitted(1.7, -0.3, np.array([0.1, 0.2, 0.2, 0.7, 0.9, 0.95]), 22.0)


def pool(problems=6, size=20, answers=4, seed=0):
    """Few answers, few-valued scores with ends, silent solutions: ties everywhere."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(-1, answers, (problems, size))
    scores = rng.integers(0, 6, (problems, size)) / 5
    correct = np.where(rng.random((problems, size)) < 0.9, classes == 0, classes == 1) & (classes >= 0)
    data = recorded(*make_tables(classes, correct, scores), where="test")[0]
    return replace(data, read_new_PS=2 + data.classes_PS, read_new_flops_PS=0.5 * data.classes_PS)


def plain_chance(classes, scores):
    """The most probable answer's chance, from the definition."""
    answers = {c for c in classes if c >= 0}
    spread = math.log(max(len(answers) - 1, 1))
    weights = dict.fromkeys(answers, 0.0)
    for c, s in zip(classes, scores, strict=True):
        if c >= 0:
            s = min(max(FITTED.calibrated(np.array([s]))[0], CLIP), 1 - CLIP)
            weights[c] += math.log(s / (1 - s)) + spread
    total = 1 + sum(math.exp(w) for w in weights.values())
    return max((math.exp(w) for w in weights.values()), default=0.0) / total


def plain_beta(a, b):
    """1 - I_1/2(a + 1, b + 1) by adding up the density of the Beta distribution in closed form."""
    n = a + b + 1
    return sum(math.comb(n, k) for k in range(a + 1)) / 2**n


def plain_sums(classes, scores):
    """Sums of scores by class, and the class that came first to the highest."""
    sums, best, leader = Counter(), -1.0, None
    for c, s in zip(classes, scores, strict=True):
        if c >= 0:
            sums[c] += s
            if sums[c] > best:
                best, leader = sums[c], c
    return sums, leader


def plain_stop(rule, vote, classes, scores):
    """Whether a rule stops after exactly these solutions."""
    name, _, number = rule.partition(":")
    t, n = float(number), len(classes)
    counts = Counter(c for c in classes if c >= 0)
    sums, leader = plain_sums(classes, scores)
    votes = [*sorted(counts.values(), reverse=True), 0, 0]
    ahead = votes if vote == "majority" else [*sorted(sums.values(), reverse=True), 0, 0]
    last = classes[-int(t) :]
    z = reservation(FITTED, t) if name == "pandora" else 0
    return {
        "fixed": lambda: n >= t,
        "beta": lambda: plain_beta(votes[0], votes[1]) >= t,
        "window": lambda: n % t == 0 and len(set(last)) == 1 and last[0] >= 0,
        "share": lambda: n >= 2 and votes[0] >= t * n - 1e-9,
        "lead": lambda: ahead[0] - ahead[1] >= t - 1e-9,
        "posterior": lambda: plain_chance(classes, scores) >= t - 1e-6,
        "confident": lambda: leader is not None and sums[leader] >= t * counts[leader] - 1e-9,
        "pandora": lambda: any(c >= 0 and s >= z for c, s in zip(classes, scores, strict=True)),
    }[name]()


def plain_replay(data, rule, vote, n_max, orders_RN, batch=1):
    """One rule, problem by problem, order by order, solution by solution."""
    reads = STOPS[rule].reads_scores or VOTES[vote].reads_scores
    found = np.zeros((len(COLUMNS), len(data.problem_ids)))
    step = STOPS[rule].step if STOPS[rule].step > 1 else batch
    for p in range(len(data.problem_ids)):
        for order in orders_RN:
            classes, scores = data.classes_PS[p, order].tolist(), data.scores_PS[p, order].tolist()
            for n in range(1, n_max + 1):
                may = STOPS[rule].always is not None or n % step == 0
                if n == n_max or (may and plain_stop(rule, vote, classes[:n], scores[:n])):
                    break
            first = order[:n]
            read = data.scores_PS[p, first][None]
            read = FITTED.calibrated(read) if vote == "log_odds" else read
            credit = VOTES[vote].count(data.classes_PS[p, first][None], data.correct_PS[p, first][None], read)
            tokens = data.tokens_PS[p, first].sum() + (data.read_PS[p, first].sum() if reads else 0)
            flops = data.flops_PS[p, first].sum() + (data.read_flops_PS[p, first].sum() if reads else 0)
            rounds = 1 if STOPS[rule].always is not None else math.ceil(n / step)
            new = (tokens, flops)
            if reads:
                own = data.tokens_PS[p, first].sum(), data.flops_PS[p, first].sum()
                new = own + np.stack([data.read_new_PS, data.read_new_flops_PS])[:, p, first].sum(axis=1)
            found[:, p] += [credit[0], n, tokens, flops, *new, rounds]
    return found / len(orders_RN)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch", [1, 4])
def test_agrees_with_a_plain_loop(rule, batch):
    data, n_max = pool(), 9
    orders_RN = orders(20, n_max, 10, 3)
    for vote in STOPS[rule].votes:
        found_VP = replay(data, [(rule, vote)], n_max, fitted=FITTED, count=10, seed=3, batch=batch)[:, :, 0]
        wanted_VP = plain_replay(data, rule, vote, n_max, orders_RN, batch)
        np.testing.assert_allclose(found_VP, wanted_VP, atol=1e-12, err_msg=f"{rule} {vote}")


@pytest.mark.parametrize("vote", CREDITS)
@pytest.mark.parametrize("seed", range(3))
def test_votes_after_every_n_are_the_votes_over_the_first_n(vote, seed):
    data = pool(problems=40, size=24, answers=(3, 7, 24)[seed], seed=seed)
    found_BN = CREDITS[vote](data.classes_PS, data.correct_PS, data.scores_PS)
    for n in range(1, 25):
        wanted_B = VOTES[vote].count(data.classes_PS[:, :n], data.correct_PS[:, :n], data.scores_PS[:, :n])
        np.testing.assert_allclose(found_BN[:, n - 1], wanted_B, atol=1e-12)


def example(family):
    """A member of a family, for properties that all rules have."""
    return next((rule for rule in RULES if rule.startswith(f"{family}:")), f"{family}:2")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rule", dict.fromkeys([*map(example, STOPS.families), *RULES, *USUAL]))
def test_no_rule_looks_ahead(rule, seed):
    stop = STOPS[rule]
    rng = np.random.default_rng(seed)
    now, later = (pool(problems=60, size=16, seed=3 * seed + i) for i in (1, 2))
    kept_B = rng.integers(1, 17, 60)
    ahead_BN = np.arange(16) >= kept_B[:, None]
    for vote in stop.votes:

        def stops(classes_PS, scores_PS, tokens_PS, vote=vote):
            return stop.stops(Seen(classes_PS, np.cumsum(tokens_PS, axis=1), scores_PS, vote, FITTED))

        first = stops(now.classes_PS, now.scores_PS, now.tokens_PS)
        changed = [
            np.where(ahead_BN, new, old)
            for old, new in (
                (now.classes_PS, later.classes_PS),
                (now.scores_PS, later.scores_PS),
                (now.tokens_PS, 7),
            )
        ]
        second = stops(*changed)
        assert (first[~ahead_BN] == second[~ahead_BN]).all()
        # And whatever comes may be missing altogether.
        alone = stops(now.classes_PS[:, :8], now.scores_PS[:, :8], now.tokens_PS[:, :8])
        assert (alone == first[:, :8]).all()


@pytest.mark.parametrize("family", [name for name in STOPS.families if name != "window"])
def test_with_one_solution_every_rule_answers_with_it(family):
    rule = example(family)
    data = pool(size=8)
    for vote in STOPS[rule].votes:
        found_VP = replay(data, [(rule, vote)], 1, fitted=FITTED, count=8)[:, :, 0]
        assert (found_VP[1] == 1).all() and (found_VP[6] == 1).all()
        first_R = orders(8, 1, 8, 0)[:, 0]
        np.testing.assert_allclose(found_VP[0], data.correct_PS[:, first_R].mean(axis=1))


def test_over_all_orders_it_does_not_matter_which_solution_is_which(monkeypatch):
    data, moved = pool(problems=5, size=6), np.random.default_rng(0).permutation(6)
    every = np.array(list(permutations(range(6), 3)))
    monkeypatch.setattr("rlv.evaluation.stopping.replay.orders", lambda *of: every)
    chosen = cells(RULES[:3] + RULES[4:-1], 3, reads=True, where="test")
    chosen += cells(RULES[:3] + RULES[4:-1], 3, reads=False, where="test")
    arrays = {
        name: array[:, moved]
        for name, array in vars(data).items()
        if array is not None and name.endswith("_PS")
    }
    both = [replay(one, chosen, 3, fitted=FITTED) for one in (data, replace(data, **arrays))]
    np.testing.assert_allclose(*both, atol=1e-12)


def test_names_of_classes_mean_nothing():
    data = pool(problems=10)
    renamed = np.where(data.classes_PS >= 0, 3 - data.classes_PS, -1)
    chosen = cells(RULES, 9, reads=True, where="test") + cells(RULES, 9, reads=False, where="test")
    both = [
        replay(replace(data, classes_PS=classes), chosen, 9, fitted=FITTED, count=12)
        for classes in (data.classes_PS, renamed)
    ]
    np.testing.assert_allclose(*both, atol=1e-12)


def test_orders_are_the_same_for_everything_and_halves_of_one_shuffle():
    found = orders(20, 10, 7, 5)
    assert found.shape == (7, 10) and all(len(set(row)) == 10 for row in found.tolist())
    assert (orders(20, 4, 7, 5) == found[:, :4]).all()
    assert not set(found[0]) & set(found[1])
    assert (orders(20, 10, 7, 6) != found).any()


def test_fixed_numbers_are_the_baseline_and_draw_in_one_round():
    assert fixed_grid(1) == [1] and fixed_grid(10) == [1, 2, 3, 4, 6, 8, 10]
    assert fixed_grid(32) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    found = cells(["lead:2"], 4, reads=False, where="test")
    assert found == [(f"fixed:{n}", "majority") for n in (1, 2, 3, 4)] + [("lead:2", "majority")]
    reading = cells(["lead:2", "confident:0.9"], 2, reads=True, where="test")
    assert reading[-2:] == [("lead:2", "weighted_voting"), ("confident:0.9", "weighted_voting")]
    data = pool()
    one, eight = (replay(data, [(f"fixed:{n}", "majority")], 8, count=16)[:, :, 0] for n in (1, 8))
    assert (one[1] == 1).all() and (eight[1] == 8).all() and (eight[-1] == 1).all()
    np.testing.assert_allclose(eight[2], 80)


def test_costs_that_nobody_knows_stay_unknown():
    data = pool()
    unknown = replace(data, tokens_PS=np.full(data.tokens_PS.shape, np.nan))
    found = replay(unknown, [("lead:2", "majority")], 9, count=4)[:, :, 0]
    assert np.isnan(found[2]).all() and np.isfinite(found[[0, 1, 3, 6]]).all()
    assert math.isnan(reservation(fit(None, unknown), 0.001))


class TestRefusals:
    def test_more_than_half_of_the_pool(self):
        for n_max in (0, 11):
            with pytest.raises(DataError, match=rf"n_max = {n_max} with 20 solutions .* 1 … 10"):
                replay(pool(), [("lead:2", "majority")], n_max)

    def test_a_window_beyond_n_max(self):
        with pytest.raises(DataError, match="'window:5' draws 5 solutions, n_max is 4"):
            cells(["window:5"], 4, reads=False, where="test")

    def test_unknown_rules_and_numbers(self):
        with pytest.raises(DataError, match=r"unknown stopping rule 'bta:0.9'; known: fixed, beta"):
            cells(["bta:0.9"], 4, reads=False, where="test")
        for rule in ("beta:0.3", "window:2.5", "share:1.2", "lead:0", "posterior:x", "fixed:0"):
            with pytest.raises(StudyError, match=f"stop '{rule}': expected"):
                STOPS[rule]


class TestFitted:
    """What is fitted on training problems, and what is said without them."""

    def test_platt_scaling_recovers_what_the_scores_are_made_with(self):
        rng = np.random.default_rng(0)
        scores = rng.random(60_000)
        chance = 1 / (1 + np.exp(-(0.5 * np.log(scores / (1 - scores)) + 1)))
        slope, intercept = platt(scores, rng.random(60_000) < chance)
        assert slope == pytest.approx(0.5, abs=0.02) and intercept == pytest.approx(1, abs=0.03)

    def test_it_stays_finite(self):
        for scores, correct in (
            (np.array([0.0, 1.0]), np.array([False, True])),
            (np.full(5, 0.5), np.array([True] * 5)),
            (np.array([]), np.array([], dtype=bool)),
        ):
            assert np.isfinite(platt(scores, correct)).all()

    def test_without_training_problems_it_is_said(self):
        data = pool()
        found = fit(None, data)
        assert found.calibration == "not calibrated" and "evaluated problems" in found.distribution
        assert (found.calibrated(data.scores_PS) == data.scores_PS).all()
        trained = fit(data, pool(seed=9))
        assert "training problems" in trained.calibration and "training" in trained.distribution
        assert len(trained.scores) == (data.classes_PS >= 0).sum() and trained.tokens == 22

    @pytest.mark.parametrize("price", [0.0001, 0.004, 0.02, 1.0])
    def test_the_reservation_value_solves_its_equation(self, price):
        z = reservation(FITTED, price)
        assert np.maximum(FITTED.scores - z, 0).mean() == pytest.approx(price * FITTED.tokens)


def test_what_is_replayed_by_default_can_be():
    assert {rule.partition(":")[0] for rule in USUAL} == set(FAMILIES) - {"fixed"}
    assert all(FAMILIES[name].about for name in FAMILIES)
    chosen = cells(USUAL, 10, reads=False, where="test") + cells(USUAL, 10, reads=True, where="test")
    assert len(chosen) == len(set(chosen)) > 50


def test_dense_totals_agree_with_the_two_that_lead():
    data = pool(problems=30)
    seen = Seen(data.classes_PS, np.ones(data.classes_PS.shape), data.scores_PS)
    members_BNC = data.classes_PS[:, :, None] == np.arange(data.classes_PS.max() + 1)
    for race, weights_BN in ((seen.by_count, np.ones(data.classes_PS.shape)), (seen.by_sum, data.scores_PS)):
        ranked = np.sort(np.cumsum(members_BNC * weights_BN[:, :, None], axis=1), axis=2)
        np.testing.assert_allclose(race.first_BN, ranked[:, :, -1], atol=1e-12)
        np.testing.assert_allclose(race.second_BN, ranked[:, :, -2], atol=1e-12)
