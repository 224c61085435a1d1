"""A hub made on the spot, for tests: the hub's library talks to a function instead of the network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
from huggingface_hub.utils import _http

Answer = Callable[[httpx2.Request], httpx2.Response]


@contextmanager
def in_place_of_the_hub(monkeypatch: Any) -> Iterator[Callable[[Answer], None]]:
    """Yields what puts a function from requests to responses there; what fails is asked again at once."""
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)

    def put(answer: Answer) -> None:
        huggingface_hub.set_client_factory(
            lambda: httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
        )

    yield put
    huggingface_hub.set_client_factory(_http.default_client_factory)


def refusing(status: int, code: str | None) -> Answer:
    """Says no to everything, with the hub's code for the reason."""
    headers = {} if code is None else {"X-Error-Code": code}
    return lambda request: httpx2.Response(status, headers=headers, request=request)


def unreachable(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("no route to host", request=request)


def publishing(folder: Path, kind: str, repo: str, commit: str, asked: list[str]) -> Answer:
    """A commit with the files of a folder, for all to read; `kind` is "datasets" or "models".

    Names of files that are asked for are added to `asked`.
    """
    root = f"/datasets/{repo}" if kind == "datasets" else f"/{repo}"

    def digest(path: Path) -> str:
        return hashlib.sha1(path.read_bytes()).hexdigest()

    def entry(path: Path) -> dict[str, Any]:
        at = str(path.relative_to(folder))
        return {"type": "file", "path": at, "size": path.stat().st_size, "oid": digest(path)}

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == f"/api/{kind}/{repo}/tree/{commit}":
            tree = [entry(p) for p in folder.rglob("*") if p.is_file()]
            return httpx2.Response(200, json=tree, request=request)
        if path == f"/api/{kind}/{repo}/revision/{commit}":
            return httpx2.Response(200, json={"id": repo, "sha": commit}, request=request)
        if path == f"/api/{kind}/{repo}/auth-check":
            return httpx2.Response(200, json={}, request=request)
        if not path.startswith(f"{root}/resolve/{commit}/"):
            headers = {"X-Error-Code": "RevisionNotFound"}
            return httpx2.Response(404, headers=headers, request=request)
        file = folder / path.removeprefix(f"{root}/resolve/{commit}/")
        asked.append(file.name)
        content = file.read_bytes()
        headers = {"ETag": f'"{digest(file)}"', "X-Repo-Commit": commit, "Content-Length": str(len(content))}
        body = b"" if request.method == "HEAD" else content
        return httpx2.Response(200, headers=headers, content=body, request=request)

    return answer
