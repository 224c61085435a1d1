"""What a request asks for: every field is known, or refused by its name.

A field that would change the answer and is not supported is refused, unless it has the value that changes
nothing (`NEUTRAL`); fields that change no answer are passed over (`HARMLESS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rlv.errors import DataError
from rlv.escapes import escaped
from rlv.evaluation.picking import vote_named
from rlv.outside.files import parse_json
from rlv.reasoner.reasoner import MAX_TOKENS
from rlv.serving.refusals import Refused

# Bytes of a request: a question for the longest context that models have.
MOST_BYTES = 2**20
# What both engines draw with, besides 0.
TEMPERATURES = (0.01, 2.0)
HARMLESS = {
    *("user", "metadata", "store", "service_tier", "safety_identifier", "parallel_tool_calls"),
    *("prompt_cache_key", "prompt_cache_retention", "prediction"),
}
# Not supported: field -> the values that change nothing.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "stop": ([],),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0, 0.0),
    "presence_penalty": (0, 0.0),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "audio": (),
    "reasoning_effort": (),
    "verbosity": (),
    "web_search_options": (),
}
INSTEAD = {
    "n": "it counts choices, and there is one winner; rlv.n is the number of solutions",
    "best_of": "use rlv.n for the number of solutions",
    "prompt": "use messages",
}


@dataclass(frozen=True)
class Limits:
    """What requests may ask for, and get if they do not: `n` solutions by `vote`.

    `max_tokens`: of one solution, the end token included.
    """

    n: int = 16
    max_n: int = 64
    max_tokens: int = MAX_TOKENS
    vote: str = "weighted_voting"


@dataclass(frozen=True)
class Asked:
    """A request that can be tried. `max_tokens`: of one solution; None: what there is room for.

    `solutions`: whether the response is to list all of them; `usage`: whether a stream ends with the tokens.
    """

    question: str
    system_prompt: str | None
    n: int
    vote: str
    temperature: float
    top_p: float
    max_tokens: int | None
    seed: int
    stream: bool
    usage: bool
    solutions: bool


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Own(_Model):
    """The field `rlv`: what OpenAI's API has no field for."""

    n: int | None = Field(default=None, ge=1)
    vote: str | None = None
    solutions: bool | None = None


class _Stream(_Model):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Body(_Model):
    model: str | None = None
    messages: list[dict[str, Any]]
    temperature: float | None = None
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stream: bool | None = None
    stream_options: _Stream | None = None
    rlv: _Own | None = None


def read_request(text: bytes, limits: Limits, model: str) -> Asked:
    """What the body of a request asks for. `model`: the name of the one that is served.

    Raises Refused, naming the field, for what is no JSON object, a field that is unknown, not supported or
    out of range, what exceeds the limits, and a conversation that is not one question.
    """
    body = _body(text)
    if body.model is not None and body.model != model:
        raise Refused(
            404, f"model: found {body.model!r:.100}; this server has {model!r}", "model_not_found", "model"
        )
    question, system_prompt = _conversation(body.messages)
    own, stream = body.rlv or _Own(), body.stream_options or _Stream()
    temperature = _temperature(body.temperature)
    # All solutions at temperature 0 are the same one.
    n = own.n or (1 if temperature == 0 else limits.n)
    _require_at_most(limits.max_n, n, "rlv.n", "--max-n")
    max_tokens = _max_tokens(body)
    if max_tokens is not None:
        name = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
        _require_at_most(limits.max_tokens, max_tokens, name, "--max-tokens")
    return Asked(
        question=question,
        system_prompt=system_prompt,
        n=n,
        vote=_vote(own.vote or limits.vote),
        temperature=temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        max_tokens=max_tokens,
        seed=body.seed or 0,
        stream=bool(body.stream),
        usage=bool(stream.include_usage),
        solutions=bool(own.solutions),
    )


