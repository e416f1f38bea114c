"""Takes pictures of a page with headless Chromium, over its debugging pipe.

    chromium.py URL FILE.png:WIDTHxHEIGHT...

A window of Chromium cannot be narrower than about 500 pixels, so the size is set as a device's, which also gives a phone's pixel ratio. A
page is photographed when <html data-settled="yes"> is there; one that settles as anything else, or not within 20 seconds, is an error.
Needs nothing but Python's standard library.
"""

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--mute-audio", "--remote-debugging-pipe", "about:blank",
]
PATIENCE = 20


class Browser:
    """A Chromium that is told what to do by JSON messages, each ended by a zero byte, on its descriptors 3 and 4."""

    def __init__(self, profile):
        command_read, self.commands = os.pipe()
        self.answers, answer_write = os.pipe()

        def plumb():
            # First out of the way of each other, then to where Chromium looks for them.
            reading, writing = os.dup2(command_read, 20), os.dup2(answer_write, 21)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            ["chromium", f"--user-data-dir={profile}", *FLAGS],
            preexec_fn=plumb, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self.pending = b""
        self.number = 0

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.read(deadline, method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"chromium refuses {method}: {answer['error']['message']}")
                return answer["result"]

    def read(self, deadline, method):
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.answers], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.answers, 1 << 20) if ready else b""
            if not chunk:
                raise SystemExit(f"chromium does not answer {method}")
            self.pending += chunk
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def stop(self):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (SystemExit, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def photograph(browser, url, file, width, height):
    phone = width < 700
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.call(
        "Emulation.setDeviceMetricsOverride", session,
        width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
    )
    browser.call("Page.enable", session)
    browser.call("Page.navigate", session, url=url)

    def evaluate(expression):
        answer = browser.call("Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    deadline = time.monotonic() + PATIENCE
    # While the page is being loaded there may be no document to ask.
    while not (settled := evaluate("document.documentElement?.dataset.settled")):
        if time.monotonic() > deadline:
            raise SystemExit(f"{url} has not settled within {PATIENCE} s")
        time.sleep(0.05)
    if settled != "yes":
        raise SystemExit(f"{url} failed: {evaluate('document.body.innerText')}")
    script = os.environ.get("SCREENSHOT_SCRIPT")
    if script:
        evaluate(script)
    # Fonts are there, and what was changed last is drawn.
    evaluate("document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200)))))")
    overflow = evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow:
        raise SystemExit(f"{url} is {overflow} pixels wider than {width}")
    picture = browser.call("Page.captureScreenshot", session, format="png")
    with open(file, "wb") as out:
        out.write(base64.b64decode(picture["data"]))
    browser.call("Target.closeTarget", targetId=target)


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    url, pictures = sys.argv[1], []
    for argument in sys.argv[2:]:
        file, _, size = argument.rpartition(":")
        width, _, height = size.partition("x")
        pictures.append((file, int(width), int(height)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            for file, width, height in pictures:
                photograph(browser, url, file, width, height)
        finally:
            browser.stop()


main()
