"""Whether Prometheus has series of this cluster's pods, or of another's, said by their labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from history.errors import NoData, TargetRefused
from kube.client import Platform, api_errors
from probes.prometheus import whose
from runner.findings import About, Finding, Kind

ADVICE = "if that is another cluster, correct prometheus.url or its labels; if it is this one, let it scrape the engines"


def about_prometheus(platform: Platform) -> Iterator[Finding]:
    """Yield whose series it has; nothing where it does not answer: the check says so. Raises TargetRefused: pods cannot be listed."""
    if platform.region.prometheus is None:
        return
    with api_errors("list the pods of the roles", TargetRefused):
        pods = {pod.metadata.name for found in platform.pods_of_roles().values() for pod in found}
    with suppress(NoData):
        known = whose.known_pods(platform.region, pods)
        if known:
            yield Finding(About.PROMETHEUS, Kind.WORKS, f"it has series of {len(known)} of {min(len(pods), whose.ASKED)} pods of the roles")
        elif pods:
            instead = whose.others(platform.region) or "nothing: no target is up"
            yield Finding(About.PROMETHEUS, Kind.TO_DECIDE, f"it has no series of any pod of the roles, but of {instead}; {ADVICE}")
