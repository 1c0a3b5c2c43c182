"""A running Turvakaart and the browser that visits it, for tools that look at the product from outside."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

import problems

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "data" / "ee"
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PATIENCE_S = 180.0

# Set in every page before its own scripts; the page's policy forbids eval, so that Python cannot wait for
# a condition inside the page and this watches for it from frame to frame.
_WATCH = """(() => {
  let open = 0;
  const ask = window.fetch;
  window.fetch = async (...what) => {
    open += 1;
    try {
      return await ask(...what);
    } catch (error) {
      open -= 1;
      throw error;
    }
  };
  for (const name of ["arrayBuffer", "json", "text"]) {
    const read = Response.prototype[name];
    Response.prototype[name] = async function () {
      try {
        return await read.call(this);
      } finally {
        open -= 1;
      }
    };
  }
  const loaded = () => document.readyState === "complete" && document.querySelector(".leaflet-pane canvas");
  const finished = () => loaded() && open === 0 && (READY);
  const look = () => {
    if (!finished()) requestAnimationFrame(look);
    else requestAnimationFrame(() => requestAnimationFrame(() => (window.visitDrawn = performance.now())));
  };
  requestAnimationFrame(look);
  window.visitWaits = () => open > 0;
})()"""
_PAINTED = """[...document.querySelectorAll("canvas")].reduce((sum, canvas) => {
  const seen = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return sum + seen.reduce((count, value, i) => count + (i % 4 === 3 && value > 0), 0);
}, 0)"""


@dataclass(frozen=True)
class Site:
    """A map to visit. `ready` is JavaScript that is true when the page calls its map finished."""

    address: str
    ready: str = 'document.documentElement.dataset.map === "ready"'


@dataclass(frozen=True)
class Screen:
    """What a visitor holds: its size in CSS pixels and its pixels for each of them."""

    width: int
    height: int
    scale: int = 1
    phone: bool = False


@dataclass(frozen=True)
class Running:
    """A server of ours. `started_s` lies between the command and its first answer with status 200."""

    address: str
    started_s: float


@contextmanager
def serving(state: Path, instance: Path = INSTANCE, *, workers: int = 1) -> Iterator[Running]:
    """Serves an instance, Estonia at first, from a store in `state`, which the first start makes."""
    port = free_port()
    line = [sys.executable, "-m", "webmap.cli", "serve", "--port", str(port), "--no-browser"]
    line += ["--workers", str(workers)]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WEBMAP_")}
    ours |= {"WEBMAP_STATE": str(state), "WEBMAP_INSTANCE": str(instance)}
    begun = time.perf_counter()
    process = subprocess.Popen(line, cwd=ROOT, env=ours, stdout=subprocess.DEVNULL)
    try:
        _wait_for_answer(process, port)
        yield Running(f"http://127.0.0.1:{port}", time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    """A port of this computer that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    latest = time.monotonic() + _PATIENCE_S
    while time.monotonic() < latest and process.poll() is None:
        if _status(port) == http.client.OK:
            return
        time.sleep(0.01)
    raise problems.Problem("Turvakaart did not start: see what it said above.")


def _status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/et/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium without a window; WEBMAP_TEST_CHROMIUM names another one."""
    names = (os.environ.get("WEBMAP_TEST_CHROMIUM", ""), *_CHROMIUMS)
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path is None:
        raise problems.Problem("Chromium is not installed. On Debian: sudo apt install chromium")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, site: Site, screen: Screen) -> Iterator[Page]:
    """An empty page with an empty cache, prepared to say when the site is drawn."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=screen.scale,
        is_mobile=screen.phone,
        has_touch=screen.phone,
        reduced_motion="reduce",
        service_workers="block",  # What is kept for later would weigh on the visit that is measured.
    )
    context.add_init_script(_WATCH.replace("READY", site.ready))
    try:
        yield context.new_page()
    finally:
        context.close()


def drawn_ms(page: Page) -> float:
    """Waits until the page is drawn; the milliseconds from the start of its navigation until then.

    Drawn means: the document is loaded, the site calls its map finished, every answer that its scripts
    asked for has been read, and two animation frames have passed since.
    """
    latest = time.monotonic() + _PATIENCE_S
    while time.monotonic() < latest:
        if found := page.evaluate("window.visitDrawn"):
            return float(found)
        page.wait_for_timeout(50)
    raise problems.Problem(f"{page.url} was not drawn within {_PATIENCE_S:.0f} s.")


def painted(page: Page) -> int:
    """How many pixels of the page's canvases hold a colour."""
    return int(page.evaluate(_PAINTED))
