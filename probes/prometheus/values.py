"""One number of an expression: the only one, or the largest."""

from __future__ import annotations

import math

from history.errors import NoData
from probes.prometheus.answer import Series
from probes.prometheus.client import ask
from probes.prometheus.series import once
from target import engines
from target.region import Region

SHOWN = 3  # series that a sentence names


def query(region: Region, promql: str) -> float | None:
    """Return the one value of an expression, a vector's or a scalar; None if there is none, or if it is not finite.

    Raises:
        NoData: as :func:`_values`; or there are several, and nobody can say which is meant.

    """
    found = once(_values(region, promql))
    if len(found) > 1:
        some = ", ".join(one.name for one in found[:SHOWN])
        raise NoData(f"Prometheus: {promql} has {len(found)} values, one is meant ({some}, …); write sum(…) or max(…) around it")
    value = found[0].value if found else math.nan
    return value if math.isfinite(value) else None


def largest(region: Region, promql: str) -> Series | None:
    """Return the series of an expression with the largest value, which may be infinite; None: none has one.

    Raises:
        NoData: as :func:`_values`.

    """
    found = [one for one in _values(region, promql) if not math.isnan(one.value)]
    return max(found, key=lambda one: one.value, default=None)


def _values(region: Region, promql: str) -> tuple[Series, ...]:
    """Return the series of a vector, or the scalar. Raises NoData as :func:`ask`; or ``promql`` is a range."""
    answer = ask(region, promql)
    if answer.kind == "matrix":
        raise NoData(f"Prometheus: {promql} is a range of values; write a function such as rate(…) or max_over_time(…) around it")
    return answer.series


def engine_gauges(region: Region) -> list[str]:
    """Return the gauges of known model servers that Prometheus has by now (target/engines.py). Raises NoData as :func:`ask` does."""
    known = "|".join(name for gauge in engines.GAUGES for name in engines.names(gauge))
    of_region = f",{matchers}" if region.prometheus and (matchers := region.prometheus.matchers()) else ""
    found = ask(region, f'count by (__name__) ({{__name__=~"{known}"{of_region}}})').series
    return list(engines.recognised({one.labels.get("__name__", "") for one in found}))
