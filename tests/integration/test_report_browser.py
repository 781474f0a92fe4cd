"""The report in a real browser, from a file, with JavaScript off: what a reviewer sees when it arrives by mail."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from reports import Context, NotTested, render
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, NULL, SHAM, ZONE_LOST

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("--disable-background-networking", "--disable-sync", "--no-first-run", "--disable-component-update")
SANDBOX = ("--no-sandbox", "--disable-gpu")  # tests may run as root and without a display

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's package chromium: apt-get install chromium")


@dataclass(slots=True)
class Visit:
    """A page that was opened, and everything that the browser said or asked for meanwhile."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    runs = [write_run(root, scenario) for scenario in (ENGINE_FROZEN, ZONE_LOST, NULL, SHAM)]
    refused = NotTested(id="<b>x</b>/y", kind="refused", reason="<script>document.title='obeyed'</script>")
    return render(runs, root / "out", Context(not_tested=(refused,)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *SANDBOX])
        yield browser
        browser.close()


def visit(browser: Browser, index: Path, scheme: Literal["light", "dark"], width: int = 1280) -> Visit:
    context = browser.new_context(java_script_enabled=False, color_scheme=scheme, viewport={"width": width, "height": 1000})
    visited = Visit(context.new_page())
    visited.page.on("console", lambda message: visited.said.append(message.text))
    visited.page.on("pageerror", lambda error: visited.said.append(str(error)))
    visited.page.on("request", lambda request: visited.asked.append(request.url))
    visited.page.goto(index.as_uri())
    return visited


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_complete_without_script_and_network(browser: Browser, index: Path, scheme: Literal["light", "dark"]) -> None:
    visited = visit(browser, index, scheme)
    assert visited.said == []
    assert visited.asked == [index.as_uri()]
    page = visited.page
    for text in (
        "1 of 4 experiments over budget",
        "What was not tested",
        "<script>document.title",
        "What users were told",
        "How well it was measured",
    ):
        assert page.get_by_text(text).first.is_visible(), text
    assert "obeyed" not in page.title()
    plots = page.locator("svg.plot")
    assert plots.count() == 4
    assert plots.first.is_visible()
    box = plots.first.bounding_box()
    assert box is not None
    assert box["width"] > 700
    assert box["height"] > 300


def test_a_closed_experiment_opens_by_a_click(browser: Browser, index: Path) -> None:
    page = visit(browser, index, "light").page
    ident = page.locator("details.experiment:not([open])").first.get_attribute("id")
    plot = page.locator(f"#{ident} svg.plot")
    assert not plot.is_visible()
    page.locator(f"#{ident} > summary").click()
    assert plot.is_visible()


def test_light_and_dark_are_two_looks_with_readable_text(browser: Browser, index: Path) -> None:
    looks = {scheme: visit(browser, index, scheme).page for scheme in ("light", "dark")}
    shots = {scheme: page.screenshot() for scheme, page in looks.items()}
    assert all(struct.unpack(">II", shot[16:24]) == (1280, 1000) for shot in shots.values())
    assert shots["light"] != shots["dark"]


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_nothing_sticks_out_of_the_page(browser: Browser, index: Path, width: int) -> None:
    page = visit(browser, index, "light", width).page
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] <= width
    shown = page.screenshot(full_page=True)
    assert struct.unpack(">I", shown[16:20])[0] == width


def test_print_shows_what_is_folded(browser: Browser, index: Path) -> None:
    page = visit(browser, index, "dark").page
    page.emulate_media(media="print")
    folded = page.locator("details.experiment:not([open]) svg.plot").first
    assert folded.is_visible()
    box = folded.bounding_box()
    assert box is not None
    assert box["height"] > 100
