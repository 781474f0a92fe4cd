"""The report in a real browser, with JavaScript off: from a file, as it arrives by mail, and as a viewer of stored files serves it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from bench.field.report import with_long_error
from reports import Context, NotTested, build, render, write
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, NULL, SHAM, ZONE_LOST
from testing.pages.viewer import CHROMIUM, POLICY, look, opened, served

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
    with opened() as browser:
        yield browser


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


def test_it_is_readable_where_its_style_sheet_is_forbidden(browser: Browser, index: Path) -> None:
    """GitHub and Jenkins serve what a build has left with a policy that lets no style sheet inside a page act."""
    with served(index.parent, "") as address:
        styled = look(browser, f"{address}/{index.name}")
    with served(index.parent, POLICY) as address:
        plain = look(browser, f"{address}/{index.name}")
    assert (styled.styled, plain.styled) == (True, False)
    assert plain.paints == styled.paints
    assert plain.black_share == 0
    assert plain.plot[0] > 700
    assert plain.largest_icon <= 16
    assert plain.width <= 1280


@pytest.mark.parametrize("width", [390, 1280])
def test_an_error_that_is_one_long_word_wraps(browser: Browser, index: Path, tmp_path: Path, width: int) -> None:
    run = write_run(tmp_path, ENGINE_FROZEN)
    page = write(with_long_error(build([run], Context())), tmp_path / "out")
    with served(page.parent, "") as address:
        assert look(browser, f"{address}/{page.name}", width).width <= width
