from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from history.plan import Expect
from reports import Report, build, write
from reports.page.html import html
from testing.pages.html import Node, parse
from tests.unit.reports.conftest import Night

SEPARATORS = dict.fromkeys(map(ord, ",\u00a0"))


def figure(text: str) -> float:
    """Return the first number of ``text`` in its base unit (seconds, shares)."""
    found = re.search(r"(−?[\d.]+)\s*(ms|s|%|min)?", text.translate(SEPARATORS))
    assert found, text
    return float(found[1].replace("−", "-")) * {"ms": 1e-3, "%": 1e-2, "min": 60, "s": 1, None: 1}[found[2]]


def budget_rows(night: Night) -> list[list[Node]]:
    table = next(node for node in night.page.all("table") if node.attrs.get("class") == "budgets")
    return [row.all("td", "th") for row in table.first("tbody").all("tr")]


def test_the_budget_table_says_what_report_json_says(night: Night) -> None:
    rows = budget_rows(night)
    assert len(rows) == len(night.raw["experiments"])
    for cells, experiment in zip(rows, night.raw["experiments"], strict=True):
        worst = max(experiment["trials"], key=lambda t: t["rto_s"])
        first = experiment["trials"][0]
        values = {m["name"]: m["value"] for m in first["measurements"]}
        assert cells[0].text.startswith(experiment["verdict"])
        assert experiment["title"] in cells[1].text
        assert experiment["id"] in cells[1].text
        if worst["rto_s"]:
            low, high = (figure(end) for end in cells[2].text.split(" of ")[0].split(" to "))
            assert (low, high) == pytest.approx((worst["rto_low_s"], worst["rto_high_s"]), rel=0.006)
            assert figure(cells[2].text.split(" of ")[1]) == worst["budgets"]["rto_s"]
        else:
            assert "no outage" in cells[2].text
        assert figure(cells[3].text) == values["requests_lost"]
        assert figure(cells[4].text) == pytest.approx(values["availability"], abs=0.0006)
        assert figure(cells[5].text) == values["requests_bad"]
        assert figure(cells[6].text) == pytest.approx(values["wrong_green"], rel=0.006)
        held = sum(t["counts_as"] == "PASS" for t in experiment["trials"])
        assert cells[7].text == f"{held} of {len(experiment['trials'])}"


def test_every_check_of_every_trial_is_on_the_page_in_its_words(night: Night) -> None:
    page = night.page.text
    for experiment in night.raw["experiments"]:
        for trial in experiment["trials"]:
            for check in trial["checks"]:
                assert check["sentence"] in page
            assert trial["command"] in page
            assert trial["run_id"] in page
            for error in trial["errors"]:
                assert error["text"] in page
            for file in trial["scene"]:
                assert file["path"] in page


def test_every_measurement_is_on_the_page(night: Night) -> None:
    sections = [node for node in night.page.all("details") if node.attrs.get("class") == "experiment"]
    for section, experiment in zip(sections, night.raw["experiments"], strict=True):
        values = [figure(cell.text) for cell in section.all("td") if re.match(r"(> )?−?\d", cell.text)]
        for measurement in experiment["trials"][0]["measurements"]:
            wanted = measurement["value"]
            if wanted is not None:
                assert any(abs(value - wanted) <= 0.06 * abs(wanted) + 1e-9 for value in values), measurement


def test_multiples_are_not_written_as_shares(night: Night) -> None:
    cells = [row.all("th", "td") for row in night.page.all("tr") if row.text.startswith("Amplification")]
    assert cells
    assert {cell[1].text for cell in cells} == {"1 ×"}


def test_wrong_green_is_a_sentence(night: Night) -> None:
    position, frozen = next((i, e) for i, e in enumerate(night.raw["experiments"], 1) if e["id"] == "serving/engine-frozen")
    green_s = next(m["value"] for m in frozen["trials"][0]["measurements"] if m["name"] == "wrong_green")
    said = re.search(
        r"Health said green for ([\d.]+) s while users were not served", night.page.with_id(f"x{position}-serving-engine-frozen").text
    )
    assert said
    assert float(said[1]) == pytest.approx(green_s, rel=0.006)


def test_what_was_not_tested_is_visible_with_its_reason(night: Night) -> None:
    section = next(node for node in night.page.all("section") if node.attrs["aria-labelledby"] == "not-tested")
    for item in night.raw["not_tested"]:
        assert item["reason"] in section.text
        assert item["kind"] in section.text


