"""What a page shows where a viewer forbids its style sheet: drawings keep their colours and sizes, long words break."""

from __future__ import annotations

import re

import pytest

from reports.page import palette
from reports.page.html import html
from testing.pages.html import parse
from tests.unit.reports.conftest import Night

PAINTS = ("fill", "stroke", "color")


def test_every_colour_of_a_drawing_has_a_plain_one_behind_it(night: Night) -> None:
    inside = [node for svg in night.page.all("svg") for node in [svg, *svg.all()]]
    named = [node.attrs[paint] for node in inside for paint in PAINTS if "var(" in node.attrs.get(paint, "")]
    assert len(named) > 100
    assert not [value for value in named if not re.fullmatch(r"var\(--[a-z0-9-]+, #[0-9a-f]{3,6}\)", value)]


def test_every_drawing_has_a_size_and_nothing_on_the_page_a_style_of_its_own(night: Night) -> None:
    for svg in night.page.all("svg"):
        assert float(svg.attrs["width"]) >= 0
        assert float(svg.attrs["height"]) <= 1000
    assert not [node for node in night.page.all() if "style" in node.attrs]
    assert len(night.page.all("style")) == 1


def test_words_over_bars_have_a_halo_and_no_outline(night: Night) -> None:
    haloed = [node for node in night.page.all("text") if "stroke" in node.attrs]
    assert haloed
    assert {node.attrs.get("paint-order") for node in haloed} == {"stroke"}


def test_a_colour_that_the_style_sheet_lacks_is_a_mistake() -> None:
    assert palette.painted('<path fill="var(--ink)"/>') == '<path fill="var(--ink, #1c2330)"/>'
    with pytest.raises(KeyError):
        palette.painted("var(--no-such-colour)")


def test_a_long_word_may_break_and_stays_the_same_word(night: Night) -> None:
    word = "E" * 2000
    first = night.report.experiments[0]
    changed = first.model_copy(update={"description": word, "id": word})
    page = parse(html(night.report.model_copy(update={"experiments": (changed,)})))
    belief = next(node for node in page.all("p") if node.attrs.get("class") == "belief")
    assert word in belief.text
    assert len(belief.all("wbr")) >= 49
    assert not [value for node in page.all() for value in node.attrs.values() if "<wbr>" in value or "&lt;" in value]
