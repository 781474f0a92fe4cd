"""GitHub's workflow commands and the step's summary, by the documented format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from history.errors import AftershockError
from reports import KnownFail, NotTested, Report
from runner.sending import github

COMMAND = re.compile(r"::(error|warning|notice) (?:file=([^,:]*),)?title=([^,:]*)::([^\n\r]*)")
"""What GitHub reads: properties without a colon or a comma, a message on one line."""


def commands(report: Report, files: dict[str, Path] | None = None, root: str = "") -> list[tuple[str, ...]]:
    found = [COMMAND.fullmatch(str(one)) for one in github.annotated(report, files or {}, {"GITHUB_WORKSPACE": root})]
    assert None not in found
    return [match.groups("") for match in found if match]


def test_what_did_not_hold_is_annotated_at_the_experiments_file(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "experiments" / "nodes" / "zone-lost.yaml"
    found = commands(report, {"nodes/zone-lost": file, "controls/sham": Path("/elsewhere/sham.yaml")}, str(tmp_path))
    assert [(level, path, title) for level, path, title, _ in found] == [
        ("error", "experiments/nodes/zone-lost.yaml", "nodes/zone-lost%3A FAIL"),
        ("warning", "", "controls/sham%3A INCONCLUSIVE"),
        ("warning", "", "training/rank-killed%3A refused"),
    ]
    assert report.experiments[0].sentence.startswith(found[0][3][:60].replace("%25", "%"))


def test_an_incomplete_night_is_a_warning_although_all_that_ran_held(report: Report) -> None:
    said = "This night is incomplete: it was stopped, and 2 of 3 runs were not begun."
    held = {"experiments": report.experiments[-1:], "not_tested": ()}
    assert commands(report.model_copy(update=held)) == []
    assert commands(report.model_copy(update=held | {"incomplete": said})) == [("warning", "", "Aftershock%3A incomplete", said)]


def test_a_known_failure_is_a_notice(report: Report) -> None:
    failed = report.experiments[0]
    known = KnownFail(run_id=failed.trials[0].run_id, experiment=failed.id, waived=True, says=("known",))
    assert commands(report.model_copy(update={"known_fails": (known,)}))[-1][0] == "notice"


def test_no_more_than_a_step_shows_and_the_last_says_how_many_more(report: Report) -> None:
    many = tuple(report.experiments[0].model_copy(update={"id": f"x/{number}"}) for number in range(25))
    missing = tuple(NotTested(id=f"y/{number}", kind="refused", reason="because") for number in range(10))
    found = commands(report.model_copy(update={"experiments": many, "not_tested": missing}))
    assert [level for level, *_ in found] == ["error"] * 10 + ["warning"] * 10
    assert found[9][3] == "16 more: see the summary of this step"
    assert found[-1][2] == "y/9%3A refused"


@pytest.mark.parametrize("words", ["a\n::error::b", "a\r\n::set-output name=x::y", "100 %\n", "x,title=y::z", "\u2028::stop-commands::t"])
def test_no_words_of_others_become_a_command(report: Report, words: str) -> None:
    bad = (NotTested(id=words, kind="refused", reason=words),)
    for one in github.annotated(report.model_copy(update={"not_tested": bad}), {}, {}):
        assert len(str(one).splitlines()) == 1
        assert COMMAND.fullmatch(str(one))


def test_the_summary_is_added_to_what_the_step_has(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("before\n")
    assert github.write_summary("## ✅ PASS\n", {"GITHUB_STEP_SUMMARY": str(file)}) == "GitHub: the step summary is written"
    assert file.read_text() == "before\n## ✅ PASS\n"


@pytest.mark.parametrize(
    ("value", "said"), [("", "GITHUB_STEP_SUMMARY is not set"), ("/proc/nowhere/x", "cannot be written: No such file")]
)
def test_a_summary_that_cannot_be_written_is_said(value: str, said: str) -> None:
    with pytest.raises(AftershockError, match=said):
        github.write_summary("x", {"GITHUB_STEP_SUMMARY": value})
