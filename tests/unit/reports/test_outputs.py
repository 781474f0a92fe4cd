"""Markdown, the command line, the schema, numbers in words."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.layout import NO_CAUSE, Advice
from reports import Context, NotTested, Report, Risk, build, render, write
from reports.__main__ import SCHEMA, main, schema
from reports.page.html import html
from reports.page.markdown import MOST_LINES, markdown
from reports.text import bytes_of, clean, one_line, quantity
from testing.pages.html import parse
from tests.unit.reports.conftest import Night
from verdict.words import number, percent, seconds


def test_the_summary_is_short_and_names_what_did_not_hold(night: Night) -> None:
    lines = night.read("summary.md").splitlines()
    assert len(lines) <= MOST_LINES
    assert "FAIL" in lines[0]
    assert len([line for line in lines if line.startswith(("| ❌", "| ❔", "| ✅"))]) == 9


def test_a_risk_stands_in_the_summary_in_the_page_and_in_the_data(night: Night) -> None:
    said = "role inference is a single point of failure: not tested, because nobody would serve; allow it by allow: {last_replica: true}"
    report = night.report.model_copy(update={"risks": (Risk(sentence=said, experiments=("serving/replica-killed",)),)})
    lines = markdown(report).splitlines()
    [line] = lines[lines.index("Risks:") + 2 : lines.index("Risks:") + 3]
    assert "single point of failure" in line
    assert "(serving/replica-killed)" in line
    assert said in parse(html(report)).text
    assert Report.model_validate_json(report.model_dump_json()).risks == report.risks


def test_risks_of_the_platforms_objects_stand_beside_how_their_proofs_ended(night: Night) -> None:
    late, memory = night.report.weaknesses or ()
    ended = {one.id: one.verdict for one in night.report.experiments}
    assert [(one.experiment, one.ended) for one in late.proofs] == [
        ("nodes/powered-off", ended["nodes/powered-off"]),
        ("serving/node-silent", "not run"),
    ]
    assert memory.proofs == ()
    assert f"({', '.join(f'{one.experiment}: {one.ended}' for one in late.proofs)})" in night.read("summary.md")
    shown = night.page.text
    assert f"{late.says} {late.costs}" in shown
    assert "serving/node-silent: not run" in " ".join(shown.split())
    assert "no experiment here" in shown


def test_likely_causes_stand_beside_a_fail_and_that_none_was_found_is_said(night: Night) -> None:
    cause = Advice(cause="long-toleration", where="Deployment x", field="spec.x", sentence="Pods stay for <5 min>.", explains_s=300)
    first = night.report.experiments[0]

    def told(*advice: Advice) -> Report:
        trial = first.trials[0].model_copy(update={"advice": advice})
        return night.report.model_copy(update={"experiments": (first.model_copy(update={"trials": (trial,)}),)})

    page = " ".join(parse(html(told(cause))).text.split())
    assert "Likely cause Pods stay for <5 min>. Deployment x: spec.x; likely, by how the platform is built" in page
    assert "Likely cause: Pods stay for &lt;5 min&gt;." in markdown(told(cause))
    assert NO_CAUSE in parse(html(told())).text
    headings = [node.text for node in night.page.all("h2", "h3", "h4", "h5")]
    assert not [heading for heading in headings if heading.startswith("Likely cause")]  # runs of before: nobody looked
    assert Report.model_validate_json(told(cause).model_dump_json()).experiments[0].trials[0].advice == (cause,)


def test_where_nobody_looked_for_risks_nothing_is_said_of_them(night: Night) -> None:
    older, none = (night.report.model_copy(update={"weaknesses": found}) for found in (None, ()))
    assert "Risks" not in parse(html(older)).text
    assert "The platform's objects show none of the risks that are looked for." in parse(html(none)).text


def test_the_summary_of_a_hundred_experiments_is_still_short(night: Night) -> None:
    many = tuple(night.report.experiments[0].model_copy(update={"id": f"x/{i}"}) for i in range(100))
    missing = tuple(NotTested(id=f"y/{i}", kind="refused", reason="because\nof this") for i in range(50))
    lines = markdown(night.report.model_copy(update={"experiments": many, "not_tested": missing})).splitlines()
    assert len(lines) <= MOST_LINES
    assert any("60 more" in line for line in lines)
    assert lines[-1].startswith("Run it again")


def test_the_schema_file_is_current() -> None:
    assert SCHEMA.read_text() == schema(), "run python -m reports --write-schema"


def test_report_json_satisfies_its_schema(night: Night) -> None:
    import jsonschema  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with Altair; its import is slow

    jsonschema.validate(night.raw, json.loads(SCHEMA.read_text()))


def test_the_command_renders_and_returns_0(run_dirs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run_dirs[0]), "--out", str(tmp_path / "a" / "b"), "--title", "My night"]) == 0
    assert str(tmp_path / "a" / "b" / "index.html") in capsys.readouterr().out
    assert "My night" in (tmp_path / "a" / "b" / "index.html").read_text()
    assert {file.name for file in (tmp_path / "a" / "b").iterdir()} == {
        "index.html", "report.html", "definitions.html", "style.css", "icon.svg", "experiments", "report.json", "junit.xml", "summary.md",
    }  # fmt: skip


def test_the_command_shows_what_it_can_and_returns_1_for_an_unreadable_run(
    run_dirs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run_dirs[0]), str(tmp_path / "nothing"), "--out", str(tmp_path)]) == 1
    assert "plan.json cannot be read" in capsys.readouterr().err
    assert "unreadable" in (tmp_path / "index.html").read_text()


def test_the_command_without_a_run_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "no run was named" in capsys.readouterr().err


def test_a_report_of_no_run_says_so_and_names_nothing_it_does_not_know(tmp_path: Path) -> None:
    write(build([]), tmp_path)
    assert (tmp_path / "summary.md").read_text().split("\n")[1:3] == ["", "0 of 0 within budget"]
    assert "Target" not in (tmp_path / "summary.md").read_text()


def test_an_experiment_without_a_title_is_called_by_its_id(run_dirs: list[Path], tmp_path: Path) -> None:
    run = shutil.copytree(run_dirs[0], tmp_path / "run")
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps(plan | {"experiment": plan["experiment"] | {"title": " "}}))
    assert [one.title for one in build([run]).experiments] == [plan["experiment"]["id"]]


def test_more_error_texts_than_are_shown_are_counted(run_dirs: list[Path], tmp_path: Path) -> None:
    run = shutil.copytree(run_dirs[0], tmp_path / "run")
    rows = pl.read_parquet(run / "requests.parquet")
    told = pl.when(pl.int_range(pl.len()) < 300).then(pl.format("HTTP 500: request {}", pl.int_range(pl.len()))).otherwise(pl.col("error"))
    rows.with_columns(told.alias("error")).write_parquet(run / "requests.parquet")
    verdict = json.loads((run / "verdict.json").read_text())
    (run / "verdict.json").write_text(json.dumps(verdict | {"errors": {f"HTTP 500: request {number}": 1 for number in range(50)}}))
    out = render([run], tmp_path / "out")
    trial = build([run]).experiments[0].trials[0]
    assert (trial.error_texts >= 300, len(trial.errors)) == (True, 12)
    assert f"The commonest 12 of {trial.error_texts} texts." in " ".join((out.parent / "report.html").read_text().split())


def test_the_context_is_on_the_page(run_dirs: list[Path]) -> None:
    run = build(run_dirs[:1], Context(title="T", command="make chaos", commit="abc")).run
    assert (run.title, run.command, run.commit) == ("T", "make chaos", "abc")


@given(st.floats(0, 1))
def test_a_share_is_never_rounded_to_all_or_nothing(share: float) -> None:
    text = percent(share)
    assert (text == "100 %") <= (share > 0.9999995)
    assert (text == "0 %") <= (share < 0.0000005)


@given(st.floats(min_value=1e-4, max_value=1e7))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.006, abs=0.00006)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0251, "25.1 ms"), (0.85, "850 ms"), (52.683, "52.7 s"), (120.0, "120 s"), (845.0, "14 min 5 s"), (-8.8, "−8.8 s"), (None, "–")],
)
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


def test_quantities() -> None:
    assert quantity(None, "s") == "–"
    assert quantity(0.9312, "ratio") == "93.1 %"
    assert quantity(1.25, "times") == "1.25 ×"
    assert quantity(1, "requests") == "1 request"
    assert bytes_of(812) == "812 B"
    assert bytes_of(4200) == "4.1 KiB"


@given(st.text())
def test_clean_text_can_be_written_anywhere(text: str) -> None:
    escaped = clean(text).replace("&", "&amp;").replace("<", "&lt;")
    ET.fromstring(f"<a>{escaped}</a>".encode())  # noqa: S314 - it is what is tested


def test_clean_spells_out_what_cannot_be_seen() -> None:
    assert clean("a\x00\x1b[31m\u202eb\ud800") == "a\\x00\\x1b[31m\\u202eb\\ud800"
    assert one_line("a\n\n b", 3) == "a b"
    assert one_line("abcdef", 4) == "abc…"
