"""The figure attacks: its cells are the table's, and its caption names the worst attack of each verifier."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.attacks import applying
from rlv.errors import DataError
from rlv.figures import attacks as figure
from rlv.figures import style

READERS = [("test", "grpo_v", "unified"), ("test", "grpo", "judge"), ("hard", "grpo", "judge")]


def table(names, readers=READERS, seed=0):
    rng, rows = np.random.default_rng(seed), []
    for dataset, reasoner, verifier in readers:
        for attack in names:
            columns = [name for name, kind in tables.SCHEMAS["attacks"].items() if kind == pl.Float64()]
            numbers = {name: float(rng.random()) for name in columns}
            named = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier, "attack": attack}
            about = {"problems": 100, "baseline": attack == "wrong", "captures_n": 16}
            rows.append({**numbers, **named, **about, "threshold_from": "tuning"})
    return {"attacks": tables.frame("attacks", rows)}


def params(*datasets):
    return {"figure": "attacks", "datasets": list(datasets)}


@pytest.mark.parametrize("names", [["empty", "key:colon", "claim", "wrong"], applying("mini")])
def test_it_is_drawn_at_any_width_and_every_cell_is_the_tables(names, tmp_path):
    given = table(names)
    drawn = figure.data(given, params())
    assert drawn.equals(given["attacks"])
    picture = figure.draw(drawn)
    for axes, column in zip(picture.axes, ("accepted", "accepted_95", "captures"), strict=True):
        said = [text.get_text() for text in axes.texts]
        assert said == [f"{100 * value:.0f}" for value in drawn[column]]
    style.save(picture, tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 0


def test_an_attack_that_could_not_be_made_is_an_empty_cell():
    given = table(["empty", "claim"])["attacks"]
    drawn = given.filter(~((pl.col("attack") == "claim") & (pl.col("dataset") == "hard")))
    picture = figure.draw(drawn.with_columns(accepted_95=pl.lit(None, pl.Float64)))
    assert [len(axes.texts) for axes in picture.axes] == [5, 0, 5]


def test_the_caption_names_the_worst_attack_but_no_baseline():
    drawn = figure.data(table(["empty", "key:colon", "claim", "wrong"]), params("test"))
    assert set(drawn["dataset"]) == {"test"}
    said = figure.caption(drawn)
    for _, reasoner, verifier in READERS[:2]:
        mine = drawn.filter(~pl.col("baseline"), reasoner=reasoner, verifier=verifier)
        worst = mine.sort("accepted").row(-1, named=True)
        assert f"``{verifier}`` on ``{reasoner}``, ``test``: ``{worst['attack']}``" in said
    assert "1 has words in this tokenizer: colon" in said and "on training problems" in said
    assert "None of the ten master keys" in figure.caption(drawn.filter(attack="claim"))


def test_without_rows_there_is_no_figure():
    with pytest.raises(DataError, match=r"figure attacks: no attacks on ood"):
        figure.data(table(["empty"]), params("ood"))
