"""What the pages say is there: links lead somewhere, every page can be found from the README, commands, files and experiments exist."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.platform.fake_cluster import ROOT

README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md"), *ROOT.glob("workloads/*/README.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")  # of a file or folder of this repository
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield the relative links of a page: as written, the file or folder, the heading."""
    for written in LINK.findall(page.read_text()):
        path, _, heading = written.partition("#")
        yield written, (page.parent / path).resolve() if path else page, heading


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as its hosts make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in found}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for written, leads_to, heading in links(page):
        assert leads_to.exists(), written
        assert not heading or heading in headings(leads_to), written


def test_every_page_is_found_from_the_readme() -> None:
    found, ahead = {README}, [README]
    while ahead:
        for _, leads_to, _ in links(ahead.pop()):
            page = leads_to / "README.md" if leads_to.is_dir() else leads_to
            if page.suffix == ".md" and page.exists() and page not in found:
                found.add(page)
                ahead.append(page)
    assert [name(page) for page in PAGES if page not in found] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    code = "\n".join(CODE.findall(page.read_text()))
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= made
    for module in set(re.findall(r"python -m ([a-z0-9_.]+[a-z0-9])", code)):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("page", [ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md"], ids=name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = {path for path in PATH.findall(page.read_text()) if path == path.lower()}  # FAMILY.py and the like stand for any
    here = sorted(path for path in named if (ROOT / path.partition("/")[0]).is_dir() and not path.startswith("reports/out"))
    assert len(here) > 20
    assert [path for path in here if not (ROOT / path).exists()] == []


def test_pages_for_one_reading_are_short() -> None:
    assert len(README.read_text().splitlines()) <= 120
    assert len(re.findall(r"^\| \*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)) <= 40


def test_every_experiment_has_a_row_and_every_row_an_experiment() -> None:
    rows = re.findall(r"^\| ([a-z]+/[a-z-]+)", (ROOT / "experiments" / "README.md").read_text(), re.MULTILINE)
    files = [file.relative_to(ROOT / "experiments").with_suffix("") for file in (ROOT / "experiments").glob("*/*.yaml")]
    assert sorted(rows) == sorted(map(str, files))
