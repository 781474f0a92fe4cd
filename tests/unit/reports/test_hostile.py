"""A cluster may call its pods what it likes, and a server may answer what it likes: it is shown, never obeyed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from pydantic import BaseModel

from reports import Report, build, write
from reports.text import clean
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import REPLICA_KILLED
from testing.pages.html import Node, parse
from testing.pages.junit_rules import ANT, JENKINS, gitlab_mistakes, mistakes

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style></svg></title><svg onload=alert(1)>",
    "]]><!-- --><![CDATA[ &lt;b&gt; &amp; ",
    "[click](javascript:alert(1)) ![x](https://evil.example/p.png) <https://evil.example>",
    "| a | b |\n\n# heading\n* item `code` ``more``",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "zero\x00 escape\x1b[31m red\x7f rtl\u202eevil\u2066 sep\u2028 bom\ufeff",
    "url(https://evil.example) var(--x) expression(alert(1))",
)
ENUMS = {"zero", "state", "group", "kind", "verdict", "counts_as", "name", "arrivals"}
KEPT = {"started", "finished", "confirmed", "ended"}  # times, written by us from integers


def poisoned(value: Any, text: str, field: str = "") -> Any:  # a JSON tree
    """Return a copy of a report's JSON in which every free text is ``text``."""
    if isinstance(value, dict):
        return {key: poisoned(item, text, key) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, text, field) for item in value]
    return text if isinstance(value, str) and field not in ENUMS | KEPT else value


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return build([write_run(tmp_path_factory.mktemp("hostile"), REPLICA_KILLED)])


@pytest.fixture(params=HOSTILE, ids=[str(i) for i in range(len(HOSTILE))], scope="session")
def hostile(request: pytest.FixtureRequest, small: Report, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    raw = small.model_dump(mode="json", by_alias=True)
    bad = poisoned(raw, request.param)
    for lane in bad["experiments"][0]["trials"][0]["timeline"]["lanes"]:
        lane["name"] = request.param
    for check in bad["experiments"][0]["trials"][0]["checks"][2:]:
        check["name"] = request.param
    bad["experiments"][0]["expect"] = {"verdict": "PASS", "check": None}
    bad["not_tested"] = [{"id": request.param, "title": request.param, "kind": "refused", "reason": request.param}]
    return request.param, write(Report.model_validate(bad), tmp_path_factory.mktemp("hostile")).parent


def elements(page: Node) -> set[str]:
    return {node.tag for node in page.all()}


@pytest.fixture(scope="session")
def usual(small: Report, tmp_path_factory: pytest.TempPathFactory) -> Node:
    return parse((write(small, tmp_path_factory.mktemp("usual")).parent / "report.html").read_text())


def test_html_shows_it_and_obeys_nothing(hostile: tuple[str, Path], usual: Node) -> None:
    text, out = hostile
    raw = (out / "report.html").read_text()
    page = parse(raw)
    assert elements(page) <= elements(usual) | {"small"}
    assert len(page.all("svg")) <= len(usual.all("svg")) + 1
    attributes = {name for node in page.all() for name in node.attrs}
    assert attributes <= {name for node in usual.all() for name in node.attrs}
    assert page.text.count(clean(text)) > 20
    assert not any((ord(c) < 32 and c not in "\n\t") or c in "\x7f\u202e\u2066" for c in raw)


def test_no_name_leads_out_of_the_folder_and_every_page_is_well_formed(hostile: tuple[str, Path]) -> None:
    _, out = hostile
    pages = [file for file in out.rglob("*") if file.is_file()]
    assert {file.parent for file in pages} == {out, out / "experiments"}
    for file in pages:
        assert file.suffix != ".html" or parse(file.read_text()).first("h1")


def test_the_plot_is_well_formed_xml(hostile: tuple[str, Path]) -> None:
    text, out = hostile
    raw = (out / "report.html").read_text()
    start = raw.rindex("<svg", 0, raw.index('class="plot"'))
    plot = raw[start : raw.index("</svg>", start) + 6]
    root = ET.fromstring(plot)  # noqa: S314 - it is what is tested
    assert {element.tag for element in root.iter()} <= {"svg", "title", "desc", "g", "path", "line", "rect", "text", "tspan"}
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    assert clean(text).split("\n")[0][:8].strip() in "".join(root.itertext())


def test_junit_is_well_formed_xml_and_keeps_it(hostile: tuple[str, Path]) -> None:
    text, out = hostile
    written = (out / "junit.xml").read_text()
    suite = ET.fromstring(written)  # noqa: S314 - it is what is tested
    texts = [value for element in suite.iter() for value in (*element.attrib.values(), element.text or "")]
    assert any(clean(text) in value for value in texts)
    assert mistakes(written, JENKINS) == mistakes(written, ANT) == gitlab_mistakes(written) == []


def test_markdown_makes_no_link_no_image_and_no_html_of_it(hostile: tuple[str, Path]) -> None:
    _, out = hostile
    lines = (out / "summary.md").read_text()
    rendered = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(lines)
    page = parse(rendered)
    assert elements(page) <= {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "em", "code"}
    assert len(page.all("h2")) == 1
    assert {len(row.all("td", "th")) for row in page.all("tr")} == {7}


def test_every_model_of_the_report_is_poisoned(small: Report) -> None:
    """The hostile report has a value in every place that can hold text, else the tests above prove less than they say."""
    dumped = small.model_dump()
    assert dumped["experiments"][0]["trials"][0]["errors"]
    assert dumped["experiments"][0]["trials"][0]["scene"]
    assert dumped["experiments"][0]["trials"][0]["fault"]["evidence"]
    assert dumped["experiments"][0]["trials"][0]["timeline"]["lanes_unchanged"]
    assert isinstance(small, BaseModel)
