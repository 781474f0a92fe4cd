"""An instrument that is away is told once, from its first unanswered question on, and only when its silence loses something."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.reader import read_table
from history.schema import EventKind
from runner import instrument
from runner.event_log import RunLog
from testing.runs.phases import seen


@pytest.mark.parametrize(
    ("spared_s", "silent_at_s", "told"),
    [
        (0.0, [1], [("instrument.down", 1), ("instrument.up", 9)]),
        (0.0, [1, 2, 3], [("instrument.down", 1), ("instrument.up", 9)]),
        (5.0, [1], []),
        (5.0, [1, 5], []),
        (5.0, [1, 3, 6, 7], [("instrument.down", 1), ("instrument.up", 9)]),
    ],
)
def test_silence_is_told_from_its_first_question_on_if_it_outlasts_what_is_fresh(
    tmp_path: Path, log: RunLog, monkeypatch: pytest.MonkeyPatch, *, spared_s: float, silent_at_s: list[int], told: list[tuple[str, int]]
) -> None:
    subject = instrument.Instrument(log, "prometheus", spared_s)
    subject.heard()
    for at_s in silent_at_s:
        monkeypatch.setattr(instrument, "now_ns", lambda at_s=at_s: int(at_s * 1e9))
        subject.heard("no route to host")
    monkeypatch.setattr(instrument, "now_ns", lambda: int(9e9))
    subject.heard()
    subject.heard()
    rows = read_table(tmp_path, "events").select("kind", "t_ns").iter_rows()
    assert [(kind, t_ns // 10**9) for kind, t_ns in rows if kind != EventKind.CLOCK.value] == told


def test_two_short_silences_are_not_one_long(tmp_path: Path, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = instrument.Instrument(log, "prometheus", 5.0)
    for at_s, error in ((1, "busy"), (3, ""), (5, "busy"), (8, "")):
        monkeypatch.setattr(instrument, "now_ns", lambda at_s=at_s: int(at_s * 1e9))
        subject.heard(error)
    assert seen(tmp_path) == []
