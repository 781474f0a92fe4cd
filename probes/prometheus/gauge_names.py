"""By which name and labels Prometheus has a gauge of model servers; and if it has not, what it has in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from history.errors import NoData
from probes.prometheus.client import ask
from target import engines
from target.prometheus import matchers_of
from target.region import Region
from target.role import Role

SHOWN = 5  # values of labels that a sentence names
MATCHER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)")
NAME = "__name__"


def matchers_for(region: Region, role: Role | None, labels: str) -> str:
    """Return ``labels`` (PromQL matchers without braces) with those of role and region that they do not name."""
    named = set(MATCHER.findall(labels))
    wanted = (role.series_labels if role else {}) | (region.prometheus.labels if region.prometheus else {})
    more = matchers_of({name: value for name, value in wanted.items() if name not in named})
    return ",".join(filter(None, (labels.strip().strip(","), more)))


def name_of(region: Region, role: Role | None, gauge: str, matchers: str) -> str:
    """Return the one name by which Prometheus has ``gauge``, one of :data:`target.engines.GAUGES`; of several of one engine the newest.

    Raises:
        NoData: as :func:`ask`; or it has none, or those of two engines.

    """
    own = role.adapter if role and role.adapter in engines.ENGINES else None
    known = {engine: engines.names(gauge, engine) for engine in ([own] if own else engines.ENGINES)}
    asked = [name for names in known.values() for name in names]
    there = {labels.get(NAME, "") for labels in _labels(region, (NAME,), asked, matchers)}
    found = {engine: next(name for name in names if name in there) for engine, names in known.items() if there & set(names)}
    if len(found) > 1:
        raise NoData(f"Prometheus has {' and '.join(found.values())} with {{{matchers}}}; say which engine: roles.ROLE.adapter")
    if not found:
        raise NoData(instead(region, asked, gauge, matchers))
    return next(iter(found.values()))


def instead(region: Region, asked: Iterable[str], gauge: str, matchers: str) -> str:
    """Return a sentence: what Prometheus has in the place of the names ``asked``, which it has not with ``matchers``. Raises NoData."""
    wanted, by = set(asked), tuple(dict.fromkeys(MATCHER.findall(matchers)))
    there = _labels(region, (NAME, *by), [*wanted, *engines.names(gauge)], "")
    names = {labels[NAME] for labels in there if labels.get(NAME)}
    if wanted & names:
        return _elsewhere(", ".join(sorted(wanted & names)), matchers, by, [one for one in there if one.get(NAME) in wanted])
    what = f"no {next(iter(wanted))}" if len(wanted) == 1 else f"no gauge ({gauge}) of a known engine"
    if names:
        return f"Prometheus has {what}; it has {', '.join(sorted(names))}: say so by roles.ROLE.adapter or roles.ROLE.metrics.queue"
    return (
        f"Prometheus has {what}; let it scrape the engines (see its page of targets), or name the engine's own: roles.ROLE.metrics.queue; "
        "some engines have it only after their first request"
    )


def _elsewhere(name: str, matchers: str, by: Iterable[str], there: list[dict[str, str]]) -> str:
    said = sorted({", ".join(f'{label}="{one[label]}"' for label in by if one.get(label)) or "none of these labels" for one in there})
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return (
        f"Prometheus has {name}, but not with {{{matchers}}}: it has it with {'; '.join(said[:SHOWN])}{more}; if that is another cluster, "
        "correct its url or labels; if it is this one, say by which labels the role's series are known: roles.ROLE.metrics.labels"
    )


def _labels(region: Region, by: Iterable[str], names: Iterable[str], matchers: str) -> list[dict[str, str]]:
    selector = ",".join(filter(None, (f'{NAME}=~"{"|".join(names)}"', matchers)))
    return [one.labels for one in ask(region, f"count by ({', '.join(by)}) ({{{selector}}})").series]
