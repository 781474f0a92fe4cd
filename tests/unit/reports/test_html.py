from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from history.plan import Expect
from reports import Report, build, write
from reports.model import Experiment
from reports.night.harm import worst_trial
from reports.page.first import bar_of, named, scale_of
from reports.page.html import MOST_BYTES, html, sections_of
from reports.page.users import sum_sentence
from testing.pages.html import Node, parse
from tests.unit.reports.conftest import Night

SEPARATORS = dict.fromkeys(map(ord, ",\u00a0"))


def figure(text: str) -> float:
    """Return the first number of ``text`` in its base unit (seconds, shares)."""
    found = re.search(r"(−?[\d.]+)\s*(ms|s|%|min)?", text.translate(SEPARATORS))
    assert found, text
    return float(found[1].replace("−", "-")) * {"ms": 1e-3, "%": 1e-2, "min": 60, "s": 1, None: 1}[found[2]]


def budget_rows(page: Node) -> list[list[Node]]:
    table = next(node for node in page.all("table") if node.attrs.get("class") == "budgets")
    return [row.all("td", "th") for row in table.first("tbody").all("tr")]


def all_pages(night: Night) -> tuple[Node, ...]:
    return (night.page, night.index, parse(night.read("definitions.html")), *night.pages)


@pytest.mark.parametrize("which", ["page", "index"])
def test_the_budget_table_says_what_report_json_says(night: Night, which: str) -> None:
    rows = budget_rows(getattr(night, which))
    assert len(rows) == len(night.raw["experiments"])
    for cells, experiment in zip(rows, night.raw["experiments"], strict=True):
        worst = max(experiment["trials"], key=lambda t: t["rto_s"])
        first = experiment["trials"][0]
        values = {m["name"]: m["value"] for m in first["measurements"]}
        assert cells[0].text.startswith(experiment["verdict"])
        held = sum(t["counts_as"] == "PASS" for t in experiment["trials"])
        assert f"{held} of {len(experiment['trials'])} held" in cells[0].text
        assert experiment["title"] in cells[1].text
        assert experiment["id"] in cells[1].text
        if worst["rto_s"]:
            low, high = (figure(end) for end in cells[2].text.split(" (limit ")[0].split(" to "))
            assert (low, high) == pytest.approx((worst["rto_low_s"], worst["rto_high_s"]), rel=0.006)
            assert figure(cells[2].text.split(" (limit ")[1]) == worst["budgets"]["rto_s"]
            assert figure(cells[2].all("small")[0].text) == pytest.approx(worst["rto_s"] / worst["budgets"]["rto_s"], rel=0.06)
        else:
            assert "no outage" in cells[2].text
        wrong, cut, late, refused = (figure(cell.text) for cell in cells[3:7])
        assert (wrong, cut) == (values["bad_wrong"], values["bad_cut"] + values["bad_stalled"])
        assert (late, refused) == (values["bad_late"], values["bad_refused"] + values["bad_error"])
        assert wrong + cut + late + refused == values["requests_bad"]
        assert figure(cells[7].text) == values["requests_lost"]
        assert figure(cells[8].text) == pytest.approx(values["availability"], abs=0.0006)
        window_s = first["budgets"]["availability_over_s"] or first["budgets"]["rto_s"]
        assert figure(cells[8].all("small")[0].text.rpartition("over ")[2]) == window_s
        assert figure(cells[9].text) == pytest.approx(values["wrong_green"], rel=0.006)


def test_what_became_of_all_requests_is_one_sentence_that_adds_up(night: Night) -> None:
    sections = zip(night.raw["experiments"], night.pages, strict=True)
    for experiment, page in sections:
        said = [node.text for node in page.all("p") if node.text.startswith("Of ") and "asked until watching ended" in node.text]
        assert len(said) == len(experiment["trials"])
        for sentence, trial in zip(said, experiment["trials"], strict=True):
            values = {m["name"]: m["value"] for m in trial["measurements"]}
            asked, _, parts = sentence.partition(": ")
            total, *became = (int(number.replace(",", "")) for text in (asked, parts) for number in re.findall(r"[\d,]*\d", text))
            assert (total, sum(became)) == (values["requests_asked"], values["requests_asked"])
            assert became[0] == values["requests_asked"] - values["requests_bad"]


