"""The stop conditions that people write in a target file or an experiment: a PromQL expression, or a bystander's errors.

They are asked every second of a run (:mod:`runner.run.abort.conditions`), and once in preflight. Of an expression with several series the
largest value counts. One without a value is blind, and so is one whose question hangs: blind for longer than its window, it stops the run.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime

import requests

from history.errors import NoData, TargetRefused
from probes.prometheus.answer import Series
from probes.prometheus.values import largest
from runner.stop import Condition
from target.region import Region
from target.stop_when import StopWhen

ASK_S = 1.0
FEWEST = 5  # asks before a ratio means anything
BY = "stop condition"
BLIND = "whether it is met cannot be known"


def stop_conditions(region: Region, written: tuple[StopWhen, ...]) -> list[Condition]:
    """Return the conditions that a target file or an experiment asks for."""
    expressions = [Expression(region, item) for item in written if item.promql]
    bystanders = [Bystander(item) for item in written if item.bystander]
    return [*(one.met for one in expressions), *(one.blind for one in expressions), *(one.met for one in bystanders)]


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
        found = largest(region, promql)
    except NoData as error:
        raise TargetRefused(f"stop condition {promql}: {error}; {BLIND}; nothing was injected; let Prometheus answer first") from error
    if found is None:
        raise TargetRefused(
            f"stop condition {promql}: it has no value now, {BLIND}; nothing was injected; correct it: rate(…[30s]) takes two scrapes "
            "in its window, and sum(…) or vector(0) has a value where no series is"
        )
    return _above(promql, found, above)


def _above(promql: str, found: Series, above: float) -> str:
    """Return that an expression is above its bound, and which of its series; empty: it is not."""
    which = f" ({found.name})" if found.labels else ""
    return f"{promql} is {found.value:g}{which}, above {above:g}" if found.value > above else ""


class Expression:
    """A PromQL expression that must not rise above a value. Without a value for longer than its window, it stops the run, too."""

    def __init__(self, region: Region, written: StopWhen) -> None:
        self._region, self._written, self._promql = region, written, written.promql or ""
        self._seen_s, self._why = time.monotonic(), "nothing as yet"

    def met(self) -> tuple[str, str] | None:
        """Ask Prometheus once."""
        try:
            found = largest(self._region, self._promql)
        except NoData as error:
            self._why = str(error)
            return None
        if found is None:
            self._why = "no value"
            return None
        self._seen_s, self._why = time.monotonic(), "nothing since"
        above = _above(self._promql, found, self._written.above)
        return (BY, above) if above else None

    def blind(self) -> tuple[str, str] | None:
        """Look how long the expression has had no value. Asked beside :meth:`met`, since a question may hang."""
        blind_s = time.monotonic() - self._seen_s
        if blind_s <= self._written.window_s:
            return None
        since = datetime.fromtimestamp(time.time() - blind_s, UTC)
        return BY, (
            f"{self._promql} has had no value for {blind_s:.0f} s, since {since:%H:%M:%S} UTC, at most {self._written.window_s:g} s are "
            f"allowed: {BLIND}; Prometheus answered last: {self._why}"
        )


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
        with requests.get(url, timeout=ASK_S, allow_redirects=False, stream=True) as answer:  # its body may have no end
            return answer.status_code >= 500
    except requests.RequestException:
        return True
