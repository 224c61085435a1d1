"""Whose keys and values a verifier may use: only those of what it wrote itself, after the same words."""

from __future__ import annotations

import pytest

from rlv.scoring.own import reads_its_own
from rlv.store import Artifact

PLAIN = {"prompt_style": "plain"}
MODEL, OTHER = (Artifact("train", "a", 1, {"seed": seed}) for seed in (0, 1))
SAMPLED = Artifact("sample", "a-test", 1, PLAIN | {"seed": 0}, {"model": MODEL})
CUT = Artifact("force", "a-test", 1, PLAIN | {"budgets": [8]}, {"model": MODEL, "samples": SAMPLED})
THEIRS = Artifact("imported", "a-test", 1, {"n": 4})


def scored(samples: Artifact, model: Artifact | None, params: dict) -> Artifact:
    inputs = {"samples": samples} if model is None else {"samples": samples, "model": model}
    return Artifact("score", "a-test-v", 1, params, inputs)


@pytest.mark.parametrize("samples", [SAMPLED, CUT])
def test_the_reasoner_that_wrote_them_reads_its_own(samples):
    assert reads_its_own(scored(samples, MODEL, PLAIN))
    # By another name it is the same, if all that makes it is.
    assert reads_its_own(scored(samples, Artifact("train", "copy", 1, {"seed": 0}), PLAIN))
    assert not reads_its_own(scored(samples, OTHER, PLAIN))
    assert not reads_its_own(scored(samples, MODEL, {"prompt_style": "chat"}))
    assert not reads_its_own(scored(samples, MODEL, PLAIN | {"system_prompt": "Think."}))


def test_solutions_of_others_are_nobody_s_own():
    assert not reads_its_own(scored(THEIRS, MODEL, PLAIN))


def test_without_a_model_nothing_is_read():
    assert not reads_its_own(scored(SAMPLED, None, {"score": "brevity"}))
