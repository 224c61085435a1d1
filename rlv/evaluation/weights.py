"""Votes that weigh scores in another way: families of votes, each with a parameter in its name.

    softmax:T      exp(s / T): CISC (Taubenfeld et al. 2025, arXiv 2502.06233); T -> 0 is the best of N,
                   T -> inf majority voting
    rank:p         (N - rank)^p, rank 0 the best of all N: the Borda vote of self-certainty (Kang et al.
                   2025); p = 0 is majority voting, p -> inf the best of N
    top:eta        s of the best eta N solutions, else 0: DeepConf's filter (Fu et al. 2025, arXiv
                   2508.15260); eta = 1 is weighted voting, 1 / N the best of N
    power:p        s^p; p = 0 is majority voting, 1 weighted voting
    log_odds       ln(s / (1 - s)) + ln(answers - 1): what Bayes' rule makes of calibrated scores if all wrong
                   answers are alike; no parameter, or log_odds:b for another constant than the last term
    pessimistic:a  not a weight: the mean score of a class less a ln N / (N_c + 1), N_c its votes
                   (Heimdall: Shi & Jin 2025, arXiv 2504.10337); a = 0 is the best mean, a -> inf majority
                   voting

Axes as in votes.py. A weight is of one solution, the class with the highest sum wins, and ties share the
credit. Solutions without an answer keep their rank and their place among the best, and cast no vote.
Solutions of equal scores get equal weights, whatever their order: their mean rank. A parameter is chosen on
training problems (`softmax:fit`, one of `grid`); on those that a vote is judged on it flatters itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from rlv.evaluation.tallies import (
    Bools,
    Floats,
    Ints,
    Vote,
    leaders,
    mean_share,
    places,
    required,
    tally,
    weighted_credit,
)
from rlv.families import Family
from rlv.logistic import logit

# From scores_PN, which solutions vote, and the parameter to weights_PN.
Weight = Callable[[Floats, Ints, float], Floats]


def softmax(scores_PN: Floats, classes_PN: Ints, temperature: float) -> Floats:
    """exp(s / T), scaled so that the best vote of a problem weighs 1."""
    return np.exp(np.minimum(scores_PN - _best(scores_PN, classes_PN), 0.0) / temperature)


def _best(scores_PN: Floats, classes_PN: Ints) -> Floats:
    """The highest score of a problem's votes, best_P1; 0 without a vote."""
    return np.where(classes_PN >= 0, scores_PN, 0.0).max(axis=1, keepdims=True, initial=0.0)


def rank(scores_PN: Floats, classes_PN: Ints, power: float) -> Floats:
    """((N - rank) / N)^p, ranks from 0, the best; equal scores share their mean rank."""
    above_PN, equal_PN = places(scores_PN)
    size = scores_PN.shape[1]
    return ((size - above_PN - (equal_PN - 1) / 2) / size) ** power


def top(scores_PN: Floats, classes_PN: Ints, share: float) -> Floats:
    """s of the best ceil(eta N) solutions of a problem, else 0; those that tie at the end share the places.

    DeepConf's code keeps all that tie there, which of scores with few values may be everything.
    """
    best = max(math.ceil(share * scores_PN.shape[1] - 1e-9), 1)
    above_PN, equal_PN = places(scores_PN)
    return scores_PN * np.clip((best - above_PN) / equal_PN, 0.0, 1.0)


def power(scores_PN: Floats, classes_PN: Ints, exponent: float) -> Floats:
    """s^p, scaled so that the best vote of a problem weighs 1: high powers vanish otherwise; 0^0 is 1."""
    best_P1 = _best(scores_PN, classes_PN)
    return np.minimum(scores_PN / np.where(best_P1 > 0, best_P1, 1.0), 1.0) ** exponent


def log_odds(scores_PN: Floats, classes_PN: Ints, constant: float) -> Floats:
    """ln(s / (1 - s)) + b; with b NaN ln(answers - 1), of the different answers of the problem."""
    logits_PN = logit(scores_PN)
    if not math.isnan(constant):
        return logits_PN + constant
    answers_P1 = (tally(classes_PN) > 0).sum(axis=1, keepdims=True)
    return logits_PN + np.log(np.maximum(answers_P1 - 1, 1))


def pessimistic(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None, *, parameter: float) -> Floats:
    """The class with the highest mean score less a ln N / (N_c + 1): credit_P."""
    scores_PN = required(scores_PN)
    counts_PC, sums_PC = tally(classes_PN), tally(classes_PN, scores_PN)
    means_PC = np.divide(sums_PC, counts_PC, out=np.zeros_like(sums_PC), where=counts_PC > 0)
    values_PC = means_PC - parameter * math.log(scores_PN.shape[1]) / (counts_PC + 1)
    first_PC = leaders(values_PC, counts_PC, np.abs(values_PC))
    return mean_share(tally(classes_PN, correct_PN), counts_PC, first_PC)


def _weighted(
    classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None, *, weight: Weight, parameter: float
) -> Floats:
    weights_PN = weight(required(scores_PN), classes_PN, parameter)
    return weighted_credit(classes_PN, correct_PN, weights_PN)[0]


def by_weight(weight: Weight) -> Callable[[float], Vote]:
    """From a parameter to the vote with these weights."""
    return lambda number: Vote(partial(_weighted, weight=weight, parameter=number), reads_scores=True)


def _undecided(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None) -> Floats:
    """Of a vote whose number is not chosen yet."""
    raise ValueError("the number of this vote is chosen on training problems; count the vote that was chosen")


UNFITTED = Vote(_undecided, reads_scores=True)

FAMILIES: dict[str, Family[Vote]] = {
    "softmax": Family(
        by_weight(softmax),
        grid=(3, 1, 0.3, 0.1, 0.03, 0.01),
        unfitted=UNFITTED,
        about="The sum of exp(score / T), as CISC.",
    ),
    "rank": Family(
        by_weight(rank),
        above=False,
        grid=(0, 0.5, 1, 2, 4, 8),
        unfitted=UNFITTED,
        about="The sum of (N - rank)^p, a Borda vote.",
    ),
    "top": Family(
        by_weight(top),
        high=1.0,
        grid=(1, 0.75, 0.5, 0.25, 0.1),
        unfitted=UNFITTED,
        about="Weighted voting of the best share of the solutions, as DeepConf.",
    ),
    "power": Family(
        by_weight(power), above=False, grid=(1, 2, 4, 8, 16), unfitted=UNFITTED, about="The sum of score^p."
    ),
    "log_odds": Family(
        by_weight(log_odds),
        low=-math.inf,
        default=math.nan,
        grid=(3, 2, 1, 0.5, 0),
        unfitted=UNFITTED,
        about="The sum of log odds, as Bayes' rule has it.",
    ),
    "pessimistic": Family(
        lambda a: Vote(partial(pessimistic, parameter=a), reads_scores=True),
        above=False,
        grid=(2, 1, 0.5, 0.2, 0.1),
        unfitted=UNFITTED,
        about="The mean score of a class less a ln N / (votes + 1), as Heimdall.",
    ),
}
