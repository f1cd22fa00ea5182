"""A headless Chromium that tests open pages in, by its DevTools protocol on two pipes.

The protocol: https://chromedevtools.github.io/devtools-protocol/; messages are JSON, each ended by
a NUL byte, and are read from file descriptor 3 and written to 4 (``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]
NAMES = ("chromium", "chromium-browser", "google-chrome")
LONGEST_WAIT_S = 240
"""Before a browser that does not answer fails the test."""
KEYS = {"Tab": 9, "Enter": 13, " ": 32}
"""Windows virtual key codes."""
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


def chromium() -> str:
    """The path of the browser. A missing one fails the test: ``make test`` installs it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path is not None, "Chromium is missing (Debian: apt-get install chromium)"
    return path


class Browser:
    """One window of a browser, and the errors that its pages reported."""

    def __init__(self, reader: int, writer: int) -> None:
        self.errors: list[str] = []
        self._reader, self._writer = reader, writer
        self._buffer = b""
        self._events: list[Json] = []
        self._number = 0
        self._session: str | None = None

    def attach(self) -> None:
        """Open an empty page and listen to its errors."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Json:
        """The result of a command of the protocol."""
        self._number += 1
        message: Json = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        answer = self._message(lambda m: m.get("id") == message["id"])
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return dict(answer["result"])

    def open(self, path: Path, scheme: str = "light") -> None:
        """Load a page as someone sees it whose system has a light or dark colour scheme."""
        self.emulate(scheme)
        self._events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._message(lambda message: message.get("method") == "Page.loadEventFired")

    def emulate(self, scheme: str, media: str = "screen") -> None:
        """Set the colour scheme and the medium, ``screen`` or ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer.get("exceptionDetails")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key of `KEYS`."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        down = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=down, text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def screenshot(self, width: int = 1280, height: int = 900) -> bytes:
        """A PNG of the top of the page."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def _message(self, is_wanted: Any) -> Json:
        """The next message that is wanted; events that came before it are looked at first."""
        end = time.monotonic() + LONGEST_WAIT_S
        while True:
            for number, message in enumerate(self._events):
                if is_wanted(message):
                    return self._events.pop(number)
            self._read(end)

    def _read(self, end: float) -> None:
        ready, _, _ = select.select([self._reader], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"The browser did not answer within {LONGEST_WAIT_S} s"
        received = os.read(self._reader, 1 << 16)
        assert received, "The browser ended"
        *messages, self._buffer = (self._buffer + received).split(b"\0")
        for text in messages:
            message = json.loads(text)
            self._events.append(message)
            self._note_error(message)

    def _note_error(self, message: Json) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(str(params["entry"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.errors.append(str(params["args"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with its own profile folder; it is ended afterwards."""
    (to_child, to_browser), (from_browser, from_child) = os.pipe(), os.pipe()
    # A shell gives the pipes the numbers 3 and 4, whatever theirs are here.
    redirect = f'exec "$@" 3<&{to_child} 4>&{from_child}'
    command = [chromium(), *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        ["bash", "-c", redirect, "browser", *command],
        pass_fds=(to_child, from_child),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_child)
    os.close(from_child)
    try:
        window = Browser(from_browser, to_browser)
        window.attach()
        yield window
    finally:
        process.kill()
        process.wait()
        os.close(to_browser)
        os.close(from_browser)
