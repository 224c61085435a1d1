"""The entry `verification` of config.json: kept by transformers, and refused if it is damaged or newer."""

from __future__ import annotations

import copy
import json

import pytest
from transformers import AutoConfig

from rlv.errors import ModelError
from rlv.models import load_model
from rlv.models.completeness import require_complete
from rlv.models.verification import FORMAT, KEY, describe, read_entry, require_fits
from rlv.prompts import LABELS, label_ids, verification_ids
from tests.tokenizers_for_tests import FAMILIES, family_tokenizer

ASKED = {"prompt_style": "plain", "system_prompt": None, "answer_format": "marker"}


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    """The tiny model with an entry, as transformers writes it."""
    entry = describe(tiny_tokenizer, objective="generative", coefficient=0.1, instructed=True, **ASKED)
    model = copy.copy(tiny_model)
    model.config = copy.deepcopy(tiny_model.config)
    setattr(model.config, KEY, entry.as_json())
    model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_transformers_keeps_it_and_readers_do_not_mind(folder, tmp_path, tiny_tokenizer):
    entry = read_entry(folder)
    assert entry is not None and entry.objective == "generative" and entry.coefficient == 0.1
    AutoConfig.from_pretrained(folder).save_pretrained(tmp_path / "again")
    assert read_entry(tmp_path / "again") == entry
    require_complete(folder)
    model, tokenizer = load_model(folder)
    assert getattr(model.config, KEY) == entry.as_json()
    model.save_pretrained(tmp_path / "third")
    assert read_entry(tmp_path / "third") == entry
    require_fits(entry, tokenizer, folder)
    assert entry.labels is not None
    assert [(label.text, label.id) for label in entry.labels] == list(
        zip(LABELS, label_ids(tiny_tokenizer), strict=True)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_its_tokens_are_all_between_a_solution_and_the_label(family):
    tokenizer = family_tokenizer(family)
    asked = {**ASKED, "prompt_style": "chat"}
    entry = describe(tokenizer, objective="generative", coefficient=1.0, instructed=True, **asked)
    assert list(entry.instruction_ids or ()) == verification_ids(tokenizer, "chat")


def test_a_head_and_a_model_that_is_not_trained_to_verify_have_no_words(tiny_tokenizer):
    for objective, coefficient in ((None, 0.0), ("bce", 0.5)):
        entry = describe(
            tiny_tokenizer, objective=objective, coefficient=coefficient, instructed=False, **ASKED
        )
        assert (entry.instruction, entry.instruction_ids, entry.labels) == (None, None, None)
        assert entry.solution_end_id == tiny_tokenizer.eos_token_id


def test_older_checkpoints_and_those_of_others_have_none(folder):
    edit(folder, lambda config: config.pop(KEY))
    assert read_entry(folder) is None
    edit(folder, lambda config: config.update({KEY: None}))
    assert read_entry(folder) is None


def test_a_newer_format_is_named_and_what_to_do(folder):
    edit(folder, lambda config: config[KEY].update(format=FORMAT + 1, more="things"))
    with pytest.raises(ModelError, match=rf"verification.format is {FORMAT + 1}.*install a newer"):
        read_entry(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda e: e.pop("prompt_style"), "prompt_style"),
        (lambda e: e.update(coefficient="lots"), "coefficient"),
        (lambda e: e.update(coefficient=-1.0), "coefficient"),
        (lambda e: e.update(coefficient=float("nan")), "coefficient"),
        (lambda e: e.update(labels=[{"text": "Yes", "id": 1}]), "labels"),
        (lambda e: e.update(labels=None), "together"),
        (lambda e: e.update(objective=None), "without an objective"),
        (lambda e: e.update(instruction_ids=[1, "2"]), "instruction_ids"),
        (lambda e: e.update(format=True), "format"),
        (lambda e: e.update(format=0), "format"),
        (lambda e: e.update(code="x"), "code"),
    ],
)
def test_a_damaged_entry_is_named(folder, change, named):
    edit(folder, lambda config: change(config[KEY]))
    with pytest.raises(ModelError, match=rf"config.json: verification.*{named}"):
        read_entry(folder)


@pytest.mark.parametrize("value", [3, "yes", [], [[]], True])
def test_an_entry_of_another_type_is_named(folder, value):
    edit(folder, lambda config: config.update({KEY: value}))
    with pytest.raises(ModelError, match="verification is damaged"):
        read_entry(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda e: e.update(instruction="Right?"), "instruction is"),
        (lambda e: e["instruction_ids"].append(3), "instruction_ids is"),
        (lambda e: e["labels"][0].update(id=3), "labels is"),
    ],
)
def test_an_entry_of_another_tokenizer_is_refused(folder, tiny_tokenizer, change, named):
    edit(folder, lambda config: change(config[KEY]))
    entry = read_entry(folder)
    assert entry is not None
    with pytest.raises(ModelError, match=named):
        require_fits(entry, tiny_tokenizer, folder)
