"""The words that a model reads: questions, worked problems, the labels, and what opens a forced answer."""

from __future__ import annotations

from typing import get_args

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AddedToken, PreTrainedTokenizerFast

from rlv.answers import ANSWER_FORMATS, extract_answer
from rlv.errors import ModelError
from rlv.prompts import (
    ANSWER_PREFIXES,
    BOXED_REQUEST,
    CHAIN_INSTRUCTION,
    INSTRUCTION,
    LABELS,
    STYLES,
    WORKED_PROBLEMS,
    answer_prefix_ids,
    chain_ids,
    label_ids,
    solver_ids,
    verification_ids,
)
from rlv.study.types import PromptStyle
from tests.tokenizers_for_tests import FAMILIES, family_tokenizer


def word_tokenizer(*marks: str) -> PreTrainedTokenizerFast:
    """Whole words as tokens; the marks of a thought as added tokens."""
    words = ["<unk>", "<eos>", "The", "final", "answer", "is", r"$\boxed{", "Answer", "5}", "so"]
    inner = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<eos>")
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return tokenizer


def test_every_answer_format_has_a_prefix_after_which_its_answer_is_found() -> None:
    assert ANSWER_PREFIXES.keys() == ANSWER_FORMATS.keys()
    tokenizer = word_tokenizer()
    for answer_format, answer in {"boxed": "5}", "marker": "5"}.items():
        prefix = tokenizer.decode(answer_prefix_ids(tokenizer, answer_format))
        assert extract_answer(f"so {prefix} {answer}", answer_format) == "5"


def test_the_mini_task_answers_after_one_token(tiny_tokenizer) -> None:
    assert tiny_tokenizer.convert_ids_to_tokens(answer_prefix_ids(tiny_tokenizer, "marker")) == ["Answer"]


def test_an_open_thought_is_closed_first_and_only_then() -> None:
    tokenizer = word_tokenizer("<think>", "</think>")
    begin, end, so = tokenizer.convert_tokens_to_ids(["<think>", "</think>", "so"])
    words = answer_prefix_ids(tokenizer, "boxed")
    assert len(words) == 5 and end not in words
    for context in ([begin], [begin, so], [so, begin, end, begin, so]):
        assert answer_prefix_ids(tokenizer, "boxed", context) == [end, *words]
    for context in ([], [so], [begin, end], [begin, so, end, so]):
        assert answer_prefix_ids(tokenizer, "boxed", context) == words


def test_a_thought_that_begins_with_no_token_of_its_own_is_closed_once() -> None:
    tokenizer = word_tokenizer("</think>")
    end, so = tokenizer.convert_tokens_to_ids(["</think>", "so"])
    words = word_tokenizer().encode(ANSWER_PREFIXES["boxed"])
    assert answer_prefix_ids(tokenizer, "boxed", [so]) == [end, *words]
    assert answer_prefix_ids(tokenizer, "boxed", [so, end, so]) == words


def test_prefixes_that_a_tokenizer_cannot_say_are_refused(tiny_tokenizer) -> None:
    with pytest.raises(ModelError, match="no words for the answer prefix 'The final answer is"):
        answer_prefix_ids(tiny_tokenizer, "boxed")
    with pytest.raises(ModelError, match="unknown answer format 'box'; known: marker, boxed"):
        answer_prefix_ids(tiny_tokenizer, "box")


def test_an_instruction_that_a_tokenizer_cannot_say_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no words for 'Check this solution .* or score `judge`"):
        chain_ids(word_tokenizer(), "plain")


def test_a_chain_begins_on_a_line_of_its_own() -> None:
    tokenizer = family_tokenizer("qwen")
    for style in ("plain", "plain_boxed", "few_shot_boxed"):
        assert tokenizer.decode(chain_ids(tokenizer, style)) == f"\n{CHAIN_INSTRUCTION}\n"


def test_studies_can_name_every_style() -> None:
    assert set(get_args(PromptStyle)) == set(STYLES)
    with pytest.raises(ModelError, match="unknown prompt style 'chatty'; known: plain, plain_boxed, chat"):
        solver_ids(word_tokenizer(), "?", "chatty")
    with pytest.raises(ModelError, match="unknown prompt style"):
        verification_ids(word_tokenizer(), "chatty")


