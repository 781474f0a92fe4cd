"""A report as a viewer of stored files shows it: served over HTTP with a policy that forbids style sheets, opened in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

from testing.answering import answering

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("--disable-background-networking", "--disable-sync", "--no-first-run", "--disable-component-update")
SANDBOX = ("--no-sandbox", "--disable-gpu")  # tests may run as root and without a display
POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"
"""What GitHub and Jenkins send with the files of a build: no script, no style sheet inside the page, no origin."""
OPEN = "details:not([open]) > summary"
PAINTS = "all => all.map(one => getComputedStyle(one).fill)"


class Look(NamedTuple):
    """What a browser shows of a page (px)."""

    styled: bool  # whether the page's own style sheet was let in
    paints: frozenset[str]  # of what the plots are made of
    black_share: float  # of the shapes of the plots that are filled with black
    plot: tuple[float, float]  # width and height of the first plot; 0: it has none
    largest_icon: float
    width: float  # of the page, as far as it can be scrolled


class _Handler(SimpleHTTPRequestHandler):
    policy = ""

    def end_headers(self) -> None:
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, policy: str = POLICY) -> Iterator[str]:
    """Serve ``folder`` on a free port with ``policy`` and yield its address."""
    handler = type("Handler", (_Handler,), {"policy": policy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def opened() -> Iterator[Browser]:
    """Start Debian's chromium and yield it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *SANDBOX])
        try:
            yield browser
        finally:
            browser.close()


def look(browser: Browser, url: str, width: int = 1280, shot: Path | None = None) -> Look:
    """Open ``url`` with everything unfolded and say what is shown; ``shot`` keeps a picture of it."""
    page = browser.new_context(java_script_enabled=False, color_scheme="light", viewport={"width": width, "height": 1000}).new_page()
    page.goto(url)
    while page.locator(OPEN).count():
        page.locator(OPEN).first.click()
    if shot is not None:
        page.screenshot(path=shot, full_page=True)
    shapes = page.locator("svg.plot path, svg.plot rect")
    fills: list[str] = shapes.evaluate_all(PAINTS)
    sizes = [(one["width"], one["height"]) for icon in page.locator("svg.icon").all() if (one := icon.bounding_box())]
    plots = page.locator("svg.plot")
    plot = plots.first.bounding_box() if plots.count() else None
    shown = Look(
        styled=page.locator("body").evaluate("one => getComputedStyle(one).margin") == "0px",
        paints=frozenset(fills),
        black_share=fills.count("rgb(0, 0, 0)") / max(1, len(fills)),
        plot=(plot["width"], plot["height"]) if plot else (0.0, 0.0),
        largest_icon=max((max(size) for size in sizes), default=0.0),
        width=page.locator("html").evaluate("one => one.scrollWidth"),
    )
    page.context.close()
    return shown
