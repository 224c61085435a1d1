"""`rlv serve`: a checkpoint behind OpenAI's API, on this machine only unless another address is named."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rlv.commands.printing import say, say_progress
from rlv.commands.reasoner import add_model, loaded
from rlv.errors import ServingError

if TYPE_CHECKING:
    from rlv.serving.requests import Limits

_LIBRARIES = ("starlette", "uvicorn")
# Solutions if neither a request nor the server names a number.
_N = 16


def add_serve(parser: ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any that is free")
    parser.add_argument("--name", default=None, help="of the model in requests; default: its folder's")
    parser.add_argument(
        "-n", "--n", type=int, help=f"solutions if a request names none; default: {_N}, or --max-n"
    )
    parser.add_argument("--max-n", type=int, default=64, help="most that a request may ask for; default: 64")
    parser.add_argument(
        "--max-tokens", type=int, default=1024, help="most of one solution; default: 1024, or less"
    )
    parser.add_argument("--vote", default="weighted_voting", help="default: weighted_voting")
    parser.add_argument(
        "--queue", type=int, default=16, help="questions answered or waiting at one time; default: 16"
    )
    parser.add_argument(
        "--api-key-env", default=None, metavar="NAME", help="environment variable with the key of requests"
    )
    parser.set_defaults(run=_serve)


def _serve(options: Namespace) -> None:
    # Before weights are loaded, which may take minutes.
    require_libraries()
    limits, key = limits_of(options), key_of(options.api_key_env)
    from rlv.serving.app import Served, make_app
    from rlv.serving.server import bound, is_local, server_of, url

    with bound(options.host, options.port) as socket:
        local = is_local(socket)
        if not local and key is None:
            say_progress(
                f"warning: everybody who reaches {options.host} can use this server; ask for a key "
                "(--api-key-env)"
            )
        with loaded(options) as reasoner:
            served = Served(reasoner, name_of(options), limits, options.queue, key, local)
            server = server_of(make_app(served))
            socket.listen()  # from here on requests wait, and none is turned away
            say([f"{served.name}: {url(socket)}"])
            with contextlib.suppress(KeyboardInterrupt):  # as uvicorn ends after Ctrl-C
                server.run(sockets=[socket])


def require_libraries() -> None:
    """Raises ServingError if the libraries of the server are not installed."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ServingError(
            f'{" and ".join(missing)}: not installed in this environment; pip install "rlv[serve]"'
        )


def limits_of(options: Namespace) -> Limits:
    """The limits of requests. Raises ServingError and DataError for options that fit no request."""
    from rlv.evaluation.picking import vote_named
    from rlv.serving.requests import Limits

    options.n = min(_N, options.max_n) if options.n is None else options.n
    for name in ("max_n", "n", "max_tokens", "queue"):
        if getattr(options, name) < 1:
            option = f"--{name.replace('_', '-')}"
            raise ServingError(f"{option}: found {getattr(options, name)}, expected 1 or more")
    if options.n > options.max_n:
        raise ServingError(f"--n: found {options.n}, expected at most {options.max_n}, which is --max-n")
    if not 0 <= options.port < 2**16:
        raise ServingError(f"--port: found {options.port}, expected 0 to {2**16 - 1:,}")
    vote_named(options.vote)
    return Limits(options.n, options.max_n, options.max_tokens, options.vote)


def key_of(variable: str | None) -> str | None:
    """The key in an environment variable. Raises ServingError if it is not set, or is no key."""
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ServingError(
            f"--api-key-env {variable}: expected a variable of the environment with a key of printable ASCII "
            f"without spaces, found {'none' if not key else 'other characters'}; export {variable}=..."
        )
    return key


def name_of(options: Namespace) -> str:
    """What requests call the model."""
    if options.name or options.revision:
        return options.name or options.model
    return Path(options.model).expanduser().resolve().name or options.model
