"""Every format, in a file as its own project writes it, beside what is in it by hand."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.imported import DIALECTS, read_samples
from tests.imported.writing import lines, scores, solutions

QWEN = {
    "idx": 7,
    "question": "1+1?",
    "gt_cot": "It is 2.",
    "gt": "2",
    "level": "Level 3",
    "type": "Algebra",
    "code": ["so \\boxed{2}", "hm", "so \\boxed{3}"],
    "pred": ["2", "", "3"],
    "report": ["Done", "Done", "Done"],
    "score": [True, False, False],
}


def test_qwen_math(tmp_path):
    path = lines(tmp_path / "test_cot_-1_seed0_t0.7_s0_e-1.jsonl", [QWEN])
    found = read_samples(path)
    assert found.dialect == "qwen2.5-math"
    assert found.problems.rows() == [("7", "1+1?", "2", 3, "Algebra")]
    assert solutions(found, "text", "answer", "correct") == [
        ("7", 0, "so \\boxed{2}", "2", True),
        ("7", 1, "hm", None, False),
        ("7", 2, "so \\boxed{3}", "3", False),
    ]
    assert found.scores == {}
    assert found.mapping["correct"] == "score"


def test_qwen_math_with_scores_of_a_reward_model(tmp_path):
    row = {**QWEN, "pred_score": [[1.5], [-2.0], [0.25]]}
    path = lines(tmp_path / "math_cot_100.jsonl", [row])
    found = read_samples(path, scale={"pred_score": "rank"})
    assert scores(found) == {"pred_score": [("7", 0, 1.0), ("7", 1, 1 / 3), ("7", 2, 2 / 3)]}
    with pytest.raises(DataError, match=r"line 1: pred_score is 1.5.*-2 to 1.5.*--scale pred_score=rank"):
        read_samples(path)


SAL = {
    "problem": "2+2?",
    "solution": "4, clearly",
    "answer": "4",
    "subject": "Counting",
    "level": 1,
    "unique_id": "test/a.json",
    "completions": ["It is 4", "It is 5"],
    "scores": [[0.5, 0.25, 0.75], [0.5, 0.125]],
    "pred": "It is 4",
    "completion_tokens": [3, 4],
    "agg_scores": [0.75, 0.125],
    "pred_weighted@1": "\\boxed{4}",
}


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [(None, 0.75, 0.125), ("min", 0.25, 0.125), ("mean", 0.5, 0.3125), ("prod", 0.09375, 0.0625)],
)
def test_search_and_learn(tmp_path, how, first, second):
    path = lines(tmp_path / "best_of_n_completions.jsonl", [SAL])
    found = read_samples(path, mapping=None if how is None else {"score": f"scores:{how}"})
    assert found.dialect == "search-and-learn"
    assert found.problems.rows() == [("test/a.json", "2+2?", "4", 1, "Counting")]
    assert solutions(found, "text", "n_tokens") == [
        ("test/a.json", 0, "It is 4", 3),
        ("test/a.json", 1, "It is 5", 4),
    ]
    assert scores(found) == {"scores": [("test/a.json", 0, first), ("test/a.json", 1, second)]}
    assert f"scores: scores of steps become one by {how or 'last'!r}" in found.notes


def test_one_reward_model_under_several_aggregations(tmp_path):
    path = lines(tmp_path / "c.jsonl", [SAL])
    found = read_samples(path, mapping={"score": "scores:min,scores:prod"})
    assert {name: table["score"].to_list() for name, table in found.scores.items()} == {
        "scores:min": [0.25, 0.125],
        "scores:prod": [0.09375, 0.0625],
    }


def test_search_and_learn_with_one_count_of_tokens(tmp_path):
    """As its beam search writes it."""
    found = read_samples(lines(tmp_path / "c.jsonl", [{**SAL, "completion_tokens": -1}]))
    assert found.solutions["n_tokens"].to_list() == [None, None]
    assert any("completion_tokens is one value for all solutions of 1 rows" in note for note in found.notes)


def lm_eval_row(doc_id: int, responses: list[str], filtered: list, **more) -> dict:
    return {
        "doc_id": doc_id,
        "doc": {"question": f"question {doc_id}", "answer": f"thus <<1+1=2>>\n#### {doc_id}"},
        "target": f"thus <<1+1=2>>\n#### {doc_id}",
        "arguments": {"gen_args_0": {"arg_0": f"Q: question {doc_id}\nA:", "arg_1": {"until": ["Q:"]}}},
        "resps": [responses],
        "filtered_resps": filtered,
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "doc_hash": f"hash-{doc_id}",
        "prompt_hash": "p",
        "target_hash": "t",
        **more,
    }


def test_lm_eval_rows_without_a_filter_beside_those_of_one(tmp_path):
    rows = [
        lm_eval_row(1, ["so 1. #### 1"], ["1"], exact_match=1.0),
        lm_eval_row(1, ["so 1. #### 1"], ["2"], exact_match=0.0, filter=None),
    ]
    found = read_samples(lines(tmp_path / "samples_gsm8k.jsonl", rows))
    assert solutions(found, "answer", "correct") == [("hash-1", 0, "1", True)]
    assert any("1 rows repeat the solutions under other filters (without a name)" in n for n in found.notes)


def test_lm_eval_with_two_filters(tmp_path):
    rows = [
        lm_eval_row(1, ["so 1. #### 1"], ["1"], exact_match=1.0),
        lm_eval_row(2, ["so 3."], ["[invalid]"], exact_match=0.0),
        lm_eval_row(1, ["so 1. #### 1"], ["1"], exact_match=1.0, filter="flexible-extract"),
        lm_eval_row(2, ["so 3."], ["3"], exact_match=0.0, filter="flexible-extract"),
    ]
    path = lines(tmp_path / "samples_gsm8k_2025-01-01T00-00-00.jsonl", rows)
    found = read_samples(path)
    assert found.dialect == "lm-eval"
    assert found.problems.rows() == [
        ("hash-1", "question 1", "1", None, None),
        ("hash-2", "question 2", "2", None, None),
    ]
    assert solutions(found, "text", "answer", "correct") == [
        ("hash-1", 0, "so 1. #### 1", "1", True),
        ("hash-2", 0, "so 3.", None, False),
    ]
    assert any("2 rows repeat the solutions under other filters (flexible-extract)" in n for n in found.notes)
    assert any("(--dialect lm-eval:flexible-extract)" in note for note in found.notes)
    other = read_samples(path, dialect="lm-eval:flexible-extract")
    assert [answer for *_, answer in solutions(other, "answer")] == ["1", "3"]
    with pytest.raises(DataError, match="no such filter; the file has strict-match, flexible-extract"):
        read_samples(path, dialect="lm-eval:none")
    for name in ("lm-eval:", "verl:x", "x"):
        with pytest.raises(DataError, match=f"--dialect {name}: expected one of"):
            read_samples(path, dialect=name)


def test_lm_eval_with_repeats(tmp_path):
    """The metric is that of the vote, so it is of none of the solutions."""
    path = lines(tmp_path / "s.jsonl", [lm_eval_row(1, ["a 1", "b 2"], ["1"], exact_match=1.0)])
    found = read_samples(path)
    assert solutions(found, "text", "answer", "correct") == [
        ("hash-1", 0, "a 1", None, None),
        ("hash-1", 1, "b 2", None, None),
    ]
    each = lines(tmp_path / "t.jsonl", [lm_eval_row(1, ["a 1", "b 2"], [["1", "2"]], exact_match=1.0)])
    assert read_samples(each).solutions["answer"].to_list() == ["1", "2"]


def test_lm_eval_likelihoods_are_no_solutions(tmp_path):
    row = lm_eval_row(1, [], [["-1.5", "False"]], resps=[[["-1.5", "False"]], [["-2.5", "True"]]], acc=1.0)
    with pytest.raises(DataError, match=r"likelihoods of choices.*generate_until"):
        read_samples(lines(tmp_path / "s.jsonl", [row]))


@pytest.mark.parametrize("steps", [False, True])
def test_rewardmath(tmp_path, steps):
    values = [[0.5, 0.25], [0.125, 1.0]] if steps else [0.25, 0.125]
    row = {"problem": "q", "solution_reference": ["human_to_GPT-4", "google/gemma-7b-it"], "score": values}
    path = tmp_path / "ArmoRM_reward.json"
    path.write_text(f"[{lines(tmp_path / 'x', [row]).read_text()}]")
    if steps:
        with pytest.raises(DataError, match=r"row 1: score has a list.*--map score=score:last"):
            read_samples(path)
    found = read_samples(path, mapping={"score": "score:min"} if steps else None)
    assert found.dialect == "rewardmath"
    assert found.problems["question"].to_list() == ["q"]
    assert found.problems["answer"].to_list() == [None]
    assert found.solutions["correct"].to_list() == [True, False]
    assert found.solutions["text"].to_list() == [None, None]
    assert found.scores["score"]["score"].to_list() == [0.25, 0.125]


def test_rewardmath_pairs(tmp_path):
    row = {"problem": "q", "solution_reference": ["a"], "score": ["A"], "chosen_position": ["A"]}
    with pytest.raises(DataError, match="judgements of pairs"):
        read_samples(lines(tmp_path / "x.jsonl", [row]))


def test_rewardmath_best_of_n(tmp_path):
    row = {
        "problem": "q",
        "answer": "5",
        "data_source": "MATH",
        "output": {"solution": ["so 5", "so 6"], "answer": ["5", "6"]},
        "score": [0.5, 0.75],
    }
    found = read_samples(lines(tmp_path / "x.jsonl", [row]))
    assert found.dialect == "rewardmath-bon"
    assert found.problems["answer"].to_list() == ["5"]
    assert [row[2:] for row in solutions(found, "text", "answer")] == [("so 5", "5"), ("so 6", "6")]
    assert found.scores["score"]["score"].to_list() == [0.5, 0.75]


TRL = {
    "step": [5, 5, 5],
    "prompt": ["1+1?", "1+1?", "2+2?"],
    "completion": ["two", "three", "four"],
    "accuracy_reward": [1.0, 0.0, 1.0],
    "format_reward": [0.5, None, 0.25],
    "advantage": [0.7, -0.7, 0.0],
}


def conversational(frame: pl.DataFrame) -> pl.DataFrame:
    def said(role: str, text: str) -> list[dict]:
        return [{"role": role, "content": text}]

    return frame.with_columns(
        prompt=pl.Series([said("system", "Think.") + said("user", p) for p in frame["prompt"]]),
        completion=pl.Series([said("assistant", c) for c in frame["completion"]]),
    )


@pytest.mark.parametrize("change", [lambda frame: frame, conversational])
def test_trl(tmp_path, change):
    path = tmp_path / "completions_00005.parquet"
    change(pl.DataFrame(TRL)).write_parquet(path)
    found = read_samples(path, correct="accuracy_reward")
    assert found.dialect == "trl"
    assert found.problems["question"].sort().to_list() == ["1+1?", "2+2?"]
    read = found.solutions.join(found.problems, "problem_id").sort("question", "sample_id")
    assert read.select("question", "sample_id", "text", "correct").rows() == [
        ("1+1?", 0, "two", True),
        ("1+1?", 1, "three", False),
        ("2+2?", 0, "four", True),
    ]
    assert list(found.scores) == ["format_reward"]
    assert sorted(found.scores["format_reward"]["score"]) == [0.25, 0.5]
    assert "1 of 3 solutions have no score in format_reward" in found.notes


def test_trl_without_references_says_what_to_give(tmp_path):
    path = tmp_path / "completions_00005.parquet"
    pl.DataFrame(TRL).write_parquet(path)
    with pytest.raises(
        DataError, match=r"2 of 2 problems have no reference.*--problems FILE.*--correct COLUMN"
    ):
        read_samples(path)
    questions = lines(
        tmp_path / "p.jsonl", [{"question": "1+1?", "answer": 2}, {"question": "2+2?", "answer": 4}]
    )
    found = read_samples(path, problems=questions)
    assert found.problems.select("question", "answer").sort("question").rows() == [
        ("1+1?", "2"),
        ("2+2?", "4"),
    ]
    assert set(found.scores) == {"accuracy_reward", "format_reward"}


def test_verl(tmp_path):
    shards = [
        lines(
            tmp_path / f"{step}.jsonl",
            [
                {"input": "user\n1+1?", "output": f"two {step}", "gts": "2", "score": 1.0, "step": step},
                {"input": "user\n1+1?", "output": f"3 {step}", "gts": "2", "score": 0.0, "step": step},
            ],
        )
        for step in (1, 2)
    ]
    found = read_samples(shards)
    assert found.dialect == "verl"
    assert found.problems.select("question", "answer").rows() == [("user\n1+1?", "2")]
    assert found.solutions["text"].to_list() == ["two 1", "3 1", "two 2", "3 2"]
    assert found.scores["score"]["score"].to_list() == [1.0, 0.0, 1.0, 0.0]
    assert any("score: every score is 0 or 1" in note for note in found.notes)
    assert "solutions of 2 training steps are read as those of one reasoner" in found.notes


def test_verl_with_its_verdict(tmp_path):
    row = {
        "input": "q",
        "output": "t",
        "gts": "2",
        "score": -1.0,
        "step": 1,
        "acc": False,
        "pred": "[INVALID]",
    }
    found = read_samples(lines(tmp_path / "1.jsonl", [row]))
    assert [row[2:] for row in solutions(found, "answer", "correct")] == [(None, False)]
    assert found.scores == {}  # the same verdict once more


CHOICES = [
    {
        "index": 0,
        "message": {"role": "assistant", "content": "two"},
        "finish_reason": "stop",
        "logprobs": None,
    },
    {"index": 1, "message": {"role": "assistant", "content": None}, "finish_reason": "length"},
]
BODY = {"id": "chatcmpl-1", "object": "chat.completion", "choices": CHOICES, "usage": {"prompt_tokens": 9}}


def test_openai_batch(tmp_path):
    rows = [
        {"id": "b1", "custom_id": "p1", "response": {"status_code": 200, "body": BODY}, "error": None},
        {"id": "b2", "custom_id": "p2", "response": None, "error": {"code": "timeout"}},
    ]
    references = lines(tmp_path / "p.jsonl", [{"id": "p1", "problem": "1+1?", "answer": "2"}])
    found = read_samples(lines(tmp_path / "out.jsonl", rows), problems=references)
    assert found.dialect == "openai"
    assert found.problems.rows() == [("p1", "1+1?", "2", None, None)]
    assert solutions(found, "text", "finish_reason", "n_prompt_tokens") == [
        ("p1", 0, "two", "stop", 9),
        ("p1", 1, None, "length", 9),
    ]
    assert any("1 rows hold no solution (first: " in note and "line 2" in note for note in found.notes)
    assert "1 of 2 solutions have no text" in found.notes


@pytest.mark.parametrize("text", [{"message": {"content": "two"}}, {"text": "two"}])
def test_openai_responses_beside_their_question(tmp_path, text):
    row = {
        "question": "1+1?",
        "answer": "2",
        "choices": [{"index": 0, **text, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 6},
    }
    found = read_samples(lines(tmp_path / "out.jsonl", [row]))
    assert [r[2:] for r in solutions(found, "text", "n_tokens", "n_prompt_tokens")] == [("two", 6, 4)]


def test_vllm_outputs(tmp_path):
    outputs = [
        {"index": 0, "text": "two", "token_ids": [5, 6], "finish_reason": "stop"},
        {"index": 1, "text": "three", "token_ids": [5, 6, 7], "finish_reason": "length"},
    ]
    row = {"request_id": "0", "prompt": "1+1?", "prompt_token_ids": [1, 2], "outputs": outputs, "answer": 2}
    found = read_samples(lines(tmp_path / "out.jsonl", [row]))
    assert found.dialect == "vllm"
    assert [r[2:] for r in solutions(found, "text", "n_tokens", "finish_reason")] == [
        ("two", 2, "stop"),
        ("three", 3, "length"),
    ]


# ---- this project's own tables


def test_the_page_names_every_dialect():
    import rlv.imported.dialects

    for name in DIALECTS:
        assert f"\n    {name} " in (rlv.imported.dialects.__doc__ or "")
