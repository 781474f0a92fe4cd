"""Both kinds of alarm end a sleep on time and when rung, and a ring before the sleep is not lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.load.program import ROOT

PROGRAM = """
import gevent, time
from workloads.load import alarm
bell = alarm.{kind}()
began_ns = time.monotonic_ns()
bell.sleep(50_000_000)
assert time.monotonic_ns() - began_ns > 45_000_000  # a loop may have read its clock a little earlier
gevent.spawn_later(0.01, bell.ring)
bell.sleep(3_600_000_000_000)
bell.ring()
bell.sleep(3_600_000_000_000)
bell.sleep(1_000_000)
"""


@pytest.mark.parametrize("kind", ["TimerfdAlarm", "LoopAlarm"])
def test_an_alarm_wakes(kind: str) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM.format(kind=kind)], cwd=ROOT, check=True, timeout=120)
