"""Evidence about the volumes of pods: what their kernel says of them."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube import live
from kube.inside import output_of
from kube.mounted import options_at, path_of
from probes.pods import pod_of


def read_only(activity: str, role: str, volume: str) -> bool:
    """Tell whether every target of ``activity`` has its ``volume`` mounted read-only. Raises NoData: its kernel cannot be asked."""
    return all("ro" in _options(target, role, volume) for target in live.require().targets_of(activity))


def _options(target: ResolvedTarget, role: str, volume: str) -> list[str]:
    platform = live.require().platform
    container = platform.target.role(role).container or ""
    path = path_of(pod_of(target), container, volume)
    mounts = output_of(platform, target.name, target.namespace or "", container, ["cat", "/proc/self/mountinfo"])
    options = options_at(mounts, path) if path else []
    if not options:
        raise NoData(
            f"pod {target.namespace}/{target.name}: container {container} has no volume {volume!r} mounted; correct volume or role"
        )
    return options
