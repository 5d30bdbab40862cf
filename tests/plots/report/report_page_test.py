#!/usr/bin/env python3
"""Opens sample reports in headless Chromium and looks at them as a reader would.

report_page_test.py WRITE_SAMPLE_REPORT CHROMIUM

Speaks the DevTools protocol over a pipe, with the standard library alone. For every sample and two widths: nothing
on the console, no request but for the page itself, every figure visible inside the page's width, no horizontal
scrolling, heatmaps painted, choices and pointer answered, and no script from a checkpoint's or a domain's name run.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

WIDTHS = (1280, 400)  # at which everything is tried
MORE_WIDTHS = (1920, 768)  # at which one report is looked at
NARROW = 760  # below, the navigation scrolls

LOOK = """(() => {
  const visible = (node) => {
    const box = node.getBoundingClientRect();
    return { left: box.left, right: box.right, width: box.width, height: box.height };
  };
  const painted = (canvas) => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    const colors = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3]) colors.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    return colors.size;
  };
  return {
    page: document.documentElement.scrollWidth,
    figures: [...document.querySelectorAll('figure')].map((figure) => ({
      id: figure.id,
      pictures: [...figure.querySelectorAll('.chart svg, canvas')].map(visible).filter((box) => box.width > 0),
      colors: [...figure.querySelectorAll('canvas')].map(painted),
      zero: figure.querySelector('.zero') !== null,
      cut: [...figure.querySelectorAll('.controls > *, .key, .key span')].filter((part) =>
        visible(part).right > visible(figure).right).map((part) => part.textContent),
    })),
    navigation: (({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('nav ul')),
  };
})()"""

# Moves every choice, points at every picture and opens every table; returns what did not react.
USE = """(() => {
  const silent = [];
  const tooltip = document.getElementById('tooltip');
  for (const control of document.querySelectorAll('.controls input[type=range], .controls select')) {
    const canvas = control.closest('.heatmap').querySelector('canvas');
    const before = canvas.getAttribute('aria-label');
    control.value = control.value === '0' ? '1' : '0';
    control.dispatchEvent(new Event(control.tagName === 'SELECT' ? 'change' : 'input'));
    if (canvas.getAttribute('aria-label') === before) silent.push('choice: ' + before);
  }
  for (const picture of document.querySelectorAll('.chart svg, canvas')) {
    const box = picture.getBoundingClientRect();
    if (box.width === 0) continue;
    tooltip.hidden = true;
    for (let i = 0; i < 400 && tooltip.hidden; i++) {
      const at = { clientX: box.left + box.width * (i % 20) / 20, clientY: box.top + box.height * Math.floor(i / 20) / 20 };
      picture.dispatchEvent(new PointerEvent('pointermove', at));
    }
    if (tooltip.hidden || !tooltip.textContent) silent.push('pointer: ' + picture.closest('figure').id);
    picture.dispatchEvent(new PointerEvent('pointerleave'));
  }
  for (const details of document.querySelectorAll('details')) details.open = true;
  return silent;
})()"""

# What the key of the single experts' drift says as it opens, and with colours for all checkpoints.
SCALES = """(() => {
  const root = document.querySelector('.heatmap[data-figure=expert_drift]');
  const list = root.querySelector('.scale select');
  const key = (value) => {
    list.value = value;
    list.dispatchEvent(new Event('change'));
    return [...root.querySelectorAll('.key .bar span')].map((tick) => tick.textContent);
  };
  const first = list.value;
  return { first, choices: [...list.options].map((option) => option.textContent), all: key('1'), own: key('0') };
})()"""

TABLES = "[...document.querySelectorAll('details.numbers')].filter((d) => !d.querySelector('td')).length"


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, program, profile):
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # The browser reads commands from descriptor 3 and writes to 4; move ours out of the way first.
        high = [os.dup(d) for d in (to_browser, from_browser)]
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        shell = ["bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]}', "bash", *command]
        self._process = subprocess.Popen(shell, pass_fds=high, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for descriptor in (to_browser, from_browser, *high):
            os.close(descriptor)
        self._buffer, self._next, self.events = b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self):
        while b"\0" not in self._buffer:
            chunk = os.read(self._in, 1 << 16)
            if not chunk:
                raise RuntimeError("the browser has gone")
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self._next += 1
        message = {"id": self._next, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url, width):
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def close(self):
        self._process.terminate()
        self._process.wait()


def complaints(events, url):
    """What the console, the network or a dialog had to say."""
    found = []
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening", "Log.entryAdded"):
            found.append(f"{method}: {json.dumps(parameters)[:300]}")
        if method == "Network.requestWillBeSent":
            requested = parameters["request"]["url"]
            if requested != url and not requested.startswith("data:"):
                found.append(f"request: {requested[:200]}")
    return found


def check_look(look, width):
    problems = []
    if look["page"] > width:
        problems.append(f"the page is {look['page']} px wide")
    if look["navigation"] > 0 and width > NARROW:
        problems.append("the navigation is cut off")
    if not look["figures"]:
        problems.append("no figures")
    for figure in look["figures"]:
        if figure["cut"]:
            problems.append(f"{figure['id']}: cut off: {figure['cut']}")
        if len(figure["pictures"]) != (0 if figure["zero"] else 1):
            problems.append(f"{figure['id']}: {len(figure['pictures'])} visible pictures")
        for box in figure["pictures"]:
            if box["width"] < 200 or box["height"] < 50 or box["left"] < 0 or box["right"] > width:
                problems.append(f"{figure['id']}: {box}")
        if any(colors < 3 for colors in figure["colors"]):
            problems.append(f"{figure['id']}: an empty heatmap")
    return problems


def check_scales(scales):
    problems = []
    if scales["choices"] != ["this checkpoint", "all"] or scales["first"] != "0":
        problems.append(f"colours are for {scales['first']} of {scales['choices']}")
    if float(scales["own"][0]) <= float(scales["all"][0]):  # the last checkpoint is far from the first step
        problems.append(f"keys {scales['own']}, {scales['all']}")
    for key in (scales["own"], scales["all"]):
        if len(set(key)) != len(key):
            problems.append(f"a key that says the same twice: {key}")
    return problems


def check_report(browser, report, width):
    url = report.as_uri()
    browser.open(url, width)
    problems = check_look(browser.evaluate(LOOK), width)
    problems += check_scales(browser.evaluate(SCALES))
    problems += browser.evaluate(USE)
    if browser.evaluate(TABLES):
        problems.append("a table of numbers stays empty")
    problems += check_look(browser.evaluate(LOOK), width)
    return problems + complaints(browser.events, url)


def main(write_sample_report, chromium):
    failures = 0
    with tempfile.TemporaryDirectory(prefix="moescope_report_", ignore_cleanup_errors=True) as directory:
        root = pathlib.Path(directory)
        subprocess.run([write_sample_report, root], check=True, cwd=root)
        browser = Browser(chromium, root / "profile")
        try:
            for report in sorted(root.glob("*/report.html")):
                for width in WIDTHS:
                    problems = check_report(browser, report, width)
                    failures += len(problems)
                    print(f"{report.parent.name} at {width} px:", "; ".join(problems) or "good")
            for width in MORE_WIDTHS:
                browser.open((root / "small" / "report.html").as_uri(), width)
                problems = check_look(browser.evaluate(LOOK), width)
                failures += len(problems)
                print(f"small at {width} px:", "; ".join(problems) or "good")
        finally:
            browser.close()
        if list(root.glob("**/pwned")):
            failures += 1
            print("a name was executed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
