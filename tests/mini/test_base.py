"""The shipped bases: true to their recipes, loadable by plain transformers, remade bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlv.errors import StoreError
from rlv.mini.ship import BASE, COMMANDS, HABITS, WEIGHTS, ship
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Artifact, Store, file_digest

ROOT = Path(__file__).parents[2]


BASES = [
    (BASE, "slips-base", "Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17"),
    (HABITS, "mini-base", "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"),
]


@pytest.mark.parametrize(("folder", "study", "question"), BASES)
def test_weights_are_those_of_the_recipe(monkeypatch, folder, study, question):
    monkeypatch.chdir(ROOT)
    recipe = json.loads((folder / "recipe.json").read_text())
    assert file_digest(folder / WEIGHTS) == recipe["sha256"][WEIGHTS]
    assert (folder / WEIGHTS).stat().st_size <= 3_000_000
    assert build_plan(load(study)).models[folder.name].key == recipe["key"]
    assert recipe["command"] == COMMANDS[folder.name] == f"make {study}"


@pytest.mark.parametrize(("folder", "study", "question"), BASES)
def test_plain_transformers_loads_it_and_it_solves_problems(folder, study, question):
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rlv.prompts import solver_ids

    torch.set_num_threads(1)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    assert model.num_parameters() < 1_500_000
    ids = torch.tensor([solver_ids(tokenizer, question, "plain")])
    written = model.generate(ids, do_sample=False, max_new_tokens=80)[0, ids.shape[1] :]
    words = tokenizer.decode(written, skip_special_tokens=True).split()
    assert words[0] == "Try" and words[-2] == "Answer" and 1 <= int(words[-1]) <= 9


def test_only_bases_of_the_package_are_shipped(tmp_path):
    stranger = Artifact("pretrain", "base_of_mine", 1, {})
    with pytest.raises(StoreError, match=r"pretraining\.base_of_mine.*base_habits"):
        ship(stranger, Store(tmp_path))


def test_text_survives_the_tokenizer(tiny_tokenizer):
    text = "Find x from 1 to 9 : ( x + 3 ) ( x + 6 ) = 1 mod 17"
    assert tiny_tokenizer.decode(tiny_tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_same_recipe_gives_the_same_bits(tmp_path):
    from rlv.mini.pretrain import PretrainConfig, pretrain
    from rlv.mini.solver import Solver

    config = PretrainConfig(
        steps=3,
        batch=8,
        learning_rate=1e-3,
        warmup_steps=2,
        layers=1,
        width=16,
        heads=2,
        intermediate=32,
        product_share=0.2,
        seed=0,
        solver=Solver(),
    )
    for name in ("one", "two"):
        assert pretrain(config, tmp_path / name, lambda _: None) > 0
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "two" / WEIGHTS).read_bytes()
