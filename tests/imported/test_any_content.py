"""Whatever stands in a column: it is read, or one DataError says why not."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlv.errors import DataError
from rlv.imported import DIALECTS, read_samples
from rlv.imported.read import SOLUTIONS
from tests.imported.test_dialects import BODY, QWEN, SAL, lm_eval_row
from tests.imported.writing import lines, same

ROWS = {
    "qwen2.5-math": {**QWEN, "pred_score": [[0.5], [0.25], [1.0]]},
    "search-and-learn": SAL,
    "lm-eval": lm_eval_row(1, ["a 1"], ["1"], exact_match=1.0),
    "rewardmath": {"problem": "q", "solution_reference": ["human_to_GPT-4", "x"], "score": [0.5, 0.25]},
    "rewardmath-bon": {
        "problem": "q",
        "answer": "5",
        "output": {"solution": ["a"], "answer": ["5"]},
        "score": [0.5],
    },
    "trl": {
        "step": 1,
        "prompt": [{"role": "user", "content": "q"}],
        "completion": [{"role": "assistant", "content": "a"}],
        "reward": 0.5,
        "advantage": 0.5,
    },
    "verl": {"input": "q", "output": "a", "gts": "1", "score": 0.5, "step": 1, "pred": "1"},
    "openai": {"custom_id": "p", "response": {"status_code": 200, "body": BODY}, "answer": "2"},
    "vllm": {
        "prompt": "q",
        "answer": "1",
        "outputs": [{"text": "a", "token_ids": [1], "finish_reason": "stop"}],
    },
    "plain": {
        **{"problem_id": "p", "question": "q", "answer": "1", "text": "a", "predicted": "1", "correct": True},
        **{
            "n_tokens": 5,
            "n_prompt_tokens": 6,
            "finish_reason": "stop",
            "score": 0.5,
            "sample_id": 0,
            "level": 1,
        },
    },
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=5),
    st.sampled_from(["1", "nan", "", "true", "[invalid]"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["content", "role", "text", "message", "a"]), inner, max_size=2),
    ),
    max_leaves=6,
)


def test_all_formats_are_here():
    assert set(ROWS) == set(DIALECTS) - {"rlv"}  # whose tables have types


@pytest.mark.parametrize("name", ROWS)
def test_the_row_is_read_as_it_is(tmp_path, name):
    references = lines(tmp_path / "p.jsonl", [{"id": "p", "question": "q", "answer": "1"}])
    assert read_samples(lines(tmp_path / "s.jsonl", [ROWS[name]]), problems=references).dialect == name


@pytest.mark.parametrize("name", ROWS)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_column(tmp_path, name, data):
    rows = []
    for _ in range(data.draw(st.integers(1, 3))):
        changes = data.draw(st.dictionaries(st.sampled_from(sorted(ROWS[name])), VALUES, max_size=2))
        rows.append({**ROWS[name], **changes})
    path = lines(tmp_path / "s.jsonl", rows)
    references = lines(tmp_path / "p.jsonl", [{"id": "p", "question": "q", "answer": "1"}])
    scale = {"score": "rank"} if data.draw(st.booleans()) else None
    try:
        found = read_samples(path, problems=references, dialect=name, scale=scale)
    except DataError as error:
        assert len(str(error)) < 4000
        return
    assert found.solutions.schema == SOLUTIONS
    keys = found.solutions.select("problem_id", "sample_id")
    assert not keys.is_duplicated().any()
    assert set(found.solutions["problem_id"]) == set(found.problems["problem_id"])
    for table in found.scores.values():
        assert table["score"].is_between(0, 1).all()
        assert table.join(keys, ["problem_id", "sample_id"], "anti").is_empty()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(["text", "question", "answer", "a.b", ""]), VALUES), max_size=4)
)
def test_any_rows(tmp_path, rows):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(rows))
    try:
        read_samples(path, mapping={"text": "text"})
    except DataError as error:
        assert str(path) in str(error) or "--map" in str(error)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".parquet", ""]))
def test_any_bytes(tmp_path, content, suffix):
    path = tmp_path / f"s{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_samples(path)


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"lm-eval"}))  # whose Parquet no project writes
def test_parquet_holds_what_json_holds(tmp_path, name):
    references = lines(tmp_path / "p.jsonl", [{"id": "p", "question": "q", "answer": "1"}])
    parquet = tmp_path / "s.parquet"
    pl.DataFrame([ROWS[name]]).write_parquet(parquet)
    found = [
        read_samples(path, problems=references)
        for path in (lines(tmp_path / "s.jsonl", [ROWS[name]]), parquet)
    ]
    assert same(*found)