def _body(text: bytes) -> _Body:
    try:
        found = parse_json(text)
    except ValueError as error:  # bad JSON and bad UTF-8 alike
        said = " ".join(str(error).split())[:200]
        raise Refused(400, f"the body is no JSON ({said})", "invalid_json") from None
    if not isinstance(found, dict):
        raise Refused(400, f"expected a JSON object, found {type(found).__name__}", "invalid_json")
    given = {name: value for name, value in found.items() if value is not None and name not in HARMLESS}
    for name in NEUTRAL.keys() & given.keys():
        value = given.pop(name)
        if not any(type(value) is type(neutral) and value == neutral for neutral in NEUTRAL[name]):
            why = INSTEAD.get(name, "leave it out")
            raise Refused(400, f"{name}: not supported here; {why}", "unsupported_parameter", name)
    try:
        return _Body.model_validate(given)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Refused:
    """The first fault of a body, as OpenAI names its kind."""
    first = error.errors(include_url=False, include_input=False)[0]
    param = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    param = escaped(param.removeprefix(".")[:100])
    match first["type"]:
        case "extra_forbidden":
            said, code = INSTEAD.get(param, "unknown here; leave it out"), "unknown_parameter"
        case "missing":
            said, code = "is missing", "missing_required_parameter"
        case kind if kind.endswith("_type"):
            said, code = first["msg"], "invalid_type"
        case _:
            said, code = first["msg"], "invalid_value"
    return Refused(400, f"{param}: {said}", code, param)


def _conversation(messages: list[dict[str, Any]]) -> tuple[str, str | None]:
    """(Question, system prompt or None) of one user's message, which a system's may precede."""
    roles = [message.get("role") for message in messages]
    if roles not in (["user"], ["system", "user"], ["developer", "user"]):
        found = ", ".join(f"{role!r:.20}" for role in roles[:4]) + (" ..." if len(roles) > 4 else "")
        raise Refused(
            400,
            "messages: expected one of role user, after at most one of role system; found roles "
            f"{found or 'none'}; the model solves one problem and knows no earlier turns, so put all of it "
            "into one message",
            "unsupported_value",
            "messages",
        )
    texts = [_text(message, f"messages[{k}]") for k, message in enumerate(messages)]
    return texts[-1], texts[0] if len(texts) == 2 else None


def _text(message: Mapping[str, Any], where: str) -> str:
    for name in ("tool_calls", "function_call", "tool_call_id", "audio", "refusal"):
        if message.get(name):
            raise Refused(400, f"{where}.{name}: not supported here", "unsupported_parameter", where)
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    for k, part in enumerate(parts):
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            at = f"{where}.content" + (f"[{k}]" if isinstance(content, list) else "")
            raise Refused(400, f"{at}: expected text; nothing else is read here", "invalid_type", at)
    return "".join(part["text"] for part in parts)


def _temperature(found: float | None) -> float:
    temperature = 1.0 if found is None else found
    low, high = TEMPERATURES
    if temperature != 0 and not low <= temperature <= high:
        raise Refused(
            400,
            f"temperature: found {temperature}, expected 0 or {low} to {high}",
            "invalid_value",
            "temperature",
        )
    return temperature


def _max_tokens(body: _Body) -> int | None:
    """OpenAI's new name of it before the old one."""
    new, old = body.max_completion_tokens, body.max_tokens
    if new is not None and old is not None and new != old:
        raise Refused(
            400,
            f"max_tokens is {old} and max_completion_tokens {new}; give one of them",
            "invalid_value",
            "max_tokens",
        )
    return old if new is None else new


def _require_at_most(most: int, found: int, name: str, option: str) -> None:
    if found > most:
        raise Refused(
            400, f"{name}: found {found}; this server allows {most} ({option})", "invalid_value", name
        )


def _vote(name: str) -> str:
    try:
        vote_named(name)
    except DataError as error:
        raise Refused(400, f"rlv.{error}", "invalid_value", "rlv.vote") from None
    return name
