"""Any bytes are a request or are refused with an error that can be sent; pieces of a stream are the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlv.escapes import escaped
from rlv.reasoner import Solution, Solved
from rlv.serving.refusals import Refused
from rlv.serving.requests import HARMLESS, NEUTRAL, Asked, Limits, _Body, read_request
from rlv.serving.responses import Answered, encoded

LIMITS = Limits(n=4, max_n=8, max_tokens=100)
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
ROLES = st.sampled_from(["user", "system", "assistant", "tool"]) | VALUES
MESSAGE = st.fixed_dictionaries({"role": ROLES, "content": TEXTS | VALUES})
FIELDS = st.sampled_from([*_Body.model_fields, *NEUTRAL, *HARMLESS]) | TEXTS
BODIES = st.builds(
    lambda fields, messages, own: fields | messages | own,
    st.dictionaries(FIELDS, VALUES, max_size=3),
    st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=3) | VALUES}),
    st.fixed_dictionaries({}, optional={"rlv": st.dictionaries(st.sampled_from(["n", "vote", "x"]), VALUES)}),
)


def read(text: bytes) -> Asked | None:
    try:
        return read_request(text, LIMITS, "base")
    except Refused as refused:
        found = json.loads(encoded(refused.body()))["error"]
        assert refused.status in (400, 404) and found["code"]
        assert found["message"] == escaped(found["message"], lines=True)
        return None


@given(st.binary(max_size=60))
def test_any_bytes(text):
    assert read(text) is None


@given(BODIES)
@example({"stream_options": {"\t": None}, "messages": []})
@example({"rlv": {"\x1b\n": 1}, "messages": []})
def test_any_json(body):
    found = read(json.dumps(body).encode())
    if found is not None:
        assert 1 <= found.n <= 8 and (found.max_tokens is None or 1 <= found.max_tokens <= 100)
        assert isinstance(found.question, str) and 0 <= found.temperature <= 2 and 0 < found.top_p <= 1


@given(st.sampled_from([*NEUTRAL]), VALUES)
def test_a_field_that_is_not_supported_is_never_passed_over(name, value):
    messages = [{"role": "user", "content": "x"}]
    found = read(json.dumps({"messages": messages, name: value}).encode())
    neutral = value is None or any(type(value) is type(v) and value == v for v in NEUTRAL[name])
    assert (found is not None) == neutral


@given(TEXTS | st.text("ab \n\t", max_size=40) | st.integers(0, 5000).map("x".__mul__), st.booleans())
def test_pieces_of_a_stream_are_the_whole_answer(text, finished):
    asked = Asked("q", None, 1, "majority", 1.0, 1.0, None, 0, True, True, True)
    answered = Answered("base", asked, Solved(None, 0.0, (Solution(text, None, None, 3, finished),), None), 5)
    whole = json.loads(encoded(answered.whole()))
    pieces = [json.loads(encoded(piece)) for piece in answered.pieces()]
    said = "".join(p["choices"][0]["delta"].get("content", "") for p in pieces if p["choices"])
    assert said == whole["choices"][0]["message"]["content"] == text
    assert pieces[-1]["usage"] == whole["usage"] and pieces[-2]["rlv"] == whole["rlv"]
    assert pieces[-2]["choices"][0]["finish_reason"] == ("stop" if finished else "length")


def test_the_limits_of_a_server_are_its_requests_defaults():
    found = read(b'{"messages": [{"role": "user", "content": "x"}]}')
    assert found == Asked("x", None, 4, "weighted_voting", 1.0, 1.0, None, 0, False, False, False)
    with pytest.raises(Refused, match="this server allows 8"):
        read_request(b'{"messages": [{"role": "user", "content": "x"}], "rlv": {"n": 9}}', LIMITS, "base")
