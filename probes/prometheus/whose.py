"""Whose series a Prometheus has: those of this cluster's pods, or another's."""

from __future__ import annotations

from collections.abc import Collection

from probes.prometheus.client import ask
from probes.prometheus.series import NAMESPACES, PODS
from target.region import Region

ASKED = 50  # pods by which a cluster is recognised
SHOWN = 3
PLACE = ("cluster", *NAMESPACES)


def known_pods(region: Region, pods: Collection[str]) -> frozenset[str]:
    """Return those of ``pods`` of which Prometheus has a series with the region's labels. Raises NoData as :func:`ask`."""
    names, found = "|".join(sorted(pods)[:ASKED]), frozenset[str]()
    for label in PODS if names else ():
        series = ask(region, f'count by ({label}) ({{{label}=~"{names}"{_of_region(region)}}})').series
        found |= {one.labels.get(label, "") for one in series}
        if found:
            break
    return found & frozenset(pods)


def others(region: Region) -> str:
    """Return of what Prometheus has series instead, by the labels that say where: the commonest. Raises NoData as :func:`ask`."""
    found = sorted(ask(region, f"count by ({', '.join(PLACE)}) (up{{}})").series, key=lambda one: -one.value)
    said = [", ".join(f'{label}="{one.labels[label]}"' for label in PLACE if one.labels.get(label)) for one in found[:SHOWN]]
    return "; ".join(text or "targets whose labels say nothing of where they are" for text in said)


def _of_region(region: Region) -> str:
    matchers = region.prometheus.matchers() if region.prometheus else ""
    return f",{matchers}" if matchers else ""
