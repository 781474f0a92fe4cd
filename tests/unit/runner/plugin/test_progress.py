"""What the person at the terminal sees while a run goes on: on a terminal a live line with the budget's countdown, else a line a phase."""

from __future__ import annotations

import io
from typing import Any

import pytest

from runner.messages import Kind, Message
from runner.plugin.progress import Progress, countdown


class Reporter:
    """The part of pytest's terminal reporter that is used."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ensure_newline(self) -> None:
        pass

    def write_line(self, text: str, **_markup: bool) -> None:
        self.lines.append(text)


class Terminal(io.StringIO):
    """A terminal, as far as a program can ask."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def reporter() -> Reporter:
    return Reporter()


@pytest.fixture
def progress(reporter: Reporter) -> Progress:
    class Plugins:
        def get_plugin(self, name: str) -> object:
            return reporter if name == "terminalreporter" else None

    class Config:
        pluginmanager = Plugins()

    config: Any = Config()
    return Progress(config)


def seen(seconds: float, **fields: object) -> Message:
    return Message(Kind.SEEN, {"seconds": seconds, "text": "31% bad", **fields})


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(7.6, "RTO budget 10 s: 8 s left, "), (0.0, "RTO budget 10 s: ended 0 s ago, "), (-3.2, "RTO budget 10 s: ended 3 s ago, ")],
)
def test_the_countdown_says_what_is_left_of_the_budget_or_since_when_it_is_over(left_s: float, said: str) -> None:
    assert countdown(seen(1.0, rto_s=10.0, left_s=left_s)) == said


def test_before_a_fault_nothing_is_counted_down() -> None:
    assert countdown(seen(1.0)) == ""


def test_a_terminal_shows_the_countdown_live_and_keeps_the_line_of_the_phase(
    progress: Progress, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.during():
        progress.show(Message(Kind.PHASE, {"name": "observe"}))
        progress.show(seen(2.4, rto_s=10.0, left_s=7.6))
        progress.show(Message(Kind.DONE, {"name": "observe", "seconds": 5.0, "text": "0% bad"}))
    shown = terminal.getvalue()
    assert "observe         2.4 s  RTO budget 10 s: 8 s left, 31% bad" in shown
    assert "observe         5.0 s  0% bad" in shown
    assert reporter.lines == []


def test_without_a_terminal_a_phase_is_one_line_and_one_that_lasts_says_what_it_sees(
    progress: Progress, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    with progress.during():
        progress.show(Message(Kind.PHASE, {"name": "observe"}))
        for second in range(1, 46):
            progress.show(seen(float(second), rto_s=10.0, left_s=10.0 - second))
        progress.show(Message(Kind.DONE, {"name": "observe", "seconds": 45.0, "text": "0% bad"}))
    assert [line.strip() for line in reporter.lines] == [
        "observe        30.0 s  RTO budget 10 s: ended 20 s ago, 31% bad",
        "observe        45.0 s  0% bad",
    ]
