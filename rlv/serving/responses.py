"""From a vote to the body of a response: whole, or as the pieces of a stream."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rlv.reasoner.reasoner import Solved
from rlv.serving.requests import Asked, Limits

# Words with the white space after them, and no piece that is longer than a packet.
_PIECE = re.compile(r"\s*\S{1,1000}\s?|\s+")


@dataclass(frozen=True)
class Answered:
    """A request and what came out. `prompt_tokens`: of the question as it was put to the model."""

    model: str
    asked: Asked
    solved: Solved
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self) -> dict[str, Any]:
        """The response in one piece."""
        best = self.solved.solutions[self.solved.best]
        message = {"role": "assistant", "content": best.text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self._reason(), "logprobs": None}
        return self._headed("chat.completion", [choice]) | {"usage": self._usage(), "rlv": self._own()}

    def pieces(self) -> Iterator[dict[str, Any]]:
        """The same as a stream; the vote comes with the reason why the winner ended."""
        text = self.solved.solutions[self.solved.best].text
        yield self._piece({"role": "assistant", "content": ""})
        for words in _PIECE.findall(text):
            yield self._piece({"content": words})
        yield self._piece({}, self._reason()) | {"rlv": self._own()}
        if self.asked.usage:
            yield self._headed("chat.completion.chunk", []) | {"usage": self._usage()}

    def _piece(self, delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return self._headed("chat.completion.chunk", [choice])

    def _headed(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def _reason(self) -> str:
        return "stop" if self.solved.solutions[self.solved.best].finished else "length"

    def _usage(self) -> dict[str, int]:
        """Tokens of the question once, and of all solutions: what the answer has cost."""
        written = sum(solution.n_tokens for solution in self.solved.solutions)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": written,
            "total_tokens": self.prompt_tokens + written,
        }

    def _own(self) -> dict[str, Any]:
        """The vote."""
        solved = self.solved
        found: dict[str, Any] = {
            "answer": solved.answer,
            "confidence": solved.confidence,
            "n": self.asked.n,
            "vote": self.asked.vote,
            "seed": self.asked.seed,
            "scored_by": solved.scored_by,
            "winner": solved.best,
            "candidates": [
                {"answer": c.answer, "share": c.share, "solutions": len(c.solutions)}
                for c in solved.candidates
            ],
        }
        if self.asked.solutions:
            names = ("text", "answer", "score", "n_tokens", "finished")
            found["solutions"] = [{name: getattr(s, name) for name in names} for s in solved.solutions]
        return found


def model_entry(name: str, created: int, limits: Limits, scored_by: str) -> dict[str, Any]:
    """A model as OpenAI's list has it, and what its requests may ask for."""
    own = {
        "n": limits.n,
        "max_n": limits.max_n,
        "max_tokens": limits.max_tokens,
        "vote": limits.vote,
        "scored_by": scored_by,
    }
    return {"id": name, "object": "model", "created": created, "owned_by": "rlv", "rlv": own}


def encoded(value: dict[str, Any]) -> bytes:
    """JSON in ASCII: a text with half of a character in it stays one that can be sent."""
    return json.dumps(value, allow_nan=False).encode("ascii")