def test_where_older_verdicts_do_not_say_how_many_asked_or_do_not_add_up_nothing_is_said(night: Night) -> None:
    trial = night.report.experiments[0].trials[0]
    assert sum_sentence(trial)
    for name, value in (("requests_asked", None), ("requests_bad", (trial.value("requests_bad") or 0) + 1)):
        other = [one.model_copy(update={"value": value}) if one.name == name else one for one in trial.measurements]
        assert not sum_sentence(trial.model_copy(update={"measurements": tuple(other)}))


def test_bars_of_one_table_have_one_scale(night: Night) -> None:
    scale = scale_of(night.report.experiments)
    twice = scale_of([longer(night.report.experiments[0], 94.0)])
    assert scale.share(1.0) == pytest.approx(0.5)  # from a tenth of the limit to ten times it
    assert twice.share(1.0) == pytest.approx(1 / 3)  # 94 times the limit and more fit, up to a hundred
    assert twice.share(94.0) > twice.share(39.0) > twice.share(28.0)
    assert bar_of(longer(night.report.experiments[0], 94.0), twice).times == "94 × the limit"  # type: ignore[union-attr]


def longer(experiment: Experiment, times: float) -> Experiment:
    trial = experiment.trials[0]
    changed = trial.model_copy(update={"rto_s": times * (trial.budgets.rto_s or 0.0)})
    return experiment.model_copy(update={"trials": (changed,)})


def test_every_check_of_every_trial_is_on_the_page_in_its_words(night: Night) -> None:
    for shown, experiment in zip(night.pages, night.raw["experiments"], strict=True):
        page = shown.text
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
    for section, experiment in zip(night.pages, night.raw["experiments"], strict=True):
        values = [figure(cell.text) for cell in section.all("td") if re.match(r"(> )?−?\d", cell.text)]
        for measurement in experiment["trials"][0]["measurements"]:
            wanted = measurement["value"]
            if wanted is not None:
                assert any(abs(value - wanted) <= 0.06 * abs(wanted) + 1e-9 for value in values), measurement


def test_multiples_are_not_written_as_shares(night: Night) -> None:
    cells = [row.all("th", "td") for row in night.page.all("tr") if row.text.startswith("Amplification")]
    assert cells
    assert {cell[1].text for cell in cells} == {"1 ×"}


def test_the_one_file_has_the_worst_trial_of_each_in_full(night: Night) -> None:
    articles = night.page.all("article")
    for article, experiment in zip(articles, night.report.experiments, strict=True):
        trial = worst_trial(experiment)
        assert all(check.sentence in article.text for check in trial.checks)
        assert trial.run_id in article.text
        assert len(article.all("figure")) == 1


def test_the_one_file_stays_small_and_says_what_it_leaves_out(night: Night) -> None:
    many = night.report.model_copy(update={"experiments": night.report.experiments * 4})
    shown = html(many)
    assert len(shown.encode()) <= MOST_BYTES
    page = parse(shown)
    left_out = len(many.experiments) - len(page.all("article"))
    assert left_out > 0
    assert f"{left_out} more have a row above and a page" in " ".join(page.text.split())
    assert len(budget_rows(page)) == len(many.experiments)
    ids = {node.attrs["id"] for node in page.all() if "id" in node.attrs}
    assert {node.attrs["href"][1:] for node in page.all("a")} <= ids


