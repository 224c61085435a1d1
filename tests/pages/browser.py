"""A headless Chromium for tests: opens pages as files, evaluates expressions, collects what they complain of.

It is driven through two pipes (`--remote-debugging-pipe`): messages of the DevTools protocol as JSON, each
ended by a NUL. Nothing listens on a port, and no library is needed.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
    *("--remote-debugging-pipe", "--hide-scrollbars", "--disable-extensions"),
)
SECONDS = 60.0


class Browser:
    """One tab. A context manager."""

    def __init__(self, folder: Path) -> None:
        to_child, ours_out = os.pipe()
        ours_in, from_child = os.pipe()
        assert CHROMIUM is not None
        # Chromium reads from descriptor 3 and writes to 4.
        shell = f'exec 3<&{to_child} 4>&{from_child}; exec "$@"'
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                shell,
                "chromium",
                CHROMIUM,
                *_SWITCHES,
                f"--user-data-dir={folder}",
                "about:blank",
            ],
            pass_fds=[to_child, from_child],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._in, self._out, self._buffer = ours_in, ours_out, b""
        self._number, self._session = 0, None
        self._events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, page: Path, address: str = "", *, width: int = 1280, ready: str = "true") -> None:
        """Load a page of a file, with an address after #, and wait until an expression holds."""
        self._events.clear()
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=f"{page.absolute().as_uri()}{address and '#'}{address}")
        self.wait(f"document.readyState === 'complete' && location.href !== 'about:blank' && ({ready})")

    def wait(self, expression: str) -> None:
        """Wait until an expression holds. Raises TimeoutError with the page's text."""
        end = time.monotonic() + SECONDS
        while not self.value(expression):
            if time.monotonic() > end:
                said = str(self.value("document.body.innerText"))[:500]
                raise TimeoutError(f"never: {expression}; {self.complaints()}; {said}")
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript, which JSON can hold."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def complaints(self) -> list[str]:
        """Errors since the page was opened: of scripts, and of the policy that forbids things."""
        self.value("1")  # takes in what was sent before
        said = []
        for event in self._events:
            if event["method"] == "Runtime.exceptionThrown":
                said.append(str(event["params"]["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(event["params"]["entry"]["text"])
        return said

    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        self.value("1")
        wanted = [
            e["params"]["request"]["url"] for e in self._events if e["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in wanted if not url.startswith("data:")]

    def press(self, key: str) -> None:
        """Press a key, where the focus is."""
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key)

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        """The page as a picture."""
        import base64

        found = self._call("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))
        file.write_bytes(base64.b64decode(found["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return (
            {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
            if whole
            else {}
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while True:
            answer = self._next(end, method)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            if "method" in answer:
                self._events.append(answer)

    def _next(self, end: float, method: str) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise TimeoutError(f"no answer to {method}")
                found = os.read(self._in, 1 << 20)
                assert found, "the browser has ended"
                self._buffer += found
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)
