"""Models of a study: keys that a source needs, and settings that models and engines cannot follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlv.errors import StudyError
from rlv.plan.reading import load
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
SIZES = (
    "{num_hidden_layers: 2, hidden_size: 48, num_attention_heads: 12, num_key_value_heads: 2, "
    "intermediate_size: 64, vocab_size: 99, tie_word_embeddings: true, max_position_embeddings: 64}"
)
COMMIT = "a" * 40


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    ("model", "key", "words"),
    [
        ("{source: hub, path: null}", "models.base.repo", "owner/name"),
        ("{source: hub, path: null, repo: a/b}", "models.base.revision", "a branch moves"),
        ("{source: hub, path: null, repo: a/b, revision: main}", "models.base.revision", "pattern"),
        (f"{{source: hub, repo: a/b, revision: {COMMIT}}}", "models.base.path", "leave it out"),
        ("{source: local, path: null}", "models.base.path", "its folder"),
        ("{source: local, path: none/here}", "models.base.path", "no such folder"),
        ("{source: local, path: $RLV_NOT_THERE/x}", "models.base.path", "RLV_NOT_THERE"),
        ("{source: local, path: config}", "models.base.path", "no weights in safetensors"),
        ("{source: gguf, path: a.gguf}", "models.base.package", "name==version"),
        ("{source: gguf, path: null, package: a==1}", "models.base.path", "GGUF file inside"),
        ("{source: gguf, path: a.gguf, package: 'a>=1'}", "models.base.package", "'a>=1'"),
        ("{repo: a/b}", "models.base.repo", "leave it out"),
    ],
)
def test_a_source_says_what_it_needs(tmp_path, model, key, words):
    with pytest.raises(StudyError) as error:
        load(overlay(tmp_path, f"models: {{base: {model}}}"))
    assert key in str(error.value) and words in str(error.value)


HUB = f"{{source: hub, path: null, repo: a/b, revision: {COMMIT}, architecture: {SIZES}"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("sampling: {tensor_parallel: 2}", "sampling.tensor_parallel", "only vllm"),
        (
            f"models: {{base: {HUB}, sampling: {{engine: vllm, tensor_parallel: 5, max_tokens: 48}}}}}}",
            "models.base.sampling.tensor_parallel",
            "12 attention heads",
        ),
        (
            "models: {base: {system_prompt: Be brief.}}",
            "models.base.system_prompt",
            "in style 'plain', which has no system prompt",
        ),
        ("training: {max_tokens: 256}", "training.max_tokens", "256 positions of model 'base'"),
        (
            "reasoners: {grpo: {training: {max_tokens: 300}}}",
            "reasoners.grpo.training.max_tokens",
            "256 positions",
        ),
        ("sampling: {max_tokens: 400}", "sampling.max_tokens", "256 positions"),
        (
            f"models: {{base: {HUB}, sampling: {{max_tokens: 64}}}}}}",
            "models.base.sampling.max_tokens",
            "64 positions",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_key(tmp_path, text, key, words):
    with pytest.raises(StudyError) as error:
        load(overlay(tmp_path, text, "plain"))
    assert f": {key}: " in str(error.value) and words in str(error.value)


def test_models_of_the_hub_need_nothing_to_be_planned(tmp_path):
    from rlv.plan import build_plan

    plan = build_plan(load(overlay(tmp_path, f"models: {{base: {HUB}}}}}\nsampling: {{max_tokens: 48}}")))
    model = next(a for a in plan.artifacts.values() if a.stage == "model")
    assert model.params == {"repo": "a/b", "revision": COMMIT}
