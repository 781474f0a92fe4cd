"""What a page shows where a viewer forbids its style sheet: drawings keep their colours and sizes, long words break."""

from __future__ import annotations

import re

import pytest

from reports.page import palette
from reports.page.html import html
from testing.pages.html import parse
from tests.unit.reports.conftest import Night

PAINTS = ("fill", "stroke", "color")


def test_every_colour_of_a_drawing_is_a_real_one_that_the_style_sheet_knows(night: Night) -> None:
    inside = [node for page in (night.page, night.index, *night.pages) for svg in page.all("svg") for node in [svg, *svg.all()]]
    paints = {node.attrs[paint] for node in inside for paint in PAINTS if paint in node.attrs}
    colours = {paint for paint in paints if paint.startswith("#")}
    assert len(colours) > 10
    assert colours <= set(palette.light().values())
    assert {paint for paint in paints - colours if not paint.startswith("url(#")} <= {"none", "currentColor"}


def test_names_that_share_a_colour_in_the_light_share_one_in_the_dark() -> None:
    dark = dict(
        re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{3,6});", palette.css().split("prefers-color-scheme: dark")[1].partition("}\n}")[0])
    )
    by_colour: dict[str, set[str]] = {}
    for name, colour in palette.light().items():
        by_colour.setdefault(colour, set()).add(dark.get(name, name if name not in palette.OF_KIND else ""))
    assert not {colour: found for colour, found in by_colour.items() if len(found - {""}) > 1}


def test_every_drawing_has_a_size_and_nothing_on_the_page_a_style_of_its_own(night: Night) -> None:
    for svg in [svg for page in (night.page, night.index, *night.pages) for svg in page.all("svg")]:
        assert float(svg.attrs["width"]) >= 0
        assert float(svg.attrs["height"]) <= 1000
    assert not [node for node in night.page.all() if "style" in node.attrs]
    assert len(night.page.all("style")) == 1
    assert not [page for page in (night.index, *night.pages) if page.all("style")]


def test_words_over_bars_have_a_halo_and_no_outline(night: Night) -> None:
    haloed = [node for node in night.page.all("text") if "stroke" in node.attrs]
    assert haloed
    assert {node.attrs.get("paint-order") for node in haloed} == {"stroke"}


def test_a_colour_that_the_style_sheet_lacks_is_a_mistake() -> None:
    assert palette.painted('<path fill="var(--ink)"/>') == '<path fill="#1c2330"/>'
    with pytest.raises(KeyError):
        palette.painted("var(--no-such-colour)")


def test_a_long_word_may_break_and_stays_the_same_word(night: Night) -> None:
    word = "E" * 2000
    first = night.report.experiments[0]
    changed = first.model_copy(update={"description": word, "id": word})
    page = parse(html(night.report.model_copy(update={"experiments": (changed,)})))
    belief = next(node for node in page.all("p") if node.attrs.get("class", "").startswith("belief"))
    assert word in belief.text
    assert len(belief.all("wbr")) >= 49
    assert not [value for node in page.all() for value in node.attrs.values() if "<wbr>" in value or "&lt;" in value]
