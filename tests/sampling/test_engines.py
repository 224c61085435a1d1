"""Engines by name, where vLLM is not installed (tests/vllm has what it does where it is)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from safetensors.torch import load_file, save_file

from rlv.errors import ModelError
from rlv.models.headers import WEIGHTS
from rlv.sampling import Request, SamplingParams
from rlv.sampling.engines import open_engine, open_rollout_engine, open_vllm
from rlv.study.types import Training
from rlv.training.run import Run


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    tiny_model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_the_transformers_engine_by_its_name(folder, tiny_model) -> None:
    from rlv.models.flops import shape_of

    with open_engine("transformers", folder, threads=1, max_batch=4) as opened:
        solution = opened.engine.sample([Request("p", 0, (4, 5), 1)], SamplingParams(max_tokens=3))[0]
    assert opened.shape == shape_of(tiny_model)
    assert 1 <= len(solution.token_ids) <= 3


@pytest.mark.parametrize("opening", [open_engine, open_vllm])
def test_an_unknown_engine_is_refused(folder, opening) -> None:
    with (
        pytest.raises(ModelError, match="no engine named 'sglang'"),
        opening("sglang", folder, threads=1, max_batch=4),
    ):
        pass


def test_an_engine_that_is_not_installed_says_where_it_is(
    folder, tiny_model, tiny_tokenizer, monkeypatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = pytest.raises(ModelError, match=r"'vllm' is not installed .*envs/README\.md")
    with expected, open_engine("vllm", folder, threads=1, max_batch=4):
        pass
    config = Run.of(engine="vllm")
    with expected, open_rollout_engine(tiny_model, tiny_tokenizer, folder, config.training, config.threads):
        pass


def test_training_samples_with_its_own_module(folder, tiny_model, tiny_tokenizer) -> None:
    with open_rollout_engine(tiny_model, tiny_tokenizer, folder, Training(max_batch=4), 1) as engine:
        assert vars(engine)["model"] is tiny_model


def test_nothing_heavy_is_imported_for_a_name() -> None:
    heavy = "{'torch', 'transformers', 'vllm'}"
    code = f"import sys, rlv.sampling.engines; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vllm_opens_no_incomplete_checkpoint(folder, monkeypatch) -> None:
    """It would go on with random numbers, or none, for some architectures. Nothing of it is asked before."""
    monkeypatch.setattr("rlv.sampling.vllm_start.require_vllm", lambda: None)
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.norm.weight"]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    for opening in (open_engine, open_vllm):
        with (
            pytest.raises(ModelError, match=r"1 missing \(model\.norm\.weight\)"),
            opening("vllm", folder, threads=1, max_batch=4),
        ):
            pass
