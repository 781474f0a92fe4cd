"""Time limits on an emulated processor: as many times longer as it was measured to be slower, said in one place, else as ever."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.host import commands, pace, wait


def test_where_nothing_is_said_limits_are_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pace.VARIABLE, raising=False)
    assert pace.limit_s(120.0) == 120.0
    assert pace.said() == ""


@pytest.mark.parametrize("text", ["", "fast", "0.5", "-3", "nan", "inf", "1000"])
def test_what_is_no_factor_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pace.VARIABLE, text)
    with pytest.raises(ClusterError, match=r"AFTERSHOCK_SLOWER_BY is .*from 1 to 100"):
        pace.limit_s(1.0)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.mark.parametrize(("factor", "least_s", "said"), [("1", 10, "late."), ("12.5", 125, "late. (AFTERSHOCK_SLOWER_BY: 12.5 times")])
def test_whoever_waits_waits_longer_and_says_so(factor: str, least_s: float, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setenv(pace.VARIABLE, factor)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    with pytest.raises(ClusterError) as raised:
        wait.until_clear(lambda: True, lambda _: "late.", timeout_s=10, pause_s=1)
    assert str(raised.value).startswith(said)
    assert least_s <= clock.now_s <= least_s + 2


def test_programs_may_run_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def stuck(argv: Any, timeout: float, **_: Any) -> None:
        limits.append(timeout)
        raise subprocess.TimeoutExpired(argv, timeout)

    monkeypatch.setattr(subprocess, "run", stuck)
    monkeypatch.setenv(pace.VARIABLE, "10")
    with pytest.raises(ClusterError, match=r"did not end within 60 s \(AFTERSHOCK_SLOWER_BY: 10 times"):
        commands.run("true")
    assert limits == [600]
