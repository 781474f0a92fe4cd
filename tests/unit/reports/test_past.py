"""What earlier nights say on the page and in the data, and the page of the trend."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.nights.worlds import World
from nights.changes import changes
from nights.shelf import as_json
from nights.store.folder import FolderStore
from nights.trend import trends
from reports.__main__ import main
from reports.page.html import html
from reports.page.past import headline
from reports.past import Past
from testing.pages.html import Node, parse
from tests.unit.reports.conftest import Night

NIGHTS = list(World(5, experiments=4, trials=2).nights(12))
FAIL = {"verdict": "FAIL", "counts_as": "FAIL", "sentence": "RTO over <b>budget</b>."}


def shown(night: Night, past: Past | None) -> tuple[Node, dict[str, object]]:
    report = night.report.model_copy(update={"past": past})
    return parse(html(report)), json.loads(report.model_dump_json(by_alias=True))


def past_with(name: str = "serving/experiment-01") -> Past:
    tonight = replace(
        NIGHTS[-1],
        runs=tuple(
            replace(run, experiment=name, **FAIL) if run.experiment.endswith("01") else run  # type: ignore[arg-type]
            for run in NIGHTS[-1].runs
        ),
    )
    earlier = [
        replace(night, runs=tuple(replace(run, experiment=name) if run.experiment.endswith("01") else run for run in night.runs))
        for night in NIGHTS[:-1]
    ]
    return Past(place="/nights", changes=changes(tonight, earlier), trends=tuple(trends([*earlier, tonight])), notes=("the index is torn",))


def test_without_nights_the_page_has_no_such_section(night: Night) -> None:
    page, raw = shown(night, None)
    assert not [node for node in page.all("h2") if node.attrs.get("id") == "past"]
    assert raw["past"] is None


def test_the_page_says_what_broke_and_why_it_may_be(night: Night) -> None:
    page, _ = shown(night, past_with())
    section = next(node for node in page.all("section") if node.attrs.get("aria-labelledby") == "past")
    assert "1 experiment broke: serving/experiment-01" in section.text
    assert "serving/experiment-01 broke: it held then; the platform is the same. RTO over <b>budget</b>." in " ".join(section.text.split())
    assert "the index is torn" in section.text
    assert len(section.all("svg")) >= 4


def test_every_trend_number_on_the_page_is_in_the_data(night: Night) -> None:
    past = past_with()
    page, raw = shown(night, past)
    assert Past.model_validate(raw["past"]) == past
    points = [point for series in raw["past"]["trends"] for point in series["points"]]  # type: ignore[index,call-overload]
    titles = [node.text for node in page.all("title")]
    said = [float(match[1]) for text in titles if (match := re.search(r"UTC: ([\d.]+) s$", text))]
    assert sorted(said) == pytest.approx(sorted(point["rto_s"] for point in points), rel=0.01)
    assert len(said) == 4 * 12


def test_a_hostile_name_is_shown_and_does_nothing(night: Night) -> None:
    name = '<script>alert(1)</script>" onload="x'
    page, _ = shown(night, past_with(name))
    assert not page.all("script")
    assert not [node for node in page.all() if "onload" in node.attrs]
    assert name in page.text


def test_a_headline_says_that_nothing_changed_or_that_nobody_can_know() -> None:
    quiet = changes(NIGHTS[-1], NIGHTS[:-1])
    assert headline(quiet).endswith("nothing changed beyond the spread of comparable nights.")
    assert "No earlier night of this target is kept" in headline(changes(NIGHTS[-1], []))


def store(tmp_path: Path) -> Path:
    place = tmp_path / "nights"
    for night in NIGHTS:
        FolderStore(place).write(f"records/{night.night}.json", as_json(night))
    return place


def test_the_command_writes_page_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(store(tmp_path)), "--out", str(tmp_path / "out")]) == 0
    assert "12 nights, 4 experiments" in capsys.readouterr().out
    raw = json.loads((tmp_path / "out" / "trend.json").read_text())
    page = parse((tmp_path / "out" / "trend.html").read_text())
    assert len(raw["trends"]) == 4
    assert raw["nights"] == [night.night for night in NIGHTS]
    assert len(page.all("details")) == 4
    assert len(page.all("details")[0].all("tr")) == 13
    assert not page.all("script")


def test_a_torn_index_is_said_and_costs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = store(tmp_path)
    (place / "index.parquet").write_bytes(b"PAR1 torn")
    assert main(["trend", str(place), "--out", str(tmp_path / "out")]) == 1
    assert "the index is torn" in capsys.readouterr().err
    assert "the index is torn" in (tmp_path / "out" / "trend.html").read_text()
    assert main(["trend", str(place), "--out", str(tmp_path / "out")]) == 0


def test_no_night_and_no_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trend", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 0
    assert "0 nights, 0 experiments" in capsys.readouterr().out
    assert main(["trend", "ftp://x/y"]) == 11
    assert "expected a folder or s3://" in capsys.readouterr().err
