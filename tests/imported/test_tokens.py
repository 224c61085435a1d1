"""Tokens of solutions whose number no file states, counted by the tokenizer of a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.imported.tokens import with_tokens

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base"
TEXTS = ["Try 1 1 2 2 10 no", "Answer 3", "", "Answer 3"]


def solutions(texts, counts):
    return pl.DataFrame(
        {"problem_id": [f"p{i}" for i in range(len(texts))], "text": texts, "n_tokens": counts},
        schema={"problem_id": pl.String, "text": pl.String, "n_tokens": pl.Int32},
    )


def test_counts_are_those_of_the_tokenizer_without_special_tokens(tiny_tokenizer):
    found = with_tokens(solutions(TEXTS, [None] * 4), BASE)
    expected = [len(tiny_tokenizer.encode(text, add_special_tokens=False)) for text in TEXTS]
    assert found["n_tokens"].to_list() == expected == [7, 2, 0, 2]
    assert found.schema == solutions([], []).schema and found["problem_id"].to_list() == [
        "p0",
        "p1",
        "p2",
        "p3",
    ]


def test_a_token_that_begins_every_text_is_not_counted(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    begins = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    first = begins.id_to_token(0)
    begins.post_processor = TemplateProcessing(single=f"{first} $A", special_tokens=[(first, 0)])  # pyright: ignore
    begins.save(str(tmp_path / "tokenizer.json"))
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((BASE / name).read_bytes())
    assert len(begins.encode("Answer 3").ids) == 3
    assert with_tokens(solutions(["Answer 3"], [None]), tmp_path)["n_tokens"].to_list() == [2]


def test_what_is_stated_stays_and_solutions_without_text_have_no_count():
    found = with_tokens(solutions(["Answer 3", "Answer 3", None], [99, None, None]), BASE)
    assert found["n_tokens"].to_list() == [99, 2, None]


@pytest.mark.parametrize("table", [solutions(["a", None], [4, None]), solutions([], [])])
def test_without_anything_to_count_no_folder_is_looked_at(table):
    assert with_tokens(table, Path("/nowhere")) is table


def test_a_folder_that_has_no_tokenizer_is_named(tmp_path):
    table = solutions(["x"], [None])
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        with_tokens(table, tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"{tmp_path}: no tokenizer that can be read"):
        with_tokens(table, tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "\\u001b[2J"}}')
    (tmp_path / "tokenizer_config.json").write_text("[" * 10_000)
    with pytest.raises(DataError, match="no tokenizer that can be read") as refused:
        with_tokens(table, tmp_path)
    assert len(str(refused.value)) < 600


def test_a_tokenizer_runs_no_code_of_its_folder(tmp_path):
    for file in BASE.iterdir():
        if file.name.startswith("tokenizer.") or file.name == "config.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "Wicked", "auto_map": {"AutoTokenizer": ["wicked.Wicked", "wicked.Wicked"]}}'
    )
    (tmp_path / "wicked.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Wicked: ...\n")
    try:
        assert with_tokens(solutions(["Answer 3"], [None]), tmp_path)["n_tokens"].to_list() == [2]
    except DataError as refused:
        assert str(tmp_path) in str(refused)
    assert not (tmp_path / "ran").exists()


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DataError, match=r'needs transformers.*pip install "rlv\[train\]"'):
        with_tokens(solutions(["x"], [None]), BASE)