def test_two_trials_never_have_one_name(night: Night) -> None:
    first = night.report.experiments[0]
    again = first.trials[0].model_copy(update={"started": "2026-09-22T14:13:20.000Z"})
    both = first.model_copy(update={"trials": (first.trials[0], again)})
    assert len({named(both, trial) for trial in both.trials}) == 2
    three = next(one for one in night.report.experiments if len(one.trials) == 3)
    assert sorted(named(three, trial) for trial in three.trials) == ["Trial 1", "Trial 2", "Trial 3"]


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
    for page in all_pages(night):
        assert any("default-src 'none'" in meta.attrs.get("content", "") for meta in page.all("meta"))
        for node in page.all():
            assert node.tag not in {"script", "iframe", "object", "embed", "img", "base", "form"}
            assert not [name for name in node.attrs if name.startswith("on")]
            for name in ("href", "src", "xlink:href", "action", "data", "srcset", "poster"):
                assert not re.match(r"[a-z]+:|//", node.attrs.get(name, "#")), node
    assert not re.search(r"url\((?!#)|@import", night.read("report.html") + night.read("style.css"))
    assert not night.page.all("link")


def test_links_and_references_lead_somewhere_and_ids_are_unique(night: Night) -> None:
    folders = [night.out, night.out, night.out, *(night.out / "experiments" for _ in night.pages)]
    for folder, page in zip(folders, all_pages(night), strict=True):
        ids = [node.attrs["id"] for node in page.all() if "id" in node.attrs]
        assert len(ids) == len(set(ids))
        for node in page.all():
            file, _, ident = node.attrs.get("href", "").partition("#")
            assert not file or (folder / file).is_file(), node
            beside = parse((folder / file).read_text()) if file and ident else page
            assert not ident or beside.with_id(ident)
            wanted = [*node.attrs.get("aria-labelledby", "").split()]
            wanted += re.findall(r"url\(#([^)]+)\)", " ".join(node.attrs.values()))
            assert {ident for ident in wanted if ident} <= set(ids), node


def test_pages_of_an_earlier_night_go(night: Night, tmp_path: Path) -> None:
    write(night.report, tmp_path)
    write(night.report.model_copy(update={"experiments": night.report.experiments[:1]}), tmp_path)
    assert [file.name for file in (tmp_path / "experiments").iterdir()] == ["nodes-zone-lost.html"]


def test_experiments_of_one_name_have_pages_of_their_own(night: Night) -> None:
    same = night.report.model_copy(update={"experiments": night.report.experiments[:1] * 3})
    assert len({str(section.file) for section in sections_of(same)}) == 3


def test_headings_are_in_order(night: Night) -> None:
    for page in all_pages(night):
        levels = [int(node.tag[1]) for node in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_no_link_leads_into_a_closed_box(night: Night) -> None:
    for page in all_pages(night):
        closed = [node for node in page.all("details") if "open" not in node.attrs]
        hidden = {inner.attrs["id"] for node in closed for inner in node.all() if "id" in inner.attrs}
        assert not {node.attrs["href"][1:] for node in page.all("a")} & hidden


def test_every_trial_has_a_plot_with_a_name_a_description_and_its_numbers(night: Night) -> None:
    plots = [node for page in night.pages for node in page.all("svg") if node.attrs.get("role") == "img"]
    trials = [trial for e in night.raw["experiments"] for trial in e["trials"]]
    assert len(plots) == len(trials)
    for plot, trial in zip(plots, trials, strict=True):
        assert trial["run_id"] in plot.first("title").text
        assert plot.first("desc").text
    tables = [node for page in night.pages for node in page.all("details") if node.attrs.get("class") == "more numbers"]
    for table, trial in zip(tables, trials, strict=True):
        rows = table.first("tbody").all("tr")
        assert sum(figure(row.all("td")[1].text) for row in rows) == sum(trial["timeline"]["table"]["offered"])
        assert sum(figure(row.all("td")[2].text) for row in rows) == sum(trial["timeline"]["table"]["bad"])


def test_definitions_are_quoted(night: Night) -> None:
    quoted = {item["name"] for item in night.raw["definitions"]}
    assert {"rto", "availability", "wrong_green"} <= quoted
    page = parse(night.read("definitions.html")).text
    assert all(item["text"].replace("``", "") in page for item in night.raw["definitions"])


def test_a_night_of_nine_fits_a_megabyte(night: Night) -> None:
    assert (night.out / "report.html").stat().st_size <= 1_000_000


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
