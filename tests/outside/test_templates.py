"""Chat templates are rendered within limits where a study is checked, and as ever where they keep them."""

from __future__ import annotations

import pytest

from rlv.errors import ModelError
from rlv.outside.templates import Limits, bounded
from rlv.prompts import solver_ids, turn_end_id, verification_ids
from tests.tokenizers_for_tests import FAMILIES, family_tokenizer

LIMITS = Limits(seconds=2.0)
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_rendered_within_limits_is_what_the_tokenizer_renders(name):
    tokenizer = family_tokenizer(name)
    turns = [{"role": "user", "content": "What is 2 + 3? \u2063 ä 😀"}]
    how = {"tokenize": False, "add_generation_prompt": True, "date_string": "26 Jul 2024"}
    expected = tokenizer.apply_chat_template(turns, **how)
    asked = solver_ids(tokenizer, "What?", "chat"), turn_end_id(tokenizer)
    with bounded(tokenizer):
        assert tokenizer.apply_chat_template(turns, **how) == expected
        assert (solver_ids(tokenizer, "What?", "chat"), turn_end_id(tokenizer)) == asked
    assert tokenizer.apply_chat_template(turns, **how) == expected


@pytest.mark.parametrize(
    "template",
    [
        LOOP,
        "{{ 'x' * 10 ** 10 }}",
        "{{ 'x' * 10 ** 7 }}",
        "{% for i in range(99999) %}{{ 'x' * 10 ** 6 }}{% endfor %}",
        "{% set x = namespace(s='x') %}{% for i in range(99) %}{% set x.s = x.s ~ x.s %}{% endfor %}",
        "{{ 10 ** (10 ** 10) }}",
    ],
)
def test_a_template_that_never_ends_or_fills_the_memory_is_refused(template):
    tokenizer = family_tokenizer("qwen")
    before, tokenizer.chat_template = tokenizer.chat_template, template
    try:
        with bounded(tokenizer, LIMITS), pytest.raises(ModelError, match="chat template takes more than 2 s"):
            solver_ids(tokenizer, "What?", "chat")
    finally:
        tokenizer.chat_template = before


def test_after_a_refusal_every_conversation_is_refused_at_once():
    tokenizer = family_tokenizer("qwen")
    before, tokenizer.chat_template = tokenizer.chat_template, LOOP
    try:
        with bounded(tokenizer, LIMITS):
            for _ in range(50):
                with pytest.raises(ModelError, match="takes more than"):
                    verification_ids(tokenizer, "chat")
    finally:
        tokenizer.chat_template = before


@pytest.mark.parametrize(
    "template", ["{{ 1 / 0 }}", "{{ raise_exception('no') }}", "{% if %}", "{{ x.y.z }}"]
)
def test_a_template_that_fails_is_a_refusal_with_and_without_limits(template):
    tokenizer = family_tokenizer("qwen")
    before, tokenizer.chat_template = tokenizer.chat_template, template
    try:
        with pytest.raises(ModelError, match="the chat template refuses"):
            solver_ids(tokenizer, "What?", "chat")
        with bounded(tokenizer), pytest.raises(ModelError, match="the chat template refuses"):
            solver_ids(tokenizer, "What?", "chat")
    finally:
        tokenizer.chat_template = before
