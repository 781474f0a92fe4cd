"""Sentences that several parts of a draft say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from runner.discovery.reader import Gap

SHOWN = 6
OF_NO_NAMESPACE = frozenset({"nodes", "namespaces"})


def listed(names: Iterable[str], most: int = SHOWN) -> str:
    """Return names for a person: the first ones, and how many more."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 pod``, ``3 pods``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def gaps_in_words(gaps: Iterable[Gap]) -> Iterator[str]:
    """Yield what could not be read, a sentence for each resource, and what to grant."""
    by_what: dict[tuple[str, bool], list[Gap]] = defaultdict(list)
    for gap in gaps:
        by_what[gap.what, gap.forbidden].append(gap)
    for (what, forbidden), found in sorted(by_what.items()):
        whole = forbidden and found[0].resource not in OF_NO_NAMESPACE and any(gap.namespace is None for gap in found)
        instead = "; so each namespace that is known was asked" if whole else ""
        yield f"{what} {_where(found)}: {'may not be read' if forbidden else f'could not be read ({found[0].said})'}{instead}"


def grants(gaps: Iterable[Gap]) -> list[str]:
    """Return commands by which an administrator grants what was forbidden, to read and nothing more."""
    forbidden = [gap for gap in gaps if gap.forbidden]
    if not forbidden:
        return []
    named = [f"{gap.resource.partition('/')[0]}{'.' if gap.group else ''}{gap.group}{_sub(gap.resource)}" for gap in forbidden]
    resources = ",".join(dict.fromkeys(sorted(named)))
    return [
        f"kubectl create clusterrole aftershock-discover --verb=get,list --resource={resources}",
        "kubectl create clusterrolebinding aftershock-discover --clusterrole=aftershock-discover --user=WHO",
    ]


def _sub(resource: str) -> str:
    _, slash, sub = resource.partition("/")
    return f"{slash}{sub}"


def _where(gaps: Iterable[Gap]) -> str:
    names = sorted({gap.namespace for gap in gaps if gap.namespace})
    whole = any(gap.namespace is None for gap in gaps)
    inside = f"in {listed(names)}" if names else ""
    return " and ".join(part for part in ("in the whole cluster" if whole else "", inside) if part)
