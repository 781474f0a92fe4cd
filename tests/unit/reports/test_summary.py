"""summary.md: what changed stands first, it is never longer than 20 KB, and says what was cut."""

from __future__ import annotations

import re

import pytest

from history.result import Verdict
from reports import NotTested, Report, Risk
from reports.page.markdown import MOST_BYTES, MOST_LINES, markdown
from reports.page.shortened import Part, shortened
from reports.past import Past
from tests.unit.reports.conftest import Night
from tests.unit.reports.test_past import past_with


def changed(night: Night, past: Past | None) -> list[str]:
    return markdown(night.report.model_copy(update={"past": past})).splitlines()


def many(report: Report, words: str) -> Report:
    """Return a report with more of everything than fits, all of it in ``words``."""
    one = report.experiments[0].model_copy(update={"sentence": words, "counts_as": Verdict.FAIL})
    return report.model_copy(
        update={
            "sentence": words,
            "experiments": tuple(one.model_copy(update={"id": f"{i} {words}"}) for i in range(1000)),
            "risks": tuple(Risk(sentence=words, experiments=(words,)) for _ in range(50)),
            "not_tested": tuple(NotTested(id=f"{i} {words}", kind="refused", reason=words) for i in range(50)),
        }
    )


def test_what_changed_stands_between_the_verdict_and_the_table(night: Night) -> None:
    lines = changed(night, past_with())
    assert lines[0].startswith("## ❌ FAIL")
    assert re.match(r"Since .* UTC: 1 experiment broke: serving/experiment-01", lines[2])
    assert lines[4].startswith(
        "- **serving/experiment-01** broke: it held then; the platform is the same. RTO over &lt;b&gt;budget&lt;/b&gt;."
    )
    assert lines.index("the index is torn") < next(at for at, line in enumerate(lines) if line.startswith("| |"))


def test_nights_that_cannot_be_compared_are_said(night: Night) -> None:
    said = "Not compared with earlier nights: the bucket is out of reach"
    assert changed(night, Past(place="s3://x", notes=(said,)))[3] == said


def test_without_nights_nothing_is_said_of_them(night: Night) -> None:
    assert not [line for line in changed(night, None) if line.startswith(("Since", "No earlier night"))]


@pytest.mark.parametrize("words", ["word " * 200, "<" * 1000, "漢字" * 500, "x"])
def test_it_is_never_longer_than_20_kb_and_says_what_was_cut(night: Night, words: str) -> None:
    text = markdown(many(night.report, words))
    assert len(text.encode()) <= MOST_BYTES
    assert len(text.splitlines()) <= MOST_LINES
    *_, said, nothing, again = text.splitlines()
    assert (nothing, again[:12]) == ("", "Run it again")
    if words != "x":
        assert re.fullmatch(r"Cut, to be short: .*\d+ lines of what was not tested\. index\.html has all of it\.", said)


def test_a_night_that_fits_is_whole(night: Night) -> None:
    assert "Cut, to be short" not in night.read("summary.md")


def test_what_is_cut_is_counted_and_a_heading_never_stands_alone() -> None:
    parts = [Part("rows", ["head", "1", "2", "3", "4"]), Part("others", ["head", "a" * 500, "b"])]
    text = shortened(["first"], parts, ["last"], most_bytes=120, most_lines=100, whole="The page")
    assert text.splitlines() == [
        "first", "head", "1", "2", "3", "4", "", "Cut, to be short: 3 lines of others. The page has all of it.", "last",
    ]  # fmt: skip
    by_lines = shortened(["first"], parts[:1], ["last"], most_bytes=10_000, most_lines=6, whole="The page")
    assert by_lines.splitlines() == ["first", "head", "1", "", "Cut, to be short: 3 lines of rows. The page has all of it.", "last"]
