"""axe-core finds nothing on any page: names, order of headings, contrast (AA) in light and dark, tables, what scrolls by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from bench.nights.worlds import World
from nights.side_by_side import side_by_side
from reports import Context, NotTested, render
from reports.page.html import side_by_side_html, trend_html
from reports.page.sides import headline
from reports.side_by_side import Sides
from reports.trend import trends_of
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_FROZEN, NULL, ZONE_LOST
from testing.pages.viewer import CHROMIUM, OPEN, opened

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's package chromium: apt-get install chromium")
PAGES = ("index.html", "report.html", "definitions.html", "experiments/nodes-zone-lost.html", "trend.html", "side-by-side.html")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("accessible")
    runs = [write_run(root, scenario) for scenario in (ENGINE_FROZEN, ZONE_LOST, NULL)]
    refused = NotTested(id="serving/x", kind="refused", reason="It has one replica.")
    folder = render(runs, root / "out", Context(not_tested=(refused,))).parent
    first, second = World(7, experiments=3).nights(2)
    sides = side_by_side(first, second, ("v1", "v2"))
    (folder / "trend.html").write_text(trend_html(trends_of("nights", [first, second])))
    (folder / "side-by-side.html").write_text(side_by_side_html(Sides(sentence=headline(sides), sides=sides)))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened() as browser:
        yield browser


def findings(browser: Browser, file: Path, scheme: Literal["light", "dark"]) -> list[str]:
    """Return what axe-core finds on a page with everything unfolded. Its own script is let in; the page has none."""
    with browser.new_context(bypass_csp=True, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        while page.locator(OPEN).count():
            page.locator(OPEN).first.click()
        found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html']}: {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser: Browser, pages: Path, name: str, scheme: Literal["light", "dark"]) -> None:
    assert findings(browser, pages / name, scheme) == []


def test_a_page_that_nobody_can_use_is_found(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<html><body><img src='data:,'><p style='color:#aaa;background:#fff'>hardly readable</p></body></html>")
    found = "\n".join(findings(browser, page, "light"))
    assert all(rule in found for rule in ("image-alt", "color-contrast", "html-has-lang"))
