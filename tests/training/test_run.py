"""A run's settings: their ranges, and which of them decide what is learned."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rlv.study.types import Role, Training, Verification
from rlv.training.run import Run

ALL = {
    "advantage": "vineppo",
    "step_rule": "try",
    "continuations": 9,
    "valued_steps": 3,
    "verification_coefficient": 0.3,
    "verification_objective": "bce",
    "verification_weight_bound": 2.0,
    "schedule": "linear",
    "warmup_share": 0.1,
    "betas": [0.9, 0.999],
    "dual_clip": 3.0,
    "kl_coefficient": 0.1,
    "kl_clamp": 10.0,
    "temperature": 0.6,
    "prompt_style": "chat",
    "system_prompt": "Be brief.",
    "answer_format": "boxed",
    "engine": "vllm",
    "dtype": "bfloat16",
    "ranks": 4,
    "zero_stage": 2,
    "threads": 2,
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("steps", 0), ("problems_per_step", 0), ("solutions_per_problem", 1), ("epochs", 0)],
        *[("continuations", 0), ("valued_steps", 0), ("clip_low", 1.0), ("clip_high", 0.0)],
        *[("dual_clip", 1.0), ("kl_coefficient", -0.1), ("kl_clamp", 0.0), ("warmup_share", 1.5)],
        *[("betas", (0.9, 1.0)), ("learning_rate", 0.0), ("temperature", 0.0), ("gradient_clip", 0.0)],
        *[("verification_coefficient", -1.0), ("verification_weight_bound", 0.5), ("step_rule", "page")],
        *[("engine", "tensorflow"), ("dtype", "float16"), ("schedule", "step"), ("zero_stage", 4)],
        *[("ranks", 0), ("max_batch", 0), ("prompt_style", "shout"), ("stepz", 3)],
    ],
)
def test_values_out_of_range_are_refused_by_name(key, value):
    with pytest.raises(ValidationError) as caught:
        Run.of(**{key: value})
    assert any(key.removeprefix("verification_") in error["loc"] for error in caught.value.errors())


@pytest.mark.parametrize(
    ("key", "changes", "words"),
    [
        ("minibatches", {"minibatches": 129}, "129 of 128 solutions a step"),
        ("top_p", {"top_p": 0.9}, "found 0.9; it must be 1: rollouts would come from a part"),
        ("nodes", {"nodes": 3}, "3 nodes cannot have equally many of 1 ranks"),
        ("offload", {"offload": True}, "zero_stage 0; 1, 2 or 3 would do"),
    ],
)
def test_settings_that_do_not_fit_one_another_are_named(key, changes, words):
    ((found, message),) = Training(**changes).faults(sampled=True)
    assert found == key and words in message
    # Recorded solutions are neither sampled nor divided into batches by these settings.
    assert bool(list(Training(**changes).faults(sampled=False))) == (key in ("nodes", "offload"))


def test_settings_side_by_side_are_the_run():
    run = Run.of(**ALL)
    assert ALL.items() <= run.settings().items()
    assert Run.of(**run.settings()) == run and run.but() == run
    names = {*Training.model_fields, *Run.model_fields} - {"training", "verification"}
    assert run.settings().keys() == names | {f"verification_{name}" for name in Verification.model_fields}


def test_what_decides_the_weights_and_how_they_are_computed_are_the_run():
    run = Run.of(**ALL)
    assert Run.of(**run.deciding(recorded=False), **run.how(), threads=2) == run
    assert Run.of(**Run().deciding(recorded=False), **Run().how()) == Run()


@pytest.mark.parametrize(
    ("changes", "recorded", "unread"),
    [
        ({}, False, {"warmup_steps"}),
        ({"warmup_share": None}, False, {"warmup_share"}),
        ({"advantage": "grpo"}, False, {"warmup_steps", "continuations", "valued_steps", "step_rule"}),
        ({"kl_coefficient": 0.0}, False, {"warmup_steps", "kl_clamp"}),
        (
            {"verification_coefficient": 0.0},
            False,
            {"warmup_steps", "verification_objective", "verification_weight_bound"},
        ),
        (
            {},
            True,
            {"warmup_steps", "advantage", "step_rule", *Training.having(Role.SAMPLED)},
        ),
    ],
)
def test_settings_that_a_run_does_not_read_decide_nothing(changes, recorded, unread):
    run = Run.of(**ALL | changes)
    how = {*Training.having(Role.HOW), "threads"}
    assert run.settings().keys() - run.deciding(recorded=recorded).keys() == unread | how
    assert how.isdisjoint(run.identity())


def test_younger_settings_are_part_of_what_a_run_is_if_they_decide_something():
    young = {*Training.having(Role.YOUNG), *Run.having(Role.YOUNG)}
    assert young.isdisjoint(Run().identity()) and young <= Run.of(**ALL).identity().keys()
    assert "betas" in Run().identity() and "betas" not in Run().deciding(recorded=False)
