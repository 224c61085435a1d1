"""The server as OpenAI's own client sees it, with the mini base behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

import rlv
from rlv.serving.app import Served
from rlv.serving.requests import Limits

from .conftest import QUESTION, running

USER = [{"role": "user", "content": QUESTION}]


def asked(client, messages=USER, **options):
    return client.chat.completions.create(model="base", messages=messages, **options)


def test_the_answer_is_that_of_the_reasoner(client, reasoner):
    found = asked(
        client,
        seed=5,
        temperature=0.7,
        top_p=0.9,
        max_tokens=60,
        extra_body={"rlv": {"n": 6, "vote": "best_of_n", "solutions": True}},
    )
    expected = reasoner.solve(
        QUESTION, 6, vote="best_of_n", seed=5, temperature=0.7, top_p=0.9, max_tokens=60
    )
    assert found.choices[0].message.content == expected.solutions[expected.best].text
    assert found.choices[0].message.role == "assistant" and found.choices[0].finish_reason == "stop"
    own = found.rlv
    assert (own["answer"], own["confidence"]) == (expected.answer, expected.confidence)
    assert (own["n"], own["vote"], own["seed"], own["scored_by"]) == (6, "best_of_n", 5, "judge")
    assert [s["text"] for s in own["solutions"]] == [s.text for s in expected.solutions]
    assert [s["score"] for s in own["solutions"]] == [s.score for s in expected.solutions]
    assert own["solutions"][own["winner"]]["answer"] == own["answer"] == own["candidates"][0]["answer"]
    assert sum(c["share"] for c in own["candidates"]) == pytest.approx(1.0)
    assert sum(c["solutions"] for c in own["candidates"]) == sum(
        s.answer is not None for s in expected.solutions
    )
    assert found.usage.prompt_tokens == reasoner.room(QUESTION)[0]
    assert found.usage.completion_tokens == sum(s.n_tokens for s in expected.solutions)
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert found.model == "base" and found.id.startswith("chatcmpl-")


def test_what_is_left_out_is_the_servers(client, reasoner):
    found, expected = asked(client), reasoner.solve(QUESTION, 4, max_tokens=100)
    assert found.rlv["n"] == 4 and found.rlv["vote"] == "weighted_voting" and found.rlv["seed"] == 0
    assert (found.rlv["answer"], found.rlv["confidence"]) == (expected.answer, expected.confidence)
    assert "solutions" not in found.rlv
    assert asked(client, temperature=0).rlv["n"] == 1  # sixteen of the same would tell no more


@pytest.mark.parametrize("max_tokens", [100, 3])
def test_a_stream_is_the_same_answer(client, max_tokens):
    whole = asked(client, seed=2, max_tokens=max_tokens)
    pieces = list(
        asked(client, seed=2, max_tokens=max_tokens, stream=True, stream_options={"include_usage": True})
    )
    assert pieces[0].choices[0].delta.role == "assistant"
    texts = [p.choices[0].delta.content or "" for p in pieces if p.choices]
    assert "".join(texts) == whole.choices[0].message.content and len(texts) > 3
    last = next(p for p in pieces if p.choices and p.choices[0].finish_reason)
    assert last.choices[0].finish_reason == whole.choices[0].finish_reason
    assert last.rlv == whole.rlv
    assert pieces[-1].choices == [] and pieces[-1].usage == whole.usage
    assert len({p.id for p in pieces}) == 1
    assert all(p.usage is None for p in asked(client, stream=True))


def test_side_by_side_as_one_after_the_other(server, client):
    seeds = list(range(8))
    alone = [asked(client, seed=seed).rlv for seed in seeds]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda seed: asked(server.client(), seed=seed).rlv, seeds))
    assert together == alone and len({repr(own) for own in alone}) > 1


def test_names_that_openai_has_two_of(client):
    new = asked(client, max_completion_tokens=7, extra_body={"rlv": {"solutions": True}}).rlv
    assert new == asked(client, max_tokens=7, extra_body={"rlv": {"solutions": True}}).rlv
    assert max(s["n_tokens"] for s in new["solutions"]) <= 7


def test_content_in_parts_is_one_text(client):
    parts = [{"type": "text", "text": QUESTION[:10]}, {"type": "text", "text": QUESTION[10:]}]
    assert asked(client, [{"role": "user", "content": parts}]).rlv == asked(client).rlv


def test_no_answer_is_shown_as_none(client):
    found = asked(client, max_tokens=1)
    assert found.rlv["answer"] is None and found.rlv["confidence"] == 0 and found.rlv["candidates"] == []
    assert found.choices[0].finish_reason == "length"


def test_the_model_is_listed(client):
    (entry,) = client.models.list().data
    assert entry.id == "base" and entry.rlv["max_n"] == 8 and entry.rlv["scored_by"] == "judge"
    assert client.models.retrieve("base").id == "base"
    with pytest.raises(openai.NotFoundError, match="this server has 'base'"):
        client.models.retrieve("other/base")


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"stop": ["\n"]}, "stop", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "unsupported_parameter"),
        ({"extra_body": {"top_k": 5}}, "top_k", "unknown_parameter"),
        ({"extra_body": {"rlv": {"n": 9}}}, "rlv.n", "invalid_value"),
        ({"extra_body": {"rlv": {"vote": "pass_at_n"}}}, "rlv.vote", "invalid_value"),
        ({"extra_body": {"rlv": {"votes": "majority"}}}, "rlv.votes", "unknown_parameter"),
        ({"max_tokens": 101}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": 101}, "max_completion_tokens", "invalid_value"),
        ({"temperature": 2.5}, "temperature", "invalid_value"),
        ({"temperature": 1e-300}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"seed": 2**63}, "seed", "invalid_value"),
        ({"seed": "1"}, "seed", "invalid_type"),
        ({"messages": []}, "messages", "unsupported_value"),
        (
            {"messages": [*USER, {"role": "assistant", "content": "3"}, *USER]},
            "messages",
            "unsupported_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
            "invalid_type",
        ),
        ({"messages": [{"role": "user", "content": ""}]}, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": "\x1b[31m"}]}, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": "1 " * 260}]}, "messages", "context_length_exceeded"),
        ({"messages": [{"role": "user", "content": "1 " * 90_000}]}, "messages", "context_length_exceeded"),
        ({"messages": [{"role": "system", "content": "Be short."}, *USER]}, "messages", "invalid_value"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client, options, param, code):
    """Also as a stream: errors before the answer have their status."""
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as error:
            asked(client, **{"messages": USER, "stream": stream} | options)
        assert error.value.param == param and error.value.code == code
        assert error.value.type == "invalid_request_error" and "\x1b" not in error.value.message


def test_values_that_change_nothing_are_taken(client):
    neutral = {"n": 1, "stop": [], "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}}
    harmless = {"user": "me", "metadata": {"a": "b"}, "store": False}
    text = {"response_format": {"type": "text"}, "tools": [], "logprobs": False}
    assert asked(client, **neutral, **harmless, **text).rlv == asked(client).rlv


def test_no_error_tells_where_the_model_lies(client):
    with pytest.raises(openai.BadRequestError, match="the tokenizer of base has no tokens") as error:
        asked(client, [{"role": "user", "content": "Who are you?"}])
    assert "mini" not in error.value.message


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="gpt-4o", messages=USER)
    assert error.value.code == "model_not_found" and "'base'" in error.value.message


def test_more_tokens_than_there_is_room_for(reasoner):
    with running(Served(reasoner, "base", Limits(max_tokens=1024), places=2)) as roomy:
        with pytest.raises(openai.BadRequestError, match="leaves room for") as error:
            asked(roomy.client(), max_tokens=250)
        assert error.value.code == "context_length_exceeded"
        assert asked(roomy.client(), extra_body={"rlv": {"n": 2}}).rlv["n"] == 2  # what there is room for


def test_a_system_prompt_is_put_to_a_model_that_chats(tmp_path, tiny_model, tiny_tokenizer):
    import copy

    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    tiny_model.save_pretrained(tmp_path)
    with (
        rlv.load(tmp_path, prompt_style="chat", answer_format="marker", threads=1) as chatting,
        running(Served(chatting, "base", Limits(n=2, max_tokens=20), places=2)) as found,
    ):
        alone = asked(found.client())
        for role in ("system", "developer"):
            both = asked(found.client(), [{"role": role, "content": "Try 1 no"}, *USER])
            assert both.usage.prompt_tokens == alone.usage.prompt_tokens + 3
        expected = chatting.solve(QUESTION, 2, max_tokens=20, system_prompt="Try 1 no")
        assert both.choices[0].message.content == expected.solutions[expected.best].text
        for wrong in ([{"role": "system", "content": "x"}], [*USER, {"role": "system", "content": "x"}]):
            with pytest.raises(openai.BadRequestError, match="expected one of role user"):
                asked(found.client(), wrong)


def test_a_key_is_asked_for(served):
    from dataclasses import replace

    with running(replace(served, key="sesame")) as locked:
        for key in ("none", "sesam", "sesame2"):
            with pytest.raises(openai.AuthenticationError) as error:
                asked(locked.client(key))
            assert error.value.code == "invalid_api_key"
        assert asked(locked.client("sesame"), max_tokens=3).rlv
        assert b" 401 " in locked.raw(b"GET /v1/models HTTP/1.0\r\n\r\n")
        assert b" 401 " in locked.raw(b"GET /v1/models HTTP/1.0\r\nauthorization: Bearer \xff\r\n\r\n")
        assert b" 200 " in locked.raw(b"GET /health HTTP/1.0\r\n\r\n")
