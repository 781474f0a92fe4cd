"""The machine under platform and suite: how much of its processors others used, how much was idle, how often a task waited for one.

Only asked where the target says that they share a machine. What runs at a low priority is left out: it takes what nobody else wants.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from history.clock import now_s
from history.schema import Series

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """What the processors did since the machine started (s of processor time), and for how long some task waited for one (s)."""

    at_s: float
    total_s: float
    idle_s: float
    low_s: float
    platform_s: float
    waited_s: float | None


class HostCpu:
    """Reads the machine's account; ``group`` is the platform's control group."""

    def __init__(self, group: str, proc: Path = PROC, groups: Path = GROUPS) -> None:
        self._proc, self._groups, self._group = proc, groups, group
        self._before: Used | None = None

    def sample(self) -> dict[Series, float]:
        """Return shares of the machine's processors since the last call; empty if this machine does not say them."""
        before, now = self._before, self._read()
        self._before = now
        return {} if before is None or now is None else shares(before, now)

    def _read(self) -> Used | None:
        try:
            words = (self._proc / "stat").read_text().split(maxsplit=9)[1:9]
            user, nice, system, idle, waiting, irq, soft, stolen = (int(word) * TICK_S for word in words)
            return Used(
                at_s=now_s(),
                total_s=user + nice + system + idle + waiting + irq + soft + stolen,
                idle_s=idle + waiting,
                low_s=nice,
                platform_s=self._platform_s(),
                waited_s=self._waited_s(),
            )
        except (OSError, ValueError):
            return None

    def _platform_s(self) -> float:
        """Return the processor time of the platform's control group (s). Raises OSError: it is not on this machine."""
        first = self._groups / "cpuacct" / self._group / "cpuacct.usage"
        if first.exists():
            return int(first.read_text()) / 1e9
        lines = (self._groups / self._group / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec ")) / 1e6

    def _waited_s(self) -> float | None:
        """Return for how long at least one task waited for a processor, as pressure stall information says (s); None: not kept here."""
        try:
            some = (self._proc / "pressure" / "cpu").read_text().splitlines()[0]
        except OSError:
            return None
        return int(some.rpartition("total=")[2]) / 1e6


def shares(before: Used, now: Used) -> dict[Series, float]:
    """Return what changed from ``before`` to ``now`` as shares (0 to 1); empty if no time passed."""
    total_s, passed_s = now.total_s - before.total_s, now.at_s - before.at_s
    if total_s <= 0 or passed_s <= 0:
        return {}
    idle_s, low_s, platform_s = (getattr(now, name) - getattr(before, name) for name in ("idle_s", "low_s", "platform_s"))
    found = {
        Series.MACHINE_IDLE: idle_s / total_s,
        Series.MACHINE_OTHERS: max(0.0, total_s - idle_s - low_s - platform_s) / total_s,
    }
    if before.waited_s is not None and now.waited_s is not None:
        found[Series.MACHINE_PRESSURE] = min(1.0, (now.waited_s - before.waited_s) / passed_s)
    return found
