"""A container that gets less of a processor: the quota of its control group is lowered, in version 1 or 2. Standard library only.

The kernel has no time-out for that: this program or its watchdog writes the old quota back. It cannot outlive the container.

Two limits of one container may overlap. So the node keeps, for each quota, what it was at first and who holds it lower (:class:`Held`),
under a lock: the lowest that is held stands, and whoever ends last writes the first one back.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from faults.node_agent.cgroups import group_of, on_node
from faults.node_agent.commands import command, container_id, pod_uid, whole
from faults.node_agent.node import Effect, Refused

V2, V1, V1_PERIOD = "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"
LEAST_US = 1000  # of a quota: less, the kernel refuses
STATE = Path("/run")
"""On the node, in memory: what is kept there is gone when the node starts again, as control groups are."""
SLACK_S = 30.0  # a holder that has not ended so long after its time is dead, and its watchdog too


@dataclass(frozen=True, slots=True)
class Quota:
    """Where a quota stands, what stands there, and what will."""

    path: str
    before: str
    lowered: str


@dataclass(slots=True)
class Held:
    """One quota while it is lowered: what it was before, and what each holder wants, with the end of its time (monotonic, s)."""

    original: str
    wanted: dict[str, tuple[str, float]] = field(default_factory=dict)

    def lowest(self) -> str:
        """Return what must stand: the lowest that is wanted, or what was there at first."""
        return min((quota for quota, _ in self.wanted.values()), key=_us, default=self.original)


@command("cpu-limit", "let one container have at most a share of a processor", pod=pod_uid, container=container_id, percent=whole(100))
def _limit(it: argparse.Namespace) -> Effect:
    return limit(it.pod, it.container, it.percent, it.for_s)


def limit(uid: str, container: str, percent: int, for_s: float) -> Effect:
    """Return the lower quota of a container as an effect. Raises Refused: it does not run here, has no quota, or none that is larger."""
    try:
        found = on_node(lambda: "\n".join(_in_lines(quota_in(group_of(uid, container), percent))))
    except OSError as error:
        raise Refused(str(error)) from error
    quota, holder = Quota(*found.split("\n")), secrets.token_hex(8)
    return Effect("cpu-limit", lambda: _hold(quota, holder, for_s + SLACK_S), lambda: _let_go(quota, holder))


def quota_in(groups: list[str], percent: int) -> Quota:
    """Return the quota in one of the folders of ``groups``, and as it is when lowered to ``percent`` of one processor.

    Raises OSError: no folder has one, or it is no larger.
    """
    for folder in map(Path, groups):
        if (folder / V2).is_file():
            had, period = _first(folder / V2).split()
            lowered = _lower(had, int(period), percent)
            return Quota(str(folder / V2), f"{had} {period}", f"{lowered} {period}")
        if (folder / V1).is_file():
            had = _first(folder / V1)
            return Quota(str(folder / V1), had, str(_lower(had, int((folder / V1_PERIOD).read_text()), percent)))
    raise OSError("its control group has no quota of a processor: the CPU controller is not there for it")


def _lower(had: str, period_us: int, percent: int) -> int:
    lowered = max(LEAST_US, period_us * percent // 100)
    if had not in {"max", "-1"} and int(had) <= lowered:
        raise OSError(f"it has {int(had) / period_us:.0%} of a processor already, which is not more than {percent} %")
    return lowered


def _in_lines(quota: Quota) -> tuple[str, str, str]:
    return quota.path, quota.before, quota.lowered


def _us(quota: str) -> float:
    """Return how much a quota allows (µs of each period): ``max`` and ``-1`` all there is."""
    said = quota.partition(" ")[0]
    return float("inf") if said in {"max", "-1"} else float(said)


def _first(path: Path) -> str:
    """Return a quota as it was before anybody lowered it. Raises OSError."""
    with _locked(str(path)) as kept:
        if kept is None:
            raise OSError("its control group is gone")
        return _held(kept, str(path)).original


@contextmanager
def _locked(path: str) -> Iterator[Path | None]:
    """Give the file in which a quota's holders are kept, to nobody else meanwhile; None: the container is gone, its quota with it."""
    kept = STATE / f"aftershock-cpu-{hashlib.sha256(path.encode()).hexdigest()[:16]}.json"
    try:
        quota = Path(path).open("r")  # noqa: SIM115 - closed below, and with it the lock
    except FileNotFoundError:
        kept.unlink(missing_ok=True)
        yield None
        return
    with quota:
        fcntl.flock(quota, fcntl.LOCK_EX)
        yield kept


def _held(kept: Path, path: str, at_first: str = "") -> Held:
    """Return who holds a quota. Holders that never ended are left out; where they were the last, the first quota is written back.

    ``at_first``: what it was before, if nothing is kept of it; empty: what it is now.
    """
    held = _read(kept) or Held(at_first or Path(path).read_text().strip())
    alive = {name: one for name, one in held.wanted.items() if one[1] > time.monotonic()}
    if held.wanted and not alive:
        Path(path).write_text(held.original)
        kept.unlink(missing_ok=True)
    return Held(held.original, alive)


def _read(kept: Path) -> Held | None:
    try:
        raw = json.loads(kept.read_text())
    except OSError:
        return None  # nobody holds it
    return Held(raw["original"], {name: (quota, until_s) for name, (quota, until_s) in raw["wanted"].items()})


def _hold(quota: Quota, holder: str, lasts_s: float) -> None:
    """Write the lower quota, unless a lower one stands. Nothing to do where the container, and its control group with it, is gone."""

    def change(held: Held) -> None:
        held.wanted[holder] = quota.lowered, time.monotonic() + lasts_s

    _changed(quota, change)


def _let_go(quota: Quota, holder: str) -> None:
    """Write what others still hold, or the first quota back. Done twice it changes nothing."""

    def change(held: Held) -> None:
        held.wanted.pop(holder, None)

    _changed(quota, change, at_first=quota.before)


def _changed(quota: Quota, change: Callable[[Held], None], at_first: str = "") -> None:
    """Change who holds a quota, and then the quota: what is kept comes first, so that a quota is never low without its way back."""

    def write() -> str:
        with _locked(quota.path) as kept:
            if kept is not None:
                held = _held(kept, quota.path, at_first)
                change(held)
                if held.wanted:
                    _keep(kept, held)
                Path(quota.path).write_text(held.lowest())
                if not held.wanted:
                    kept.unlink(missing_ok=True)
        return ""

    on_node(write)


def _keep(kept: Path, held: Held) -> None:
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(asdict(held)))
    part.replace(kept)