def test_the_page_is_a_function_of_report_json(night: Night) -> None:
    part = night.report.model_copy(update={"experiments": night.report.experiments[:2]})
    assert html(Report.model_validate_json(part.model_dump_json(by_alias=True))) == html(part)


def test_it_needs_no_network_and_no_script(night: Night) -> None:
    policy = night.page.first("meta")
    assert any("default-src 'none'" in meta.attrs.get("content", "") for meta in night.page.all("meta")), policy
    for node in night.page.all():
        assert node.tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
        assert not [name for name in node.attrs if name.startswith("on")]
        for name in ("href", "src", "xlink:href", "action", "data", "srcset", "poster"):
            assert node.attrs.get(name, "#").startswith("#"), node
    assert not re.search(r"url\((?!#)|@import", night.read("index.html"))


def test_links_and_references_lead_somewhere_and_ids_are_unique(night: Night) -> None:
    ids = [node.attrs["id"] for node in night.page.all() if "id" in node.attrs]
    assert len(ids) == len(set(ids))
    for node in night.page.all():
        wanted = [node.attrs.get("href", "#")[1:], *node.attrs.get("aria-labelledby", "").split()]
        wanted += re.findall(r"url\(#([^)]+)\)", " ".join(node.attrs.values()))
        assert {ident for ident in wanted if ident} <= set(ids), node


def test_headings_are_in_order(night: Night) -> None:
    levels = [int(node.tag[1]) for node in night.page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_only_what_did_not_hold_is_open(night: Night) -> None:
    sections = [node for node in night.page.all("details") if node.attrs.get("class") == "experiment"]
    for section, experiment in zip(sections, night.raw["experiments"], strict=True):
        assert ("open" in section.attrs) == (experiment["counts_as"] != "PASS")


def test_every_trial_has_a_plot_with_a_name_a_description_and_its_numbers(night: Night) -> None:
    plots = [node for node in night.page.all("svg") if node.attrs.get("role") == "img"]
    trials = [trial for e in night.raw["experiments"] for trial in e["trials"]]
    assert len(plots) == len(trials)
    for plot, trial in zip(plots, trials, strict=True):
        assert trial["run_id"] in plot.first("title").text
        assert plot.first("desc").text
    tables = [node for node in night.page.all("details") if node.attrs.get("class") == "more numbers"]
    for table, trial in zip(tables, trials, strict=True):
        rows = table.first("tbody").all("tr")
        assert sum(figure(row.all("td")[1].text) for row in rows) == sum(trial["timeline"]["table"]["offered"])
        assert sum(figure(row.all("td")[2].text) for row in rows) == sum(trial["timeline"]["table"]["bad"])


def test_definitions_are_quoted(night: Night) -> None:
    quoted = {item["name"] for item in night.raw["definitions"]}
    assert {"rto", "availability", "wrong_green"} <= quoted
    assert all(item["text"].replace("``", "") in night.page.text for item in night.raw["definitions"])


def test_a_night_of_nine_fits_a_megabyte(night: Night) -> None:
    assert (night.out / "index.html").stat().st_size <= 1_000_000


def test_a_seeded_weakness_says_what_was_expected(night: Night) -> None:
    failed = night.report.experiments[0]
    caught = failed.model_copy(update={"counts_as": "PASS", "expect": Expect(verdict="FAIL", check="rto")})
    page = parse(html(night.report.model_copy(update={"experiments": (caught,)})))
    assert "FAIL, as expected" in page.text
    assert "is what this run should come out as, and it did." in page.text


def test_a_report_of_nothing_is_a_page_too(tmp_path: Path) -> None:
    page = parse(write(build([]), tmp_path).read_text())
    assert "INCONCLUSIVE" in page.first("h1").text
    assert "No run could be shown." in page.text


def test_what_the_hypothesis_asks_and_leaves_out_stands_beside_it(night: Night) -> None:
    lack = "queue-is-short: target staging names no prometheus"
    said = {"hypothesis_left_out": (lack,), "hypothesis_expects": {"users-are-served": "0.99 to 1", "no-replica-is-missing": "0"}}
    worst, *others = night.report.experiments
    shown = html(night.report.model_copy(update={"experiments": (worst.model_copy(update=said), *others)}))
    assert f"{worst.hypothesis} (left out: {lack})" in parse(shown).text
    assert "Asked: users-are-served 0.99 to 1; no-replica-is-missing 0." in parse(shown).text
    assert "left out:" not in night.page.text
