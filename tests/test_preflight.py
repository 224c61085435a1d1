"""What is refused before anything runs: engines, sizes, words and lengths, each with its key path."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from pathlib import Path

import pytest
from huggingface_hub import constants

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.preflight import complaints, require
from rlv.run import make
from rlv.store import Store
from rlv.study import load

ROOT = Path(__file__).parents[1]
SIZES = """{num_hidden_layers: 28, hidden_size: 3584, num_attention_heads: 28, num_key_value_heads: 4,
  intermediate_size: 18944, vocab_size: 152064, tie_word_embeddings: false, max_position_embeddings: 4096}"""
HUB = f"{{source: hub, path: null, repo: a/b, revision: {'a' * 40}, architecture: {SIZES}}}"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    """A start model of the user's, with 256 positions and a chat template."""
    place = tmp_path / "model"
    tiny_model.save_pretrained(place)
    tiny_tokenizer.save_pretrained(place)
    template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    (place / "chat_template.jinja").write_text(template)
    return place


def found(tmp_path, text: str, gpu: str | None = None) -> list[str]:
    (tmp_path / "mini.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    path = tmp_path / "mine.yaml"
    path.write_text("extends: mini\n" + textwrap.dedent(text))
    return list(complaints(build_plan(load(str(path))), Store(tmp_path / "store"), gpu))


def own(folder, **more) -> str:
    return f"models: {{base: {json.dumps({'source': 'local', 'path': str(folder), **more})}}}\n"


def test_the_mini_study_is_sound(tmp_path):
    require(build_plan(load("mini")), Store(tmp_path), "RTX-3090")


def test_a_style_without_its_template_names_the_key_behind_it(tmp_path, folder):
    (folder / "chat_template.jinja").unlink()
    said = found(tmp_path, own(folder, prompt_style="chat"))
    assert said and all("models.base.prompt_style" in line and "chat template" in line for line in said)
    said = found(tmp_path, own(folder) + "datasets: {test: {prompt_style: chat}}")
    assert said and all("datasets.test.prompt_style" in line for line in said)


def test_yes_and_no_must_be_one_token_where_a_verifier_reads(tmp_path, folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = json.dumps(tokenizer).replace('"Yes"', '"Yea"')
    (folder / "tokenizer.json").write_text(vocabulary)
    said = " ".join(found(tmp_path, own(folder)))
    assert "verifiers.unified: " in said and "reasoners.grpo_v.verification: " in said
    # A reasoner that is trained without verification reads no label.
    assert "reasoners.grpo.verification" not in said


def test_prompt_and_budget_must_fit_the_positions(tmp_path, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 64}))
    said = " ".join(found(tmp_path, own(folder)))
    assert "training.max_tokens: the longest prompt of 'train'" in said
    assert "sampling.max_tokens: the longest prompt of 'test'" in said and "has 64" in said
    text = own(folder) + "reasoners: {grpo: {training: {max_tokens: 60}}}\ntraining: {max_tokens: 8}\n"
    said = " ".join(found(tmp_path, text + "sampling: {max_tokens: 8}\nfigures: null\nclaims: null"))
    assert "reasoners.grpo.training.max_tokens: " in said and "sampling.max_tokens" not in said


def test_budgets_count_with_their_forced_answer(tmp_path, folder):
    config = json.loads((folder / "config.json").read_text())
    lengths = "lengths: {datasets: [test], comparisons: [grpo], budgets: [10, 40], answer_tokens: 230}\n"
    lengths += "figures: {sequential_parallel: {}}\n"
    said = found(tmp_path, own(folder) + lengths)
    assert said and all(x.startswith("lengths.budgets: the longest prompt of 'test'") for x in said)
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1000}))
    assert not found(tmp_path, own(folder) + lengths)


def test_an_engine_that_is_not_installed_is_named_by_key(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "vllm" else real(name))
    text = "sampling: {engine: vllm}\nverifiers: {unified: {engine: vllm}}\ntraining: {engine: vllm}"
    keys = {line.split(":")[0] for line in found(tmp_path, text)}
    assert keys == {"sampling.engine", "verifiers.unified.engine", "training.engine"}


def test_a_model_too_large_for_the_gpu_is_refused_with_what_helps(tmp_path):
    text = f"models: {{base: {HUB}}}\ntraining: {{max_tokens: 1024, tokens_per_microbatch: 4096}}"
    assert not found(tmp_path, text)
    said = found(tmp_path, text, "L4")
    trained = next(line for line in said if line.startswith("train/grpo_v-"))
    for words in ("GiB on each GPU", "L4 has", "offload: true", "zero_stage", "gradient_checkpointing"):
        assert words in trained
    with pytest.raises(StudyError, match=r"known: .*H200"):
        found(tmp_path, text, "abacus")


def test_without_a_network_what_is_not_in_the_cache_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = found(tmp_path, f"name: mine\nmodels: {{base: {HUB}}}")
    assert len(said) == 1 and "rlv fetch mine" in said[0] and "models.base.path" in said[0]


def test_what_is_published_is_not_looked_at_again(tmp_path, folder, monkeypatch):
    plan, store = build_plan(load("mini")), Store(tmp_path / "store")
    for artifact in plan.artifacts.values():
        if artifact.stage not in ("problems", "model"):
            with store.publishing(artifact):
                pass
        else:
            make(artifact, store, log=lambda line: None)
    monkeypatch.setattr("rlv.preflight._model_prompts", lambda *_: pytest.fail("read a tokenizer"))
    assert list(complaints(plan, store, "L4")) == []
