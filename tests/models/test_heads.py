"""Heads: their own closed form, where they lie in a checkpoint, and what is refused."""

from __future__ import annotations

import copy
import re

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from rlv.errors import ModelError
from rlv.models import heads
from rlv.models.heads import VerificationHead
from rlv.store import Artifact, Store
from tests.unsealed import unseal


def head_of(objective: str, hidden_size: int = 32) -> VerificationHead:
    head = VerificationHead(objective, hidden_size)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        head.weight.copy_(torch.randn(hidden_size, generator=generator))
        head.bias.copy_(torch.randn(1, generator=generator))
    return head


def test_a_new_head_cannot_tell():
    outputs_B1 = VerificationHead("regression", 32, 0.5)(torch.randn(4, 32))
    assert outputs_B1.tolist() == [[0.5]] * 4


def test_a_head_is_a_linear_map_in_float32():
    head = head_of("bce")
    hidden_BH = torch.randn(3, 32)
    expected = [sum(h * w for h, w in zip(row, head.weight, strict=True)) + head.bias[0] for row in hidden_BH]
    torch.testing.assert_close(head(hidden_BH)[:, 0], torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert head(hidden_BH.bfloat16()).dtype == torch.float32


def test_saved_and_loaded(tmp_path):
    head = head_of("regression")
    heads.save(head, tmp_path)
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.safetensors")] == [
        "head/verification.safetensors"
    ]
    loaded = heads.load(tmp_path, "regression", 32)
    assert loaded.objective == "regression"
    assert torch.equal(loaded.weight, head.weight) and torch.equal(loaded.bias, head.bias)


def test_a_checkpoint_with_a_head_is_a_plain_causal_language_model(tiny_model, tmp_path):
    tiny_model.save_pretrained(tmp_path)
    heads.save(head_of("bce"), tmp_path)
    loaded, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    ids = torch.arange(5, 20)[None]
    with torch.no_grad():
        assert torch.equal(loaded.eval()(ids).logits, copy.deepcopy(tiny_model)(ids).logits)


def test_a_store_publishes_and_verifies_the_head(tmp_path):
    store, artifact = Store(tmp_path / "store"), Artifact("train", "run", 1, {})
    with store.publishing(artifact) as publication:
        heads.save(head_of("bce"), publication.path)
    assert list(store.manifest(artifact)["files"]) == [heads.FILE.as_posix()]
    assert heads.load(store.open_all(artifact), "bce", 32).objective == "bce"
    path = unseal(store.location(artifact)) / heads.FILE
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert "its content differs" in store.problems_of(artifact)[0]


def refused(folder, objective, hidden_size, *words):
    with pytest.raises(ModelError, match=re.escape(str(folder / heads.FILE))) as error:
        heads.load(folder, objective, hidden_size)
    assert all(word in str(error.value) for word in words), error.value


def test_what_does_not_fit_is_named(tmp_path):
    refused(tmp_path, "bce", 32, "no verification head", "'bce'")
    heads.save(head_of("bce"), tmp_path)
    refused(tmp_path, "regression", 32, "objective 'bce'", "needs 'regression'", "would do")
    refused(tmp_path, "bce", 64, "(32,)", "(64,)", "hidden size 64")
    save_file({"weight": torch.zeros(32)}, tmp_path / heads.FILE)
    refused(tmp_path, "bce", 32, "objective None")
    (tmp_path / heads.FILE).write_bytes(b"not safetensors")
    refused(tmp_path, "bce", 32, "not readable")
