"""The stop conditions that people write in a target file or an experiment: a PromQL expression, or a bystander's errors.

They are asked every second of a run (:mod:`runner.run.abort.conditions`), and once in preflight.
"""

from __future__ import annotations

import time
from collections import deque

import requests

from history.errors import NoData, TargetRefused
from probes.prometheus import query
from runner.stop import Condition
from target.region import Region
from target.stop_when import StopWhen

ASK_S = 1.0
FEWEST = 5  # asks before a ratio means anything
BY = "stop condition"
BLIND = "whether it is met cannot be known"


def stop_conditions(region: Region, written: tuple[StopWhen, ...]) -> list[Condition]:
    """Return the conditions that a target file or an experiment asks for."""
    return [Expression(region, item).met if item.promql else Bystander(item).met for item in written]


def refuse_met(region: Region, written: tuple[StopWhen, ...]) -> None:
    """Refuse a run that would be stopped at once, or whose stop conditions nobody can see.

    Raises:
        TargetRefused: which one, and what it says now.

    """
    for item in written:
        if item.promql:
            what = _expression_met(region, item.promql, item.above)
        else:
            what = f"{item.bystander} does not answer well" if _is_bad(item.bystander or "") else ""
        if what:
            raise TargetRefused(
                f"stop condition already met: {what}; nothing was injected; wait until it is over, or correct the condition"
            )


def _expression_met(region: Region, promql: str, above: float) -> str:
    """Return how an expression is met now; empty: it is not. Raises TargetRefused: it has no value."""
    try:
        value = query(region, promql)
    except NoData as error:
        raise TargetRefused(f"stop condition {promql}: {error}; {BLIND}; nothing was injected; let Prometheus answer first") from error
    if value is None:
        raise TargetRefused(f"stop condition {promql}: it has no value now, {BLIND}; nothing was injected; correct the expression")
    return f"{promql} is {value:g}, above {above:g}" if value > above else ""


class Expression:
    """A PromQL expression that must not rise above a value. Without a value for longer than its window, it stops the run, too."""

    def __init__(self, region: Region, written: StopWhen) -> None:
        self._region, self._written, self._seen_s = region, written, time.monotonic()

    def met(self) -> tuple[str, str] | None:
        """Ask Prometheus once."""
        try:
            value = query(self._region, self._written.promql or "")
        except NoData:
            value = None
        if value is not None:
            self._seen_s = time.monotonic()
            above = self._written.above
            return (BY, f"{self._written.promql} is {value:g}, above {above:g}") if value > above else None
        blind_s = time.monotonic() - self._seen_s
        if blind_s <= self._written.window_s:
            return None
        return BY, f"{self._written.promql} has had no value for {blind_s:.0f} s, at most {self._written.window_s:g} s are allowed: {BLIND}"


class Bystander:
    """A service that is no target: asked once a second; too many errors among its latest answers stop the run."""

    def __init__(self, written: StopWhen) -> None:
        self._written, self._asks = written, deque[tuple[float, bool]]()
        self._fewest = min(FEWEST, int(written.window_s))

    def met(self) -> tuple[str, str] | None:
        """Ask the service once."""
        now_s = time.monotonic()
        self._asks.append((now_s, _is_bad(self._written.bystander or "")))
        while self._asks and now_s - self._asks[0][0] > self._written.window_s:
            self._asks.popleft()
        bad, total = sum(bad for _, bad in self._asks), len(self._asks)
        if total < self._fewest or bad / total <= self._written.above:
            return None
        what = f"{bad} of {total} answers of {self._written.bystander} in the last {self._written.window_s:g} s were errors"
        return BY, f"{what}, more than {self._written.above:.0%}: a bystander suffers"


def _is_bad(url: str) -> bool:
    try:
        return requests.get(url, timeout=ASK_S, allow_redirects=False).status_code >= 500
    except requests.RequestException:
        return True
