"""Folders of models: what is refused, with which words, before any weight is read."""

from __future__ import annotations

import json

import pytest

from rlv.errors import ModelError
from rlv.models import load_model
from rlv.models.folders import complaint
from rlv.models.headers import INDEX


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    tiny_model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    return tmp_path


def edit_config(folder, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_a_sound_folder_is_loaded(folder, tiny_model):
    assert complaint(folder) is None
    model, _ = load_model(folder)
    assert model.num_parameters() == tiny_model.num_parameters()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth"])
def test_pickled_weights_are_refused_with_the_reason(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(ModelError, match=rf"pickled \({name}\).*convert them to safetensors"):
        load_model(folder)


def test_pickled_weights_beside_safetensors_are_never_read(folder):
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    load_model(folder)


def test_code_of_the_models_own_is_never_run(folder):
    (folder / "modeling_own.py").write_text("raise SystemExit('this ran')")
    edit_config(folder, model_type="own", auto_map={"AutoModelForCausalLM": "modeling_own.Own"})
    with pytest.raises(ModelError, match=r"auto_map asks for code .*modeling_own\.Own.*never"):
        load_model(folder)


def test_a_missing_shard_or_configuration_is_named(folder):
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}}))
    assert "model-00001-of-00002.safetensors, which is not there" in str(complaint(folder))
    (folder / INDEX).write_text("{")
    assert "not an index" in str(complaint(folder))
    (folder / "config.json").unlink()
    assert "config.json: missing" in str(complaint(folder))
    assert "no such folder" in str(complaint(folder / "none"))


DEEP = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize(
    "name", ["generation_config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"]
)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DEEP, "nested too deeply"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "nested too deeply"),  # which is parsed, but not copied
        ("[]", "found a list"),
        ("{", "Expecting"),
    ],
    ids=["endless", "deep", "list", "broken"],
)
def test_json_that_transformers_cannot_read_is_refused(folder, name, text, words):
    assert complaint(folder) is None
    (folder / name).write_text(text)
    found = str(complaint(folder))
    assert str(folder / name) in found and words in found
    with pytest.raises(ModelError, match=words):
        load_model(folder)


def test_other_json_in_a_models_folder_is_not_read(folder):
    (folder / "results.json").write_text(DEEP)
    assert complaint(folder) is None
    load_model(folder)
