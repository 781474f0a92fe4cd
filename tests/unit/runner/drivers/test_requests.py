"""The start of the load: whatever ends it early, no generator is left that goes on asking."""

from __future__ import annotations

from typing import Any

import pytest

from history.errors import HistoryError
from kube.client import Platform
from runner.drivers.requests import driver
from runner.drivers.requests.driver import RequestsDriver
from runner.run.context import Context
from runner.stop import Interrupted

STOPPED = Interrupted("SIGINT", "interrupted from the keyboard (SIGINT)")


class Generator:
    """A load process that is ready, or is waited for until something else happens."""

    def __init__(self, instead: BaseException | None = None) -> None:
        self.instead, self.ended = instead, 0

    def wait_ready(self) -> int:
        if self.instead is not None:
            raise self.instead
        return 0

    def end(self) -> str:
        self.ended += 1
        return ""


def started(context: Context, platform: Platform, monkeypatch: pytest.MonkeyPatch, generator: Generator) -> Any:
    monkeypatch.setattr(driver, "LoadProcess", lambda *_: generator)
    return RequestsDriver(platform, context.run.plan.first.name).start(context.driven)


def test_a_stop_request_before_the_load_is_ready_ends_its_process(
    context: Context, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(STOPPED)
    with pytest.raises(Interrupted):
        started(context, platform, monkeypatch, generator)
    assert generator.ended == 1


def test_a_schedule_that_cannot_be_read_ends_its_process(context: Context, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator()
    (context.run.run_dir / "schedule.load.jsonl").write_text("no row\n")
    with pytest.raises(HistoryError):
        started(context, platform, monkeypatch, generator)
    assert generator.ended == 1


def test_a_load_that_is_ready_is_followed_and_goes_on(context: Context, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator()
    progress = started(context, platform, monkeypatch, generator)
    assert generator.ended == 0
    progress.drain()
    assert generator.ended == 1