def test_a_request_for_a_box_is_the_last_of_the_question() -> None:
    tokenizer = family_tokenizer("qwen")
    plain, boxed = (tokenizer.decode(solver_ids(tokenizer, "1 + 1?", s)) for s in ("plain", "plain_boxed"))
    assert plain == "1 + 1?\nSolution:" and boxed == f"1 + 1?\n{BOXED_REQUEST}\nSolution:"
    chat, boxed = (tokenizer.decode(solver_ids(tokenizer, "1 + 1?", s)) for s in ("chat", "chat_boxed"))
    assert boxed == chat.replace("1 + 1?", f"1 + 1?\n{BOXED_REQUEST}") != chat


@pytest.mark.parametrize("name", FAMILIES)
def test_worked_problems_end_as_a_solution_should(name) -> None:
    tokenizer = family_tokenizer(name)
    ids = solver_ids(tokenizer, "1 + 1?", "few_shot_boxed")
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert ids.count(end) == len(WORKED_PROBLEMS)
    assert begin is None or (ids[0] == begin and ids.count(begin) == 1)
    *shots, asked = tokenizer.decode(ids[begin is not None :]).split(tokenizer.eos_token)
    assert asked == "Problem: 1 + 1?\nSolution:"
    for shot, (problem, solution) in zip(shots, WORKED_PROBLEMS, strict=True):
        assert shot == f"Problem: {problem}\nSolution: {solution}"
    # x and y belong together as tokens: the model goes on with a space, as the worked solutions do.
    whole = tokenizer.encode("Solution: We", add_special_tokens=False)
    assert whole[: -len(tokenizer.encode(" We"))] == tokenizer.encode("Solution:")


def test_worked_problems_are_right_and_say_so_in_a_box() -> None:
    answers = [extract_answer(solution, "boxed") for _, solution in WORKED_PROBLEMS]
    facts = [8 / (12 + 8), 7 + 5, len([n for n in range(10, 101) if n % 7 == 0]), 9 + 12 + (81 + 144) ** 0.5]
    assert answers[0] == r"\frac{2}{5}" and facts[0] == 2 / 5
    assert [float(str(answer)) for answer in answers[1:]] == facts[1:]


def test_worked_problems_need_an_end_token() -> None:
    tokenizer = word_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match=r"no end token .*'plain_boxed'"):
        solver_ids(tokenizer, "?", "few_shot_boxed")


@pytest.mark.parametrize("style", [style for style in STYLES if not style.startswith("chat")])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_label_is_a_word_on_a_line_of_its_own(name, style) -> None:
    tokenizer = family_tokenizer(name)
    instruction = verification_ids(tokenizer, style)
    assert tokenizer.decode(instruction) == f"\n{INSTRUCTION}\n"
    for label, label_id in zip(LABELS, label_ids(tokenizer), strict=True):
        assert tokenizer.decode([label_id]) == label  # not " Yes", which is another token
        text = f"\n{INSTRUCTION}\n{label}"
        assert tokenizer.encode(text, add_special_tokens=False) == [*instruction, label_id]


def test_the_mini_task_verifies_for_one_token(tiny_tokenizer) -> None:
    assert tiny_tokenizer.convert_ids_to_tokens(verification_ids(tiny_tokenizer, "plain")) == [INSTRUCTION]
    assert tiny_tokenizer.convert_ids_to_tokens(list(label_ids(tiny_tokenizer))) == list(LABELS)


def test_labels_that_are_several_tokens_are_refused() -> None:
    with pytest.raises(ModelError, match="Yes and No must be one token each"):
        label_ids(word_tokenizer())


@pytest.mark.parametrize("style", STYLES)
def test_forced_answers_open_in_every_style(style) -> None:
    tokenizer = family_tokenizer("r1_distill")
    x = solver_ids(tokenizer, "1 + 1?", style)
    thought = tokenizer.encode("Let me see.", add_special_tokens=False)
    forced = answer_prefix_ids(tokenizer, "boxed", [*x, *thought])
    begin, end = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert (forced[0] == end) == (begin in x)
    text = tokenizer.decode([*thought, *forced]) + "2}$."
    assert extract_answer(text, "boxed") == "2"
