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
        ("valued_steps", 0, "0 is out of range; it must be above 0, or null"),
        ("dual_clip", 1.0, "1.0 is out of range; it must be above 1, or null"),
        ("kl_clamp", 0.0, "0.0 is out of range; it must be above 0, or null"),
        ("top_p", 0.9, "0.9 is out of range; it must be 1: rollouts would come from a part"),
        ("engine", "tensorflow", "'tensorflow' is unknown; known: transformers, vllm"),
        ("dtype", "float16", "'float16' is unknown; known: float32, bfloat16"),
        ("schedule", "step", "'step' is unknown; known: constant, linear, cosine"),
        ("warmup_share", 1.5, "1.5 is out of range"),
        ("betas", (0.9, 1.0), ".0.9, 1.0. is out of range"),
        ("zero_stage", 4, "4 is unknown; known: 0, 1, 2, 3"),
        ("ranks", 0, "0 is out of range"),
        ("nodes", 3, "3 do not divide ranks: 1"),
        ("offload", True, "true needs zero_stage 1, 2 or 3"),
    ],
)
def test_out_of_range(key, value, message):
    with pytest.raises(StudyError, match=f"^{key}: {message}"):
        TrainingConfig(**{key: value})
