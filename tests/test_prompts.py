"""The words that open a forced answer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AddedToken, PreTrainedTokenizerFast

from rlv.answers import ANSWER_FORMATS, extract_answer
from rlv.errors import ModelError
from rlv.prompts import ANSWER_PREFIXES, answer_prefix_ids


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
