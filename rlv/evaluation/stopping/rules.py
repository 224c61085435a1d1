"""Stopping rules: after each solution of a problem, are there enough?

    fixed:n       at n solutions, whatever they are: the baseline
    beta:level    P(the leader beats the second) >= level, under a uniform prior on their split: adaptive
                  consistency (Aggarwal et al. 2023, arXiv 2305.11860), 1 - I_1/2(a + 1, b + 1), votes a >= b
    window:w      a window of w solutions is unanimous: early-stopping self-consistency (Li et al. 2024,
                  arXiv 2401.10480); windows follow each other, so that it draws w at once
    share:t       the leader has a share t of all solutions, two or more (Xue et al. 2023; adaptive
                  consistency's majority criterion)
    lead:m        the leader is m ahead, in votes or, if the vote sums scores, in these: the classical
                  sequential test, which a finer rule has to beat
    posterior:t   the most probable answer has the chance t, by Bayes' rule from calibrated scores
    confident:t   the mean score of the voted answer is at least t: length selection's rule, along n
    pandora:c     the best score is at least the reservation value z at a price c a token, E[(s - z)+] =
                  c E[tokens], s and tokens as on training problems (Weitzman 1979): another sample is not
                  worth its tokens

A rule is a function from what was seen (seen.py) to whether it would stop after each n. Parameters are the
authors' or plain numbers: nothing here is chosen on the problems that are judged, and what is fitted is
fitted on training problems (fitted.py). A new rule is one function, its record, one test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from rlv.evaluation.stopping.fitted import Fitted
from rlv.evaluation.stopping.seen import Seen
from rlv.evaluation.tallies import Bools, Floats
from rlv.families import Family
from rlv.registry import Registry

# Sums of scores in another order differ by rounding.
ROUNDING = 1e-9
# Chances are known to seven digits (bayes.py).
DIGITS = 1e-6


@dataclass(frozen=True)
class Stop:
    """A rule that says after each solution whether there are enough.

    `stops`: from what was seen to stops_BN; it may not look ahead. `votes`: by which the answer is taken,
    each a cell of its own. `reads_scores`: the rule needs a verifier. `needs`: what it takes from training
    problems. `always`: the number at which it stops in any case; `step`: solutions that are drawn at once.
    """

    stops: Callable[[Seen], Bools]
    votes: tuple[str, ...] = ("majority",)
    reads_scores: bool = False
    needs: Literal["", "calibration", "distribution"] = ""
    always: int | None = None
    step: int = 1
    about: str = ""


def fixed(seen: Seen, n: int) -> Bools:
    """After n solutions."""
    return np.broadcast_to(seen.drawn_N >= n, seen.classes_BN.shape)


def beta(seen: Seen, level: float) -> Bools:
    """P(leader beats second) >= level, by the Beta distribution of their split."""
    table = chance_of_lead(seen.classes_BN.shape[1])
    race = seen.by_count
    return table[race.first_BN.astype(np.intp), race.second_BN.astype(np.intp)] >= level


@lru_cache(maxsize=4)
def chance_of_lead(n: int) -> Floats:
    """1 - I_1/2(a + 1, b + 1) for a + b <= n: table[a, b]; 0 elsewhere.

    It is the chance of at most a heads in a + b + 1 tosses of a coin.
    """
    table = np.zeros((n + 1, n + 1))
    chance = np.ones(1)
    for tosses in range(1, n + 2):
        chance = np.convolve(chance, [0.5, 0.5])
        heads = np.arange(tosses)
        table[heads, tosses - 1 - heads] = np.cumsum(chance)[heads]
    table.setflags(write=False)
    return table


def window(seen: Seen, width: int) -> Bools:
    """A whole window of `width` solutions gives one answer."""
    rows, steps = seen.classes_BN.shape
    stops_BN = np.zeros((rows, steps), dtype=bool)
    whole = steps // width * width
    windows_BKW = seen.classes_BN[:, :whole].reshape(rows, -1, width)
    same_BK = (windows_BKW == windows_BKW[:, :, :1]).all(axis=2) & (windows_BKW[:, :, 0] >= 0)
    stops_BN[:, width - 1 : whole : width] = same_BK
    return stops_BN


def share(seen: Seen, least: float) -> Bools:
    """The leader has this share of all solutions; a single one says nothing."""
    return (seen.by_count.first_BN >= least * seen.drawn_N - ROUNDING) & (seen.drawn_N >= 2)


def lead(seen: Seen, margin: float) -> Bools:
    """The leader is ahead of the second by the margin."""
    return seen.by_vote.first_BN - seen.by_vote.second_BN >= margin - ROUNDING


def posterior(seen: Seen, level: float) -> Bools:
    """The most probable answer has this chance."""
    return seen.chance_BN >= level - DIGITS


def confident(seen: Seen, least: float) -> Bools:
    """The mean score of the answer that leads is at least this."""
    race = seen.by_sum
    return (race.first_BN >= least * race.votes_BN - ROUNDING) & (race.votes_BN > 0)


def pandora(seen: Seen, price: float) -> Bools:
    """The best score is worth more than another sample at this price a token."""
    return seen.best_BN >= reservation(seen.fitted, price)


def reservation(fitted: Fitted, price: float) -> float:
    """z with E[(s - z)+] = price x E[tokens], s as on training problems; it may be below 0.

    The left side is piecewise linear in z: between two scores it falls by the share of those above. NaN,
    above which nothing lies, if nobody knows the tokens or there are no scores.
    """
    if fitted.scores is None or not len(fitted.scores):
        return math.nan
    cost = price * fitted.tokens
    falling = fitted.scores[::-1]
    above = np.arange(1, len(falling) + 1)
    # With z at the k-th highest score: the mean of what the k highest are above it.
    gains = (np.cumsum(falling) - above * falling) / len(falling)
    last = int(np.searchsorted(gains, cost, side="right")) - 1
    if last < 0 or math.isnan(cost):
        return math.nan
    return float((np.cumsum(falling)[last] - cost * len(falling)) / above[last])


Rule = Callable[[Seen, float], Bools]


def _bound(rule: Rule, number: float) -> Callable[[Seen], Bools]:
    return lambda seen: rule(seen, number)


def _family(
    rule: Rule,
    about: str,
    *,
    low: float = 0.0,
    high: float = 1.0,
    votes: tuple[str, ...] = ("majority",),
    reads_scores: bool = False,
    needs: Literal["", "calibration", "distribution"] = "",
) -> Family[Stop]:
    """Rules that differ in a number, drawn one by one."""

    def make(number: float) -> Stop:
        return Stop(_bound(rule, number), votes, reads_scores, needs, about=about)

    return Family(make, low=low, high=high, about=about)


def _fixed(number: float) -> Stop:
    n, votes = int(number), ("majority", "weighted_voting", "best_of_n", "log_odds")
    return Stop(lambda seen: fixed(seen, n), votes, always=n, step=n, about=_FIXED)


def _window(number: float) -> Stop:
    width = int(number)
    return Stop(lambda seen: window(seen, width), step=width, about=_WINDOW)


_FIXED = "At n solutions, whatever they are: the baseline."
_WINDOW = "A window of w solutions is unanimous (Li et al. 2024, arXiv 2401.10480)."

FAMILIES: dict[str, Family[Stop]] = {
    "fixed": Family(_fixed, whole=True, about=_FIXED),
    "beta": _family(
        beta,
        "The leader beats the second with this chance, as adaptive consistency (arXiv 2305.11860).",
        low=0.5,
    ),
    "window": Family(_window, low=1, whole=True, about=_WINDOW),
    "share": _family(share, "The leader has this share of the solutions (Xue et al. 2023)."),
    "lead": _family(
        lead,
        "The leader is this far ahead, in votes or sums of scores: the classical sequential test.",
        high=math.inf,
        votes=("majority", "weighted_voting"),
    ),
    "posterior": _family(
        posterior,
        "The most probable answer has this chance, by Bayes' rule from calibrated scores.",
        votes=("log_odds",),
        reads_scores=True,
        needs="calibration",
    ),
    "confident": _family(
        confident,
        "The mean score of the voted answer is at least this, as length selection.",
        votes=("weighted_voting",),
        reads_scores=True,
    ),
    "pandora": _family(
        pandora,
        "The best score is worth more than another sample at this price a token (Weitzman 1979).",
        high=math.inf,
        votes=("best_of_n",),
        reads_scores=True,
        needs="distribution",
    ),
}
STOPS: Registry[Stop] = Registry("rlv.stops", Stop, {}, families=FAMILIES)

# What a study replays if it names no rules.
USUAL = (
    *("beta:0.8", "beta:0.9", "beta:0.95", "beta:0.99", "window:3", "window:5", "window:8"),
    *("share:0.6", "share:0.8", "share:0.9", "lead:1", "lead:2", "lead:3", "lead:4", "lead:6"),
    *("posterior:0.8", "posterior:0.9", "posterior:0.95", "posterior:0.99"),
    *("confident:0.7", "confident:0.8", "confident:0.9", "confident:0.95"),
    *("pandora:0.00003", "pandora:0.0001", "pandora:0.0003", "pandora:0.001"),
)


def usual(n_max: int) -> tuple[str, ...]:
    """The usual rules that n_max solutions are enough for."""
    return tuple(rule for rule in USUAL if STOPS[rule].step <= n_max)
