"""Chat templates from outside, rendered by a process of their own with limits on time, memory and length.

A template is a program in Jinja: its sandbox keeps it from files and code, but not from looping for days or
from building more text than there is memory. So a study is checked with templates rendered here; jobs, which
render what was checked, do it themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COMMAND = "import sys; from rlv.outside.templates import serve; serve(*map(float, sys.argv[1:]))"
# Starting takes seconds on a busy machine; what a worker may take before its first answer.
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Limits:
    """Limits of one conversation; published templates need milliseconds and some thousand characters."""

    seconds: float = 5.0
    megabytes: int = 1024  # address space of the process, its libraries (some 190) included
    characters: int = 1_000_000


@contextmanager
def bounded(tokenizer: PreTrainedTokenizerBase, limits: Limits | None = None) -> Iterator[None]:
    """While the block lasts, `tokenizer.apply_chat_template(turns, tokenize=False)` is rendered with limits.

    It then raises ModelError if the template goes beyond one or fails.
    """
    limits = limits or Limits()
    with contextlib.ExitStack() as stack:
        workers: list[_Worker] = []

        def apply_chat_template(
            turns: list[dict[str, str]], *, tokenize: bool, **variables: str | bool
        ) -> str:
            assert not tokenize
            if not workers:  # most studies have no template to render
                workers.append(stack.enter_context(_started(limits)))
            request = {
                "conversations": [turns],
                "chat_template": tokenizer.get_chat_template(),
                **{name: str(token) for name, token in tokenizer.special_tokens_map.items()},
                **variables,
            }
            return workers[0].render(tokenizer.name_or_path, request)

        # An attribute of this one tokenizer, before that of its class.
        vars(tokenizer)["apply_chat_template"] = apply_chat_template
        stack.callback(vars(tokenizer).pop, "apply_chat_template")
        yield


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Any  # a Connection; its type has another name on every system
    limits: Limits

    def render(self, name: str, request: dict[str, Any]) -> str:
        limits = self.limits
        beyond = (
            f"{name}: the chat template takes more than {limits.seconds:g} s or {limits.megabytes} MB, or "
            f"writes more than {limits.characters:,} characters, for one conversation; use prompt style "
            "'plain', or a template that ends"
        )
        try:
            self.connection.send_bytes(json.dumps(request).encode())
            if not self.connection.poll(limits.seconds):
                self.process.kill()
                raise ModelError(beyond)
            answer = json.loads(self.connection.recv_bytes(16 * limits.characters))
        except (OSError, EOFError):  # it died, now or at an earlier conversation
            raise ModelError(beyond) from None
        if "text" not in answer:
            raise ModelError(f"{name}: the chat template refuses ({answer['error']})" if answer else beyond)
        return str(answer["text"])


@contextmanager
def _started(limits: Limits) -> Iterator[_Worker]:
    ours, theirs = Pipe()
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    # It ends itself a second later, lest one whose parent was killed goes on for ever.
    arguments = [theirs.fileno(), limits.seconds + 1, limits.megabytes, limits.characters]
    process = subprocess.Popen(
        # -P: an untidy working directory must not shadow the standard library.
        [sys.executable, "-P", "-c", _COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        env=os.environ | {"PYTHONPATH": path},
    )
    theirs.close()
    try:
        if not _ready(ours):
            raise ModelError("chat templates: the process that renders them does not start")
        yield _Worker(process, ours, limits)
    finally:
        process.kill()
        process.wait()
        ours.close()


def _ready(connection: Any) -> bool:
    try:
        return connection.poll(_START_SECONDS) and connection.recv_bytes() == b"ready"
    except (EOFError, OSError):
        return False


def serve(descriptor: float, seconds: float, megabytes: float, characters: float) -> None:
    """The worker: answers each request on the inherited connection with {text}, {error}, or {} if a limit was
    reached, until the other end closes. Ends itself if a request takes more than `seconds`."""
    import transformers.utils.chat_template_utils  # noqa: F401 (loaded before memory is limited)

    limit = int(megabytes) * 2**20
    with contextlib.suppress(ValueError, OSError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    with Connection(int(descriptor)) as connection, contextlib.suppress(EOFError, BrokenPipeError):
        connection.send_bytes(b"ready")
        while True:
            request = json.loads(connection.recv_bytes())
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = _rendered(request, int(characters))
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send_bytes(json.dumps(answer).encode())


def _rendered(request: dict[str, Any], characters: int) -> dict[str, str]:
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        (text,), _ = render_jinja_template(**request)
    except MemoryError:
        return {}
    except Exception as error:  # whatever a template can raise
        return {"error": " ".join(str(error).split())[:500] or type(error).__name__}
    return {"text": text} if len(text) <= characters else {}
