"""What a study may ask of vLLM is known when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Loads the mini study, without its controls, with some lines changed."""
    monkeypatch.chdir(ROOT)
    return lambda text: load(overlay(tmp_path, "name: mine\n" + text, "plain"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "verifiers: {head: {score: bce, engine: vllm}}",
            ["verifiers.head.engine", "generative, judge", "'bce'", "'transformers' gives it"],
        ),
        ("sampling: {engine: vllm, temperature: 2.5}", ["sampling.temperature", "0.01 to 2.0", "2.5"]),
        ("training: {engine: vllm, temperature: 0.001}", ["reasoners.grpo.training.temperature", "0.001"]),
    ],
)
def test_what_vllm_cannot_do_is_refused(study, text, words) -> None:
    with pytest.raises(StudyError) as refused:
        study(text)
    assert all(word in str(refused.value) for word in words)


def test_an_engine_decides_the_key_of_what_it_makes_and_the_gpus_do_not(study) -> None:
    engines = "training: {engine: vllm}\nsampling: {engine: vllm%s}\nverifiers: {unified: {engine: vllm}}\n"
    plans = [build_plan(study(text)) for text in ("", engines % "", engines % ", tensor_parallel: 2")]
    usual, vllm, parallel = ({a.path for a in plan.artifacts.values()} for plan in plans)
    assert vllm == parallel
    shared = {path.split("/")[0] for path in usual & vllm}
    assert {"model", "problems"} <= shared and not shared & {"train", "sample", "score", "evaluate"}
