"""A loaded checkpoint gives the workflow's solutions and scores, and names what it cannot do."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import constants

import rlv
from rlv.errors import DataError, ModelError
from rlv.models.verification import FORMAT
from rlv.tables import read
from tests.fake_hub import in_place_of_the_hub, publishing

QUESTION = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"
COMMIT = "c" * 40


def made(tiny, stage: str, beginning: str):
    """The one artifact of a stage whose name begins so."""
    plan, _ = tiny
    (found,) = [a for a in plan.artifacts.values() if a.stage == stage and a.name.startswith(beginning)]
    return found


def test_solutions_and_scores_are_those_of_the_workflow(tiny, reasoner):
    _, store = tiny
    sampled = made(tiny, "sample", "grpo_v-test-")
    scored = made(tiny, "score", "grpo_v-test-unified-")
    samples = read(store.open(sampled, "samples.parquet"), "samples")
    scores = read(store.open(scored, "scores.parquet"), "scores")
    problems = read(store.open(sampled.inputs["problems"], "problems.parquet"), "problems")
    p = sampled.params
    n = p["samples"][1]
    for problem_id, question in problems.select("problem_id", "question").iter_rows():
        solved = reasoner.solve(
            question,
            n,
            temperature=p["temperature"],
            top_p=p["top_p"],
            max_tokens=p["max_tokens"],
            seed=p["seed"],
            problem_id=problem_id,
        )
        theirs = samples.filter(problem_id=problem_id).sort("sample_id")
        assert [list(s.token_ids) for s in solved.solutions] == theirs["token_ids"].to_list()
        assert [s.text for s in solved.solutions] == theirs["text"].to_list()
        assert [s.finished for s in solved.solutions] == [r == "stop" for r in theirs["finish_reason"]]
        wanted = scores.filter(problem_id=problem_id).sort("sample_id")["score"].to_numpy()
        assert np.allclose([s.score for s in solved.solutions], wanted, atol=1e-5)
        assert solved.scored_by == "generative"
        for solution, score in zip(solved.solutions, wanted, strict=True):
            assert reasoner.score(question, solution) == pytest.approx(score, abs=1e-5)
            if solution.finished:  # a text has its end token added
                assert reasoner.score(question, solution.text) == pytest.approx(score, abs=1e-5)


def test_the_same_again_and_more_keep_the_first(reasoner):
    few, many = reasoner.solve(QUESTION, 3, seed=5), reasoner.solve(QUESTION, 6, seed=5)
    assert reasoner.solve(QUESTION, 3, seed=5) == few
    assert [s.token_ids for s in many.solutions[:3]] == [s.token_ids for s in few.solutions]
    assert reasoner.solve(QUESTION, 6, seed=6).solutions != many.solutions
    assert 0 <= many.confidence <= 1
    with pytest.raises(AttributeError):
        many.answer = "1"


def test_a_vote_that_reads_no_scores_pays_for_none(reasoner):
    solved = reasoner.solve(QUESTION, 4, vote="majority", max_tokens=30)
    assert solved.scored_by is None and {s.score for s in solved.solutions} == {None}
    assert all(s.n_tokens <= 30 for s in solved.solutions)


def test_lists_of_scores(reasoner):
    texts = ["Try 1 no Answer 3", "Answer 3", "Answer 3"]
    one_question = reasoner.score(QUESTION, texts)
    assert one_question == pytest.approx([reasoner.score(QUESTION, text) for text in texts], abs=1e-6)
    assert reasoner.score([QUESTION] * 3, texts) == one_question
    assert reasoner.score(QUESTION, []) == []
    with pytest.raises(DataError, match="2 questions for 3 solutions"):
        reasoner.score([QUESTION] * 2, texts)
    with pytest.raises(DataError, match="2 questions for one solution"):
        reasoner.score([QUESTION] * 2, "Answer 3")


def test_a_model_that_is_not_trained_to_verify_is_a_judge(trained):
    with rlv.load(trained["grpo"]) as judge:
        assert judge.solve(QUESTION, 2).scored_by == "judge"
        assert judge.asking.entry is not None and judge.asking.prompt_style == "plain"


def test_a_model_of_others_is_asked_as_the_caller_says(tmp_path, tiny_model, tiny_tokenizer):
    tiny_model.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with rlv.load(tmp_path, prompt_style="plain", answer_format="marker") as found:
        assert found.asking.entry is None and found.solve(QUESTION, 2, max_tokens=5).scored_by == "judge"
    guessed = rlv.load(tmp_path)
    assert (guessed.asking.prompt_style, guessed.asking.answer_format) == ("plain_boxed", "boxed")
    with pytest.raises(ModelError, match=r"no tokens for parts of 'Find x.*another style"):
        guessed.solve(QUESTION)
    with pytest.raises(ModelError, match="no chat template"):
        rlv.load(tmp_path, prompt_style="chat")
    with pytest.raises(ModelError, match="unknown prompt style"):
        rlv.load(tmp_path, prompt_style="\x1b[2J")
    with pytest.raises(ModelError, match="answer format"):
        rlv.load(tmp_path, prompt_style="plain", answer_format="xml")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"question": ""}, "question: expected text"),
        ({"question": " \n\t"}, "question: expected text"),
        ({"question": None}, "question: expected text"),
        ({"question": "1 " * 5000}, "leave no room|characters"),
        ({"question": "1" * 10**7}, "characters"),
        ({"n": 0}, "n: found 0"),
        ({"n": -1}, "n: found -1"),
        ({"n": True}, "n: found True"),
        ({"n": 2.5}, "n: found 2.5"),
        ({"n": 10**9}, "n: found 1000000000"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**6}, "leaves room for"),
        ({"vote": "pass_at_n"}, "knows which answers are right"),
        ({"question": "\x1b]0;title\x07 \u202e"}, "no tokens"),
    ],
)
def test_bad_arguments_are_named(reasoner, arguments, named):
    with pytest.raises((DataError, ModelError), match=named) as error:
        reasoner.solve(**{"question": QUESTION, **arguments})
    assert "\x1b" not in str(error.value) and "\u202e" not in str(error.value)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        rlv.load(tmp_path / "none")
    with pytest.raises(ModelError, match="no weights in safetensors"):
        rlv.load(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="pickled"):
        rlv.load(tmp_path)
    with pytest.raises(ModelError, match="no engine named"):
        rlv.load(tmp_path, engine="llama.cpp")


def test_a_damaged_or_newer_entry(own):
    config = json.loads((own / "config.json").read_text())
    for change, named in (
        ({"format": FORMAT + 1}, "install a newer"),
        ({"format": "1"}, "damaged"),
        ({"instruction": "Right?"}, "instruction is 'Right\\?'"),
        ({"prompt_style": "tarot"}, "unknown prompt style"),
        ({"objective": "feeling"}, "no score of that name"),
        ({"objective": "judge"}, "no score of that name"),
    ):
        changed = config | {"verification": config["verification"] | change}
        (own / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=named):
            rlv.load(own)


def test_a_head_that_is_missing_is_named_when_it_is_needed(own):
    config = json.loads((own / "config.json").read_text())
    gone = dict.fromkeys(("instruction", "instruction_ids", "labels"))
    config["verification"] |= {"objective": "bce", **gone}
    (own / "config.json").write_text(json.dumps(config))
    with rlv.load(own) as headless:
        assert headless.solve(QUESTION, 2, vote="majority").scored_by is None
        with pytest.raises(ModelError, match="no verification head"):
            headless.solve(QUESTION, 2)


def test_a_model_of_the_hub_needs_a_commit(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"somebody/small.*needs a commit.*40 hexadecimal digits"):
        rlv.load("somebody/small")
    with pytest.raises(ModelError, match="'main' is no commit"):
        rlv.load("somebody/small", revision="main")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    asked: list[str] = []
    with in_place_of_the_hub(monkeypatch) as put:
        put(publishing(trained["grpo_v"], "models", "somebody/small", COMMIT, asked))
        with rlv.load("somebody/small", revision=COMMIT) as fetched:
            assert fetched.solve(QUESTION, 2).scored_by == "generative"
        with pytest.raises(ModelError, match="load") as error:
            rlv.load("somebody/small", revision="d" * 40)
    assert "rlv fetch" not in str(error.value) and "steps.parquet" not in asked


def test_importing_the_package_loads_no_library():
    program = (
        "import sys, rlv; assert 'load' in dir(rlv) and set(rlv.__all__) <= set(dir(rlv));"
        "heavy = ('polars', 'torch', 'transformers', 'numpy', 'pydantic');"
        "print([name for name in heavy if name in sys.modules]);"
        "rlv.load; print([name for name in heavy[1:3] if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]", "[]"], done.stderr
    with pytest.raises(AttributeError, match=re.escape("no attribute 'unload'")):
        _ = rlv.unload  # pyright: ignore[reportAttributeAccessIssue]
