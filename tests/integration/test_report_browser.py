"""The report in a real browser, with JavaScript off: pages and the one file, from disk, and as a viewer of stored files serves them."""

from __future__ import annotations

import re
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


@pytest.fixture(scope="module")
def one_file(index: Path) -> Path:
    return index.with_name("report.html")


@pytest.fixture(scope="module")
def experiment(index: Path) -> Path:
    return index.parent / "experiments" / "nodes-zone-lost.html"


def visit(browser: Browser, index: Path, scheme: Literal["light", "dark"], width: int = 1280) -> Visit:
    context = browser.new_context(java_script_enabled=False, color_scheme=scheme, viewport={"width": width, "height": 1000})
    visited = Visit(context.new_page())
    visited.page.on("console", lambda message: visited.said.append(message.text))
    visited.page.on("pageerror", lambda error: visited.said.append(str(error)))
    visited.page.on("request", lambda request: visited.asked.append(request.url))
    visited.page.goto(index.as_uri())
    return visited


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_one_file_is_complete_without_script_and_network(browser: Browser, one_file: Path, scheme: Literal["light", "dark"]) -> None:
    visited = visit(browser, one_file, scheme)
    assert visited.said == []
    assert visited.asked == [one_file.as_uri()]
    page = visited.page
    for text in (
        "1 of 4 experiments failed",
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


def test_a_link_of_the_table_leads_to_the_page_of_its_experiment(browser: Browser, index: Path) -> None:
    visited = visit(browser, index, "light")
    assert {address.rpartition("/")[2] for address in visited.asked} <= {"index.html", "style.css", "icon.svg"}
    visited.page.locator("table.budgets a").first.click()
    assert visited.page.url.endswith("/experiments/nodes-zone-lost.html")
    assert visited.page.locator("svg.plot").first.is_visible()
    assert visited.page.locator("h1").inner_text() == "A whole zone loses power"
    assert visited.said == []


def test_light_and_dark_are_two_looks_with_readable_text(browser: Browser, index: Path) -> None:
    looks = {scheme: visit(browser, index, scheme).page for scheme in ("light", "dark")}
    shots = {scheme: page.screenshot() for scheme, page in looks.items()}
    assert all(struct.unpack(">II", shot[16:24]) == (1280, 1000) for shot in shots.values())
    assert shots["light"] != shots["dark"]


@pytest.mark.parametrize("width", [390, 800, 1280])
@pytest.mark.parametrize("which", ["index", "one_file", "experiment"])
def test_nothing_sticks_out_of_the_page(browser: Browser, request: pytest.FixtureRequest, which: str, width: int) -> None:
    page = visit(browser, request.getfixturevalue(which), "light", width).page
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["width"] <= width
    shown = page.screenshot(full_page=True)
    assert struct.unpack(">I", shown[16:20])[0] == width


def test_a_phone_shows_a_row_as_a_card_with_its_columns_named(browser: Browser, index: Path) -> None:
    cell = visit(browser, index, "light", 390).page.locator("table.budgets td[data-label=Wrong]").first
    assert cell.evaluate("one => getComputedStyle(one, '::before').content") == '"Wrong"'
    assert cell.evaluate("one => getComputedStyle(one).display") == "grid"


def printed_pages(browser: Browser, page: Path) -> int:
    shown = visit(browser, page, "dark").page
    return len(re.findall(rb"/Type\s*/Page\b", shown.pdf(format="A4")))


def test_ten_failures_are_printed_on_eight_pages(browser: Browser, tmp_path: Path) -> None:
    report = build([write_run(tmp_path, ZONE_LOST)], Context())
    assert report.verdict == "FAIL"
    ten = report.model_copy(update={"experiments": report.experiments * 10, "failures": report.failures * 10})
    assert printed_pages(browser, write(ten, tmp_path / "out").with_name("report.html")) <= 8


def test_print_keeps_the_plot_of_what_failed_and_the_page_of_an_experiment_whole(
    browser: Browser, one_file: Path, experiment: Path
) -> None:
    for file in (one_file, experiment):
        page = visit(browser, file, "dark").page
        page.emulate_media(media="print")
        plot = page.locator("article.FAIL svg.plot").first
        assert plot.is_visible()
        box = plot.bounding_box()
        assert box is not None
        assert box["height"] > 100
        assert page.get_by_text("How well it was measured").first.is_visible() == (file is experiment)


@pytest.mark.parametrize("which", ["index", "experiment"])
def test_pages_look_right_under_the_policy_of_a_viewer(browser: Browser, index: Path, request: pytest.FixtureRequest, which: str) -> None:
    """GitHub and Jenkins serve what a build has left with a policy that lets a style sheet act only as a file of its own."""
    page = request.getfixturevalue(which).relative_to(index.parent)
    with served(index.parent, POLICY) as address:
        shown = look(browser, f"{address}/{page}")
    assert shown.styled
    assert shown.black_share == 0
    assert shown.largest_icon <= 40
    assert shown.width <= 1280


def test_the_one_file_is_readable_where_its_style_sheet_is_forbidden(browser: Browser, one_file: Path) -> None:
    with served(one_file.parent, "") as address:
        styled = look(browser, f"{address}/{one_file.name}")
    with served(one_file.parent, POLICY) as address:
        plain = look(browser, f"{address}/{one_file.name}")
    assert (styled.styled, plain.styled) == (True, False)
    assert plain.paints == styled.paints
    assert plain.black_share == 0
    assert plain.plot[0] > 700
    assert plain.largest_icon <= 16
    assert plain.width <= 1280


@pytest.mark.parametrize("width", [390, 1280])
def test_an_error_that_is_one_long_word_wraps(browser: Browser, tmp_path: Path, width: int) -> None:
    run = write_run(tmp_path, ENGINE_FROZEN)
    index = write(with_long_error(build([run], Context())), tmp_path / "out")
    with served(index.parent, "") as address:
        for page in ("report.html", "experiments/serving-engine-frozen.html"):
            assert look(browser, f"{address}/{page}", width).width <= width
