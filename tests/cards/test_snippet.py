"""The code of a card, for every style: its prompt is ours, token for token, and so is its score."""

from __future__ import annotations

import pytest
import torch

from rlv.cards.snippet import snippet
from rlv.models import heads
from rlv.models.flops import shape_of
from rlv.models.verification import KEY, describe
from rlv.prompts import BOXED_REQUEST, INSTRUCTION, STYLES, solution_end_id, solver_ids
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions
from rlv.study.types import Sampling
from tests.tokenizers_for_tests import family_tokenizer

QUESTION, SOLUTION = "What is 2 + 2?", "It is 4. \\boxed{4}"
SAMPLING = Sampling(max_tokens=3)


@pytest.fixture(scope="module")
def model():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=600,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8192,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).eval()


def running(folder, model, tokenizer, entry) -> dict:
    """What the code of a card defines, run on a folder."""
    setattr(model.config, KEY, entry.as_json())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    names: dict = {}
    exec(snippet(entry, str(folder), SAMPLING, tokenizer.chat_template), names)
    return names


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", ["qwen", "r1_distill", "llama3"])
def test_prompt_and_score_are_ours(tmp_path, model, family, style):
    tokenizer = family_tokenizer(family)
    system = "Think\nhard." if style == "chat_boxed" and family == "qwen" else None
    asked = {"prompt_style": style, "system_prompt": system, "answer_format": "boxed"}
    entry = describe(tokenizer, objective="generative", coefficient=1.0, instructed=True, **asked)
    names = running(tmp_path, model, tokenizer, entry)
    x = solver_ids(tokenizer, QUESTION, style, system)
    assert names["prompt_of"](QUESTION) == x
    verifier = transformers_verifier(SCORES["generative"], model, tokenizer)
    y = [*tokenizer.encode(SOLUTION, add_special_tokens=False), solution_end_id(tokenizer, style)]
    (ours,), *_ = score_solutions(verifier, [x], [y], style)
    assert names["verify"](QUESTION, SOLUTION) == pytest.approx(ours, abs=1e-4)
    assert isinstance(names["solve"](QUESTION), str)


@pytest.mark.parametrize("objective", ["bce", "regression"])
def test_a_head_gives_our_score(tmp_path, model, objective):
    tokenizer = family_tokenizer("qwen")
    head = heads.VerificationHead(objective, 16, 0.1)
    torch.nn.init.normal_(head.weight, std=0.05)
    heads.save(head, tmp_path)
    asked = {"prompt_style": "chat", "system_prompt": None, "answer_format": "boxed"}
    entry = describe(tokenizer, objective=objective, coefficient=1.0, instructed=False, **asked)
    names = running(tmp_path, model, tokenizer, entry)
    verifier = transformers_verifier(SCORES[objective], model, tokenizer, tmp_path)
    assert verifier.shape == shape_of(model)
    x = solver_ids(tokenizer, QUESTION, "chat")
    y = [*tokenizer.encode(SOLUTION, add_special_tokens=False), solution_end_id(tokenizer, "chat")]
    (ours,), *_ = score_solutions(verifier, [x], [y], "chat")
    assert names["verify"](QUESTION, SOLUTION) == pytest.approx(ours, abs=1e-4)


def test_without_a_verifier_there_is_no_verify(tmp_path, model):
    tokenizer = family_tokenizer("qwen")
    asked = {"prompt_style": "plain_boxed", "system_prompt": None, "answer_format": "boxed"}
    entry = describe(tokenizer, objective=None, coefficient=0.0, instructed=False, **asked)
    names = running(tmp_path, model, tokenizer, entry)
    assert "verify" not in names and "solve" in names
    code = snippet(entry, ".", SAMPLING, None)
    assert INSTRUCTION not in code and BOXED_REQUEST.replace("\\", "\\\\") in code
