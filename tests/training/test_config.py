"""Settings out of range are refused by name."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("advantage", "gpro", "'gpro' is unknown; known: grpo, leave_one_out, vineppo"),
        ("step_rule", "page", "'page' is unknown; known: try, sentence"),
        ("verification_objective", "rank", "'rank' is unknown; known: generative, bce, regression"),
        ("continuations", 0, "0 is out of range"),
        ("solutions_per_problem", 1, "1 is out of range"),
        ("clip_low", 1.0, "1.0 is out of range"),
        ("kl_coefficient", -0.1, "-0.1 is out of range"),
    ],
)
def test_out_of_range(key, value, message):
    with pytest.raises(StudyError, match=f"^{key}: {message}"):
        TrainingConfig(**{key: value})
