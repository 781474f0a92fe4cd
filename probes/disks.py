"""Evidence about the volumes of pods: what their kernel says of them, and what becomes of a byte that is written there, from inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from faults.node_agent.mount_table import FUSE, Mount, mount_at
from history.errors import NoData
from history.plan import ResolvedTarget
from kube.containers import path_of
from probes.targets import output, pod_of
from safety import active_run

ENOSPC, EIO = "No space left on device", "Input/output error"  # as dd says them in the C locale
TRIES = 20  # a write and a sync each: a share of 10 % is missed once in sixty times
SLOW_OPERATIONS = 2  # of a try: the write and the sync
TRY = """
i=0
while [ $i -lt "$2" ]; do
  i=$((i + 1)); f="$1/.aftershock-probe-$$"
  read -r before _ </proc/uptime
  said=$(LC_ALL=C dd if=/dev/zero of="$f" bs=1 count=1 conv=fsync 2>&1) && said=written
  read -r after _ </proc/uptime
  rm -f "$f"
  echo "$before $after $said" | tr '\\n' ' '; echo
done
"""
ATTEMPT = re.compile(r"(\d+\.\d+) (\d+\.\d+) (.+)")


@dataclass(frozen=True, slots=True)
class Try:
    """One byte written to a new file and synced: how long it took (s, to 10 ms), and what dd said (``written``: it was)."""

    seconds: float
    said: str


def read_only(activity: str, role: str, volume: str) -> bool:
    """Tell whether every target of ``activity`` has its ``volume`` mounted read-only. Raises NoData: its kernel cannot be asked."""
    return all("ro" in _mount(target, role, volume).options for target in active_run.require().targets_of(activity))


def full(activity: str, role: str, volume: str, folder: str = "") -> bool:
    """Tell whether, in every target, a byte in a new file in ``folder`` of its ``volume`` finds no space. Raises NoData."""
    return all(ENOSPC in attempt.said for [attempt] in _tries(activity, role, volume, folder, 1))


def failing(activity: str, role: str, volume: str, folder: str = "") -> bool:
    """Tell whether, in every target, one of 20 attempts to write and sync a byte there meets an I/O error. Raises NoData."""
    return all(any(EIO in attempt.said for attempt in tries) for tries in _tries(activity, role, volume, folder, TRIES))


def slow(activity: str, role: str, volume: str, latency_ms: float, folder: str = "") -> bool:
    """Tell whether, in every target, the suite's file system stands there, and a byte's write and sync each take so long (ms).

    Raises NoData.
    """
    served = all(_mount(target, role, volume, folder).kind == FUSE for target in active_run.require().targets_of(activity))
    least_s = SLOW_OPERATIONS * latency_ms / 1e3
    attempts = [attempt for tries in _tries(activity, role, volume, folder, 1) for attempt in tries] if served else []
    return served and all(attempt.said == "written" and attempt.seconds >= least_s for attempt in attempts)


def _tries(activity: str, role: str, volume: str, folder: str, count: int) -> list[list[Try]]:
    """Return what became of ``count`` attempts in each target of ``activity``. Raises NoData: nobody can look, or dd is not there."""
    return [_tried(target, role, volume, folder, count) for target in active_run.require().targets_of(activity)]


def _tried(target: ResolvedTarget, role: str, volume: str, folder: str, count: int) -> list[Try]:
    command = ["sh", "-c", TRY, "sh", _path(target, role, volume, folder), str(count)]
    made = parse(output(target, role, command))
    if len(made) != count:
        raise NoData(f"pod {target.namespace}/{target.name}: {len(made)} attempts to write were made, expected {count}")
    return made


def parse(text: str) -> list[Try]:
    """Parse what TRY writes, a line an attempt: the machine's uptime (s) before and after it; what dd said; other lines are no attempts."""
    found = [match.groups() for line in text.splitlines() if (match := ATTEMPT.fullmatch(line.strip()))]
    return [Try(round(float(after) - float(before), 2), said) for before, after, said in found]


def _mount(target: ResolvedTarget, role: str, volume: str, folder: str = "") -> Mount:
    """Return the mount at a folder of a volume, or else that of the volume. Raises NoData: its kernel cannot be asked."""
    table = output(target, role, ["cat", "/proc/self/mountinfo"])
    mount = mount_at(table, _path(target, role, volume, folder)) or mount_at(table, _path(target, role, volume))
    if mount is None:
        raise NoData(f"pod {target.namespace}/{target.name}: nothing is mounted where it has volume {volume!r}; correct volume or role")
    return mount


def _path(target: ResolvedTarget, role: str, volume: str, folder: str = "") -> str:
    container = active_run.require().platform.target.role(role).container
    path = path_of(pod_of(target), container, volume)
    if path is None:
        raise NoData(f"pod {target.namespace}/{target.name}: container {container} has no volume {volume!r}; correct volume or role")
    return str(PurePosixPath(path, folder))
