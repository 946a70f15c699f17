"""Chromium without a window, driven by its DevTools protocol over a pair of pipes.

Nothing but Python itself is needed. One browser serves many pages: each has a context of its own, as if
nobody had been there before.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = float(os.environ.get("LARDER_PATIENCE_S", "20"))


class Browser:
    """One browser."""

    def __init__(self):
        program = shutil.which("chromium")
        assert program, "no chromium: `make deps` installs it"
        self.folder = tempfile.TemporaryDirectory(prefix="larder-browser-")
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        flags = [
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={self.folder.name}",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--force-color-profile=srgb",
            "--hide-scrollbars",
        ]
        # Its sandbox needs what root in a container does not have; it sees no page but ours.
        if os.geteuid() == 0:
            flags.append("--no-sandbox")

        def set_up():
            # What it reads from and writes to has these numbers. Neither may be lost to the other.
            low, high = os.dup2(commands, 20), os.dup2(answers, 21)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(
            [program, *flags, "about:blank"],
            pass_fds=(3, 4),
            preexec_fn=set_up,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self.last = 0
        self.input = b""
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            self.folder.cleanup()

    def call(self, method, session=None, **arguments):
        """Asks for something and waits for the answer; events that come before it are kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": arguments}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            told = self._next(deadline)
            assert told, f"{method}: no answer"
            if told.get("id") == self.last:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]

    def drain(self):
        """Takes in what has come by now."""
        while self._next(time.monotonic()):
            pass

    def _next(self, deadline):
        while b"\0" not in self.input:
            patience = max(0, deadline - time.monotonic())
            if not select.select([self.answers], [], [], patience)[0]:
                return None
            piece = os.read(self.answers, 1 << 20)
            assert piece, "the browser has ended"
            self.input += piece
        message, self.input = self.input.split(b"\0", 1)
        told = json.loads(message)
        if "method" in told:
            self.events.append(told)
        return told

    def page(self, **settings):
        """A new page, see `Page`."""
        return Page(self, **settings)


class Page:
    """One page, in a context of its own."""

    def __init__(self, browser, width=1280, height=900, scripts=True, dark=False):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )
        self.session = browser.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def call(self, method, **arguments):
        return self.browser.call(method, self.session, **arguments)

    def events(self, method):
        """What has happened so far."""
        self.browser.drain()
        events = self.browser.events
        mine = [event for event in events if event.get("sessionId") == self.session]
        return [event["params"] for event in mine if event["method"] == method]

    def open(self, url):
        """Goes there and waits until it has loaded."""
        before = len(self.events("Page.loadEventFired"))
        self.call("Page.navigate", url=url)
        self.wait(lambda: len(self.events("Page.loadEventFired")) > before, f"{url} to load")

    def eval(self, expression):
        """What an expression is worth; promises are waited for. Works without scripts of the page's own, too."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def await_true(self, expression):
        """Waits until an expression is true."""
        self.wait(lambda: self.eval(expression), expression)

    def wait(self, done, what):
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.05)

    def text(self, selector):
        """The text of an element."""
        return self.eval(f"document.querySelector({json.dumps(selector)}).textContent")

    def press(self, key, code=0, text=""):
        """Presses and releases a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if kind == "keyDown" and text else {}),
            )

    def screenshot(self, file):
        """Keeps what is seen now."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(file, "wb") as out:
            out.write(base64.b64decode(data))

    def complaints(self):
        """What the browser had to say against the page: errors, warnings, broken policies."""
        console = [
            event
            for event in self.events("Runtime.consoleAPICalled")
            if event["type"] in ("error", "warning", "assert")
        ]
        entries = [event["entry"] for event in self.events("Log.entryAdded")]
        entries = [entry for entry in entries if entry["level"] in ("error", "warning")]
        issues = [event["issue"] for event in self.events("Audits.issueAdded")]
        thrown = self.events("Runtime.exceptionThrown")
        return [*console, *entries, *issues, *thrown]
