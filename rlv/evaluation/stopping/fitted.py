"""What stopping rules take from training problems: calibrated scores, and how scores are distributed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlv.evaluation.recorded import Recorded
from rlv.evaluation.tallies import Floats
from rlv.logistic import logit, regression, sigmoid


@dataclass(frozen=True)
class Fitted:
    """What is known of a verifier's scores before the problems that are judged.

    `slope`, `intercept`: of the log odds of a calibrated score (Platt 1999). `scores`: of solutions that
    vote, ascending; `tokens`: mean of a solution, generated and read; NaN if nobody knows. `source`: of
    both, for people.
    """

    slope: float = 1.0
    intercept: float = 0.0
    scores: Floats | None = None
    tokens: float = float("nan")
    calibration: str = "not calibrated"
    distribution: str = ""

    def calibrated(self, scores: Floats) -> Floats:
        """The chance of being right that a score stands for."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return scores
        return sigmoid(self.slope * logit(scores) + self.intercept)


def fit(training: Recorded | None, evaluated: Recorded) -> Fitted:
    """What solutions of training problems say; without any, scores stay as they are, and it is said so.

    The distribution of scores is then that of the evaluated problems, which `distribution` says aloud.
    """
    known = evaluated if training is None else training
    if known.scores_PS is None:
        return Fitted()
    votes_PS = known.classes_PS >= 0
    scores = np.sort(known.scores_PS[votes_PS])
    read = 0.0 if known.read_PS is None else known.read_PS
    tokens = float((known.tokens_PS + read).mean())
    if training is None:
        return Fitted(scores=scores, tokens=tokens, distribution="chosen on the evaluated problems")
    slope, intercept = platt(known.scores_PS[votes_PS], known.correct_PS[votes_PS])
    of = f"on {len(scores):,} solutions of training problems"
    said = f"Platt scaling {of}: slope {slope:.2f}, intercept {intercept:+.2f}"
    return Fitted(slope, intercept, scores, tokens, said, f"distribution of scores {of}")


def platt(scores: Floats, correct: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of P(right) = sigmoid(slope ln(s / (1 - s)) + intercept), by maximum likelihood.

    With Platt's targets in place of 0 and 1, (N+ + 1) / (N+ + 2) and 1 / (N- + 2), which keep it finite if
    scores separate right from wrong (Platt 1999, section 2.2). Without solutions: 1 and 0.
    """
    if not len(scores):
        return 1.0, 0.0
    right = int(correct.sum())
    target = np.where(correct, (right + 1) / (right + 2), 1 / (len(scores) - right + 2))
    design_S2 = np.stack([logit(scores), np.ones(len(scores))], axis=1)
    # A little ridge, for scores that are all equal.
    slope, intercept = regression(design_S2, target, ridge=1e-6)
    return float(slope), float(intercept)
