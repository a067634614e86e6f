"""A browser on a slow phone: what it shows when, what it asks for, what moves, and what is blank while it scrolls."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Response, sync_playwright

CHROMIUM = shutil.which("chromium") or "chromium"  # scripts/setup has looked for it
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
SLOWER = 4  # times: a cheap phone beside a computer
SIZE = {"width": 390, "height": 844}
PATIENCE = 60_000  # ms
SPEED = 8000  # px a second: a hard flick

# What a page notes of itself: first content, when `target` is there and nothing is being fetched, and what moved.
_WATCH = """
  const seen = window.seen = {first: 0, usable: 0, shift: 0}
  const watch = (type, each) => new PerformanceObserver(list => list.getEntries().forEach(each))
    .observe({type, buffered: true})
  watch('paint', one => { if (one.name === 'first-contentful-paint') seen.first = one.startTime })
  watch('layout-shift', one => { if (!one.hadRecentInput) seen.shift += one.value })
  new MutationObserver(() => {
    if (!seen.usable && document.querySelector(TARGET) && !document.querySelector('[role=status]')) {
      seen.usable = -1
      requestAnimationFrame(() => { seen.usable = performance.now() })
    }
  }).observe(document, {childList: true, subtree: true, attributes: true})
"""

# The share of pictures' height that is one colour from side to side for longer than 100 px: nothing stands there.
_BLANK = """async ([pictures, top]) => {
  const canvas = document.createElement('canvas')
  const shares = []
  for (const picture of pictures) {
    const image = new Image()
    image.src = `data:image/png;base64,${picture}`
    await image.decode()
    const {width, height} = image
    Object.assign(canvas, {width, height})
    const paper = canvas.getContext('2d', {willReadFrequently: true})
    paper.drawImage(image, 0, 0)
    const {data} = paper.getImageData(0, 0, width - 4, height)
    const from = Math.round(top * height / 844), least = Math.round(100 * height / 844)
    let blank = 0, run = 0
    const end = () => { if (run > least) blank += run; run = 0 }
    for (let y = from; y < height; y++) {
      const at = y * (width - 4) * 4
      let isPlain = true
      for (let x = 4; isPlain && x < (width - 4) * 4; x += 4)
        isPlain = Math.abs(data[at + x] - data[at]) < 12 && Math.abs(data[at + x + 2] - data[at + 2]) < 12
      if (isPlain) run++
      else end()
    }
    end()
    shares.push(blank / (height - from))
  }
  return shares
}"""


@dataclass
class Shown:
    """One page, opened: ms until its first content, and until it was whole; what moved (CLS); what it fetched."""

    first: float
    usable: float
    shift: float
    calls: int  # to the functions
    scripts: int  # bytes of JavaScript, gzipped
    files: int


@dataclass
class Scrolled:
    """A list, scrolled to its end: the mean share of the screen that was blank, and the worst picture's."""

    blank: float
    worst: float
    pictures: int
    longest_frame_ms: float


@dataclass
class _Heard:
    calls: int = 0
    files: int = 0
    scripts: list[bytes] = field(default_factory=list)

    def hear(self, answer: Response) -> None:
        if "/api/" in answer.url:
            self.calls += 1
        elif answer.request.resource_type in ("script", "stylesheet", "document"):
            self.files += 1
            if answer.request.resource_type == "script":
                self.scripts.append(answer.body())


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """One Chromium. In a thread of its own: two of these can't be in one."""
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


def phone(of: Browser, kept: dict[str, Any]) -> BrowserContext:
    """A phone with this in its storage, as the framework writes it, and with no way to other addresses."""
    context = of.new_context(viewport=SIZE, locale="zh-CN")  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.route(lambda address: not address.startswith("http://127.0.0.1"), lambda route: route.abort())
    for name, value in kept.items():
        text = json.dumps({"type": "string" if isinstance(value, str) else "object", "data": value})
        context.add_init_script(f"localStorage.getItem({name!r}) ?? localStorage.setItem({name!r}, {json.dumps(text)})")
    return context


def left_by(context: BrowserContext) -> dict[str, Any]:
    """What pages have left in a phone's storage."""
    return {one["name"]: json.loads(one["value"])["data"] for origin in context.storage_state()["origins"]
            for one in origin["localStorage"]}


def slow(page: Page) -> CDPSession:
    """Make its processor as slow as a cheap phone's."""
    line = page.context.new_cdp_session(page)
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return line


def opened(context: BrowserContext, address: str, target: str) -> Shown:
    """Open an address until ``target`` (CSS) is there and nothing is being fetched any more."""
    page, heard = context.new_page(), _Heard()
    page.add_init_script(f"const TARGET = {target!r};{_WATCH}")
    page.on("response", heard.hear)
    slow(page)
    page.goto(address)
    page.wait_for_function("window.seen.usable > 0 && window.seen.first > 0")
    page.wait_for_timeout(300)  # what moves because of what came
    seen = page.evaluate("window.seen")
    page.close()
    return Shown(seen["first"], seen["usable"], seen["shift"], heard.calls,
                 sum(len(gzip.compress(one, 6)) for one in heard.scripts), heard.files)


def scrolled(page: Page, rows: str, count: int, top: int) -> Scrolled:
    """Flick until ``count`` elements ``rows`` (CSS) are there and the end is reached; ``top``: px that do not move."""
    line, pictures = slow(page), list[str]()

    def keep(frame: dict[str, Any]) -> None:
        pictures.append(frame["data"])
        line.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    line.on("Page.screencastFrame", keep)
    page.evaluate("""() => {
      window.longest = 0
      let last = performance.now()
      const next = now => {
        window.longest = Math.max(window.longest, now - last)
        last = now
        requestAnimationFrame(next)
      }
      requestAnimationFrame(next)
    }""")
    line.send("Page.startScreencast", {"format": "png", "maxWidth": 130, "maxHeight": 282, "everyNthFrame": 2})
    for _ in range(count):
        there, at_end = page.evaluate("""rows => [document.querySelectorAll(rows).length,
            scrollY + innerHeight >= document.documentElement.scrollHeight - 4]""", rows)
        if there >= count and at_end:
            break
        line.send("Input.synthesizeScrollGesture", {
            "x": 195, "y": 500, "yDistance": -8000, "speed": SPEED, "gestureSourceType": "mouse",
            "preventFling": True})
    else:
        raise RuntimeError(f"the list has {there} of {count} rows after as many flicks; at its end: {at_end}")
    line.send("Page.stopScreencast")
    longest = page.evaluate("window.longest")
    reader = page.context.browser.new_page()  # type: ignore[union-attr]
    shares = reader.evaluate(_BLANK, [pictures, top])
    reader.close()
    return Scrolled(sum(shares) / len(shares), max(shares), len(shares), longest)
