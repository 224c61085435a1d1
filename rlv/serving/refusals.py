"""Errors as OpenAI's API reports them: a status of HTTP, and a body that its clients read."""

from __future__ import annotations

from typing import Any

from rlv.escapes import escaped

# The status of a request that nobody waits for any more; it is never sent.
GONE = 499


class Refused(Exception):
    """A request that is not answered: HTTP's status, the field at fault, and a code for programs."""

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """The error as OpenAI's clients read it, without control characters in what it quotes."""
        if self.status == 429:
            kind = "rate_limit_error"
        else:
            kind = "server_error" if self.status >= 500 else "invalid_request_error"
        message = escaped(str(self), lines=True)
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}


def internal(error: Exception) -> Refused:
    """What a client learns of an error that nobody has foreseen."""
    return Refused(500, f"internal error ({type(error).__name__}); see the server's log", "internal_error")
