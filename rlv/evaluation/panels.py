"""Several verifiers' scores of one solution as one score: PANELS maps the name in a study to a record.

    scores_PSV  float in [0, 1], NaN where a verifier gave none; V verifiers of S solutions of P problems
    -> panel_PS float in [0, 1], NaN where none of them gave one

A verifier without a score of a solution leaves it to the others. Most panels know nothing but the scores;
`label_model` may be told the share of right solutions of training problems, and `stacked` and `best_member`
learn from training problems which scores go with right solutions. To add one: a function, its record in
PANELS, a test (docs/extending.md).
Left out: which verifiers, and what they cost (rlv/evaluation/panelled.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rlv.evaluation.label_model import FEWEST, label_model
from rlv.evaluation.stacking import best_member, logistic, predicted
from rlv.evaluation.tallies import Bools, Floats, Ints, places
from rlv.logistic import logit, sigmoid
from rlv.registry import Registry


@dataclass(frozen=True)
class Tuned:
    """Solutions of training problems: which are right, their classes, and the members' scores of them.

    Axes as above, of other problems; `scores_PSV` is None for a panel that does not learn from scores.
    """

    correct_PS: Bools
    classes_PS: Ints
    scores_PSV: Floats | None = None

    @property
    def balance(self) -> float:
        """The share of right solutions."""
        return float(self.correct_PS.mean())

    @property
    def scores(self) -> Floats:
        """The members' scores. Raises ValueError without any."""
        if self.scores_PSV is None:
            raise ValueError("this panel learns from its members' scores on training problems; give them")
        return self.scores_PSV


@dataclass(frozen=True)
class Panel:
    """A way from several scores of a solution to one.

    `combine`: from scores_PSV, and what is known of training problems or None, to panel_PS. `learns`:
    "nothing"; "balance", the share of right solutions there if a study has training problems; "scores", from
    the members' scores there, without which it cannot be. `fewest`: members. `about`: in one sentence.
    """

    combine: Callable[[Floats, Tuned | None], Floats]
    learns: Literal["nothing", "balance", "scores"] = "nothing"
    fewest: int = 2
    about: str = ""


def silent(scores_PSV: Floats) -> Bools:
    """Which solutions no member gave a score, silent_PS."""
    return np.asarray(np.isnan(scores_PSV).all(axis=-1))


def over_members(function: Callable[[Floats], Floats]) -> Callable[[Floats, Tuned | None], Floats]:
    """A panel by a function that reduces the last axis and skips NaN; NaN if a solution has no score."""

    def combined(scores_PSV: Floats, tuned: Tuned | None = None) -> Floats:
        silent_PS = silent(scores_PSV)
        # No warning about an empty mean: the number is replaced.
        said_PSV = np.where(np.expand_dims(silent_PS, -1), 0.0, scores_PSV)
        return np.where(silent_PS, np.nan, function(said_PSV))

    return combined


def _mean(scores_PSV: Floats) -> Floats:
    return np.asarray(np.nanmean(scores_PSV, axis=-1))


def _approvals(scores_PSV: Floats) -> Floats:
    """The share of members above 1/2; a member at 1/2 approves by half."""
    return _mean(np.where(np.isnan(scores_PSV), np.nan, (np.sign(scores_PSV - 0.5) + 1) / 2))


def _majority(scores_PSV: Floats) -> Floats:
    return (np.sign(_approvals(scores_PSV) - 0.5) + 1) / 2


def _log_odds(scores_PSV: Floats) -> Floats:
    return sigmoid(_mean(logit(scores_PSV)))


def ranks(scores_PSV: Floats) -> Floats:
    """The share of a problem's other solutions that a member scores lower, equal ones by half: ranks_PSV.

    1/2 if a member scored no other solution of the problem.
    """
    known_PSV = ~np.isnan(scores_PSV)
    others_PV = known_PSV.sum(axis=1) - 1
    ranked = []
    for scores_PS, others_P in zip(np.moveaxis(scores_PSV, -1, 0), others_PV.T, strict=True):
        # What a member did not score lies below all that it did, and counts for nobody.
        above_PS, equal_PS = places(np.where(np.isnan(scores_PS), -np.inf, scores_PS))
        lower_PS = others_P[:, None] + 1 - above_PS - equal_PS + (equal_PS - 1) / 2
        shares_PS = lower_PS / np.maximum(others_P, 1)[:, None]
        ranked.append(np.where(others_P[:, None] > 0, shares_PS, 0.5))
    return np.where(known_PSV, np.stack(ranked, axis=-1), np.nan)


def _mean_rank(scores_PSV: Floats, tuned: Tuned | None = None) -> Floats:
    return over_members(_mean)(ranks(scores_PSV), None)


def _label_model(scores_PSV: Floats, tuned: Tuned | None = None) -> Floats:
    return label_model(scores_PSV, None if tuned is None else tuned.balance)


def _stacked(scores_PSV: Floats, tuned: Tuned | None) -> Floats:
    known = _required(tuned)
    return predicted(scores_PSV, logistic(known.scores, known.correct_PS))


def _best_member(scores_PSV: Floats, tuned: Tuned | None) -> Floats:
    known = _required(tuned)
    return scores_PSV[..., best_member(known.scores, known.correct_PS, known.classes_PS)]


def _required(tuned: Tuned | None) -> Tuned:
    if tuned is None:
        raise ValueError("this panel learns from training problems; give solutions of them with scores")
    return tuned


PANELS: Registry[Panel] = Registry(
    "rlv.panels",
    Panel,
    {
        "mean": Panel(over_members(_mean), about="The mean of the members' scores."),
        "median": Panel(
            over_members(lambda scores: np.nanmedian(scores, axis=-1)),
            about="The median of the members' scores.",
        ),
        "min": Panel(
            over_members(lambda scores: np.nanmin(scores, axis=-1)),
            about="The lowest of the members' scores.",
        ),
        "majority": Panel(over_members(_majority), about="1 if most members score above 1/2, else 0."),
        "approvals": Panel(
            over_members(_approvals),
            about="The share of members above 1/2: multi-agent verification (Lifshitz et al. 2025).",
        ),
        "log_odds": Panel(over_members(_log_odds), about="The mean of the members' log odds."),
        "mean_rank": Panel(
            _mean_rank, about="The mean rank among the solutions of a problem, whatever the members' scales."
        ),
        "label_model": Panel(
            _label_model,
            learns="balance",
            fewest=FEWEST,
            about="Weights from where members agree, without labels: Weaver (Saad-Falcon et al. 2025).",
        ),
        "stacked": Panel(
            _stacked,
            learns="scores",
            about="A logistic regression on training problems: the supervised upper line.",
        ),
        "best_member": Panel(
            _best_member,
            learns="scores",
            about="The member whose best of 8 is right most on training problems.",
        ),
    },
)
