"""How much two files differ is told in numbers that a brute-force comparison finds too."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from rlv.provenance.amounts import amount, table_amount

NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(NUMBERS, st.data())
def test_rows_and_the_largest_difference_of_a_column(values, data):
    others = data.draw(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=len(values), max_size=len(values)))
    frames = [
        pl.DataFrame({"x": v, "same": range(len(v))}, schema_overrides={"x": pl.Float64})
        for v in (values, others)
    ]
    differ = [(a, b) for a, b in zip(values, others, strict=True) if a != b]
    said = table_amount(*frames)
    if not differ:
        assert said == ""
        return
    assert said.startswith(f"x in {len(differ)} of {len(values)} rows")
    gaps = [abs(a - b) for a, b in zip(values, others, strict=True) if a is not None and b is not None]
    assert ("by up to" in said) == bool(gaps)
    if gaps:
        assert said.endswith(f"by up to {max(gaps):.3g}")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1, 2]}, "rows"),
        ({"b": [1]}, "gone"),
        ({"a": ["1"]}, "a is String, it was Int64"),
        ({"a": [1], "b": [1]}, r"['b'] are new"),
    ],
)
def test_tables_of_another_shape(columns, said):
    assert said in table_amount(pl.DataFrame({"a": [1]}), pl.DataFrame(columns))


def test_measured_columns_are_left_out(tmp_path):
    frame = pl.DataFrame({"step": [1], "reward": [0.5], "seconds_sample": [1.0], "seconds_update": [1.0]})
    paths = []
    for name, change in (("one", {}), ("two", {"seconds_sample": [2.0]}), ("three", {"reward": [0.75]})):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "steps.parquet")
        frame.with_columns(*(pl.Series(k, v) for k, v in change.items())).write_parquet(paths[-1])
    assert amount(paths[0], paths[1]) == ""
    assert amount(paths[0], paths[2]) == "reward in 1 of 1 rows, by up to 0.25"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_weights(tmp_path, dtype):
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(3, 4, generator=generator).to(dtype) for name in ("a", "b")}
    moved = {**weights, "b": weights["b"].clone()}
    moved["b"][1, 2] += 0.5
    paths = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for path, tensors in zip(paths, (weights, moved), strict=True):
        save_file(tensors, path)
    gap = (weights["b"].double() - moved["b"].double()).abs().max().item()
    assert amount(*paths) == f"1 of 2 tensors, by up to {gap:.3g} (b)"
    assert amount(paths[0], paths[0]) == ""
    save_file({"a": weights["a"]}, paths[1])
    assert amount(*paths) == "other tensors, types or shapes"


def test_json_text_and_bytes(tmp_path):
    pairs = {
        "config.json": (json.dumps({"a": 1, "b": 2}), json.dumps({"a": 1, "b": 3}), "b"),
        "page.html": ("x\ny\nz", "x\nY\nz\nw", "2 of 4 lines"),
        "picture.png": ("abc", "abcd", "4 bytes, there were 3, and not the same"),
        "broken.parquet": ("abc", "abcd", "4 bytes, there were 3, and not the same"),
        "broken.safetensors": ("abc", "abcd", "4 bytes, there were 3, and not the same"),
    }
    for name, (one, two, said) in pairs.items():
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "two").mkdir(exist_ok=True)
        (tmp_path / "one" / name).write_text(one)
        (tmp_path / "two" / name).write_text(two)
        assert amount(tmp_path / "one" / name, tmp_path / "two" / name) == said


def test_the_figures_own_numbers_are_compared(tmp_path):
    for name, values in (("one", [0.5, 0.25]), ("two", [0.5, 0.375])):
        (tmp_path / name).mkdir()
        frame = pl.DataFrame({"n": [1, 2], "accuracy": np.array(values)})
        frame.write_csv(tmp_path / name / "figure.csv")
    said = amount(tmp_path / "one" / "figure.csv", tmp_path / "two" / "figure.csv")
    assert said == "accuracy in 1 of 2 rows, by up to 0.125"
