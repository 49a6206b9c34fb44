"""Headless Chromium in a namespace, driven by the DevTools protocol over a pair of pipes: nothing listens anywhere."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from netns import inside

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
         "--disable-features=Translate,OptimizationHints,MediaRouter", "--force-color-profile=srgb", "--hide-scrollbars",
         "--no-default-browser-check", "--no-pings", "--metrics-recording-only", "--password-store=basic",
         "--remote-debugging-pipe"]
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36,
        "End": 35}


class Browser:
    """One browser with one page. Notes what the page says to its console and whom it asks."""

    def __init__(self, namespace=None, seconds=20):
        self.profile = tempfile.mkdtemp(prefix="ecmp-chromium-")
        ours, theirs = os.pipe(), os.pipe()  # what we write, what it writes
        command = ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "bash",
                   *(inside(namespace) if namespace else []), "chromium", *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        # A home of its own: Debian's wrapper looks for settings there.
        environment = {**os.environ, "HOME": self.profile, "XDG_CONFIG_HOME": self.profile, "LANG": "C.UTF-8", "TZ": "UTC"}
        environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
        self.process = subprocess.Popen(command, pass_fds=(ours[0], theirs[1]), env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(ours[0])
        os.close(theirs[1])
        self.out, self.into = ours[1], theirs[0]
        self.buffer = b""
        self.number = 0
        self.session = None
        self.console, self.requests, self.failed = [], [], []
        try:
            self.deadline = seconds
            target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
            self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, 15)  # the session is ours: the browser and its helpers
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
        self.process.wait()
        for descriptor in (self.out, self.into):
            os.close(descriptor)
        shutil.rmtree(self.profile, ignore_errors=True)

    # --- the protocol ---

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self.deadline
        while True:
            answer = self._receive(deadline)
            if answer is None:
                raise AssertionError(f"the browser did not answer {method} within {self.deadline} s")
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.into], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            piece = os.read(self.into, 1 << 20)
            if not piece:
                raise AssertionError(f"the browser has ended with {self.process.poll()}")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        self._note(message)
        return message

    def _note(self, message):
        method, given = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(one.get("value", one.get("description"))) for one in given["args"]))
        elif method == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif method == "Network.loadingFailed":
            self.failed.append(given.get("errorText"))

    # --- what a person does ---

    def resize(self, width, height, mobile=False):
        self.mobile = mobile
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, dark):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", 15)

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)

    def run(self, expression):
        """The value of an expression in the page."""
        result = self.evaluate(expression)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def until(self, expression, seconds=10):
        """The first true value of an expression. While a page is on its way to another, what is asked for may not exist."""
        deadline = time.monotonic() + seconds
        while True:
            result = self.evaluate(expression)
            if "exceptionDetails" not in result and result["result"].get("value"):
                return result["result"]["value"]
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {expression}\n{self.run('document.body.innerText')}\n{self.console}")
            time.sleep(0.05)

    def middle(self, selector):
        place = self.run(f"""(() => {{ const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: 'center', inline: 'center', behavior: 'instant'}});
            const box = one.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; }})()""")
        return place

    def hover(self, selector):
        x, y = self.middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector):
        x, y = self.middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def away(self):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)

    def press(self, key):
        more = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        code = KEYS.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown" if more else "rawKeyDown", key=key, code=key, windowsVirtualKeyCode=code, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path, whole=True):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        before = self.run("[innerWidth, innerHeight]")
        if whole:
            # On a desk the page scrolls inside; for the picture the window grows until nothing has to scroll.
            width, height = self.run("""[innerWidth, Math.max(document.documentElement.scrollHeight, innerHeight,
                innerHeight + document.querySelector('main').scrollHeight - document.querySelector('main').clientHeight)]""")
            self.resize(width, height, self.mobile)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        if whole:
            self.resize(*before, self.mobile)
