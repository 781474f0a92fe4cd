"""Evidence about processors: what the kernel lets a container have, and how often it made it wait, read inside the container."""

from __future__ import annotations

from typing import NamedTuple

from history.errors import NoData
from history.plan import ResolvedTarget
from kube import container_exec
from kube.containers import main_container
from probes.targets import pod_of, targets_of
from safety import active_run

OFTEN = 0.2  # of the periods in which a container ran: then it waits for its quota
LIMIT_S = 20.0  # whoever looks has to share what is left of the processor
NONE = {"max", "-1"}
LOOK = """
seen() { while read -r name value; do echo "$name $value"; done <"$1"; }
for file in /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us; do
  [ -r "$file" ] || continue
  folder=${file%/*}; period=
  read -r quota <"$file"
  [ -r "$folder/cpu.cfs_period_us" ] && read -r period <"$folder/cpu.cfs_period_us"
  echo "quota $quota $period"
  seen "$folder/cpu.stat"; sleep 1; seen "$folder/cpu.stat"
  exit
done
"""


ROUNDED = 1e-6  # 7 % of a processor, read as quota over period, is 7.000000000000001


class Share(NamedTuple):
    """What a container may have of one processor (1: all of it; infinite: no quota), and in which share of its periods it had to wait."""

    allowed: float
    waited: float


def limited(activity: str, role: str, percent: int) -> bool:
    """Tell whether the kernel lets every target of ``activity`` have at most ``percent`` of a processor.

    It is asked inside the container of its ``role`` (else its first), which needs sh and sleep. Raises NoData: nobody can look there, or
    the container does not see its control group.
    """
    return all(_seen(target, role).allowed * 100 <= percent + ROUNDED for target in targets_of(activity, "Pod"))


def starved(activity: str, role: str, percent: int) -> bool:
    """Tell whether, besides, every target had to wait for its quota in a fifth or more of the periods of a second in which it ran.

    So a container that has little to do, which a quota does not slow, is not taken for one that is starved. Raises NoData as
    :func:`limited`.
    """
    seen = [_seen(target, role) for target in targets_of(activity, "Pod")]
    return all(share.allowed * 100 <= percent + ROUNDED and share.waited >= OFTEN for share in seen)


def _seen(target: ResolvedTarget, role: str) -> Share:
    platform, pod = active_run.require().platform, pod_of(target)
    container = main_container(pod, platform.target.role(role).container).name
    text = container_exec.output_of(platform, target.name, target.namespace or "", container, ["sh", "-c", LOOK], limit_s=LIMIT_S)
    share = parse(text)
    if share is None:
        raise NoData(
            f"pod {target.namespace}/{target.name}: container {container} does not see its control group below /sys/fs/cgroup, so nobody "
            f"can say how much of a processor it may have; it said {text[:80]!r}"
        )
    return share


def parse(text: str) -> Share | None:
    """Parse what LOOK writes: the quota and its period (µs), and cpu.stat twice, a second apart. None: it is not that."""
    rows = [line.split() for line in text.splitlines()]
    quota = next((row[1:] for row in rows if row[:1] == ["quota"]), [])
    periods, waits = ([int(row[1]) for row in rows if len(row) > 1 and row[0] == name] for name in ("nr_periods", "nr_throttled"))
    if len(quota) != 2 or len(periods) != 2 or len(waits) != 2:
        return None
    allowed = float("inf") if quota[0] in NONE else int(quota[0]) / int(quota[1])
    ran = periods[1] - periods[0]
    return Share(allowed, (waits[1] - waits[0]) / ran if ran else 0.0)
