"""What guards a platform while a run goes on: stop conditions of the target file and of the experiment, and whatever works against the run.

Each condition is a function without arguments; it returns who asks to stop and a sentence, or None (:mod:`runner.run.abort.conditions`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import requests

from faults.mechanisms import fault_pod
from history.errors import AftershockError, NoData, TargetRefused
from history.plan import Phase, ResolvedTarget
from kube.client import Platform, api_errors, unless_gone
from kube.objects import Node
from probes.queue import query
from safety.active_run import ActiveRun
from safety.undo import CORDONED_BY
from safety.undo_journal import Undo, UndoKind
from target.stop_when import StopWhen
from target.target import Target

Condition = Callable[[], tuple[str, str] | None]
ASK_S = 1.0
FEWEST = 5  # asks before a ratio means anything
BY = "stop condition"
REVERTS = "a controller reverts the fault; pause it for the run"
ACTIVE = {Phase.CONFIRM, Phase.OBSERVE}  # the fault acts, and this run does not end it
EARLY = "the fault may have ended before its time, not by this run; find out who removes or evicts pods of the suite's namespace"


def stop_conditions(target: Target, written: tuple[StopWhen, ...]) -> list[Condition]:
    """Return the conditions that a target file or an experiment asks for."""
    return [Expression(target, one).met if one.promql else Bystander(one).met for one in written]


def refuse_met(target: Target, written: tuple[StopWhen, ...]) -> None:
    """Refuse a run that would be stopped at once, or whose stop conditions nobody can see.

    Raises:
        TargetRefused: which one, and what it says now.

    """
    for one in written:
        try:
            value = query(target, one.promql) if one.promql else float(_is_bad(one.bystander or ""))
        except NoData as error:
            raise TargetRefused(
                f"stop condition {one.promql}: {error}; a guard that is blind guards nothing; nothing was injected"
            ) from error
        if one.promql and value is None:
            raise TargetRefused(f"stop condition {one.promql}: it has no value now, so it would guard nothing; correct the expression")
        if value is not None and value > one.above:
            what = f"{one.promql} is {value:g}, above {one.above:g}" if one.promql else f"{one.bystander} does not answer well"
            raise TargetRefused(
                f"stop condition already met: {what}; nothing was injected; wait until it is over, or correct the condition"
            )


class Expression:
    """A PromQL expression that must not rise above a value; blind for longer than its window, it stops the run, too."""

    def __init__(self, target: Target, written: StopWhen) -> None:
        self._target, self._written, self._seen_s = target, written, time.monotonic()

    def met(self) -> tuple[str, str] | None:
        """Ask Prometheus once."""
        try:
            value = query(self._target, self._written.promql or "")
        except NoData:
            value = None
        if value is not None:
            self._seen_s = time.monotonic()
            above = self._written.above
            return (BY, f"{self._written.promql} is {value:g}, above {above:g}") if value > above else None
        blind_s = time.monotonic() - self._seen_s
        if blind_s <= self._written.window_s:
            return None
        return BY, f"{self._written.promql} has had no value for {blind_s:.0f} s: a guard that is blind guards nothing"


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


def opposed(run: ActiveRun, phase: Callable[[], Phase]) -> Condition:
    """Return a condition that is met once somebody else reverts the fault, ends it early, or replaces what it was aimed at."""

    def met() -> tuple[str, str] | None:
        try:
            with api_errors("look who else changes the targets", TargetRefused):
                found = [*_replaced(run.platform, run.all_targets()), *_reverted(run), *_ended_early(run, phase)]
        except AftershockError:
            return None  # the API server is away: nobody can tell
        return ("somebody else", found[0]) if found else None

    return met


def _replaced(platform: Platform, targets: list[ResolvedTarget]) -> list[str]:
    """Return the target nodes that were removed or made anew since preflight."""
    found = []
    for target in targets:
        if target.kind == "Pod":
            continue
        name = target.node or target.name
        node = _node(platform, name)
        if node is None or node.metadata.uid != target.uid:
            what = "was removed from the cluster" if node is None else "was replaced by another of the same name"
            found.append(f"node {name} {what}, not by this run: node auto-repair or an autoscaler works against it; pause them for the run")
    return found


def _reverted(run: ActiveRun) -> list[str]:
    """Return what this run set and has not undone itself, and is gone all the same."""
    return [sentence for undo in run.journal.entries() if not undo.done and (sentence := _gone(run, undo))]


def _gone(run: ActiveRun, undo: Undo) -> str:
    if undo.kind is not UndoKind.UNCORDON:
        return ""
    node = _node(run.platform, undo.object)
    ours = node is not None and (node.metadata.annotations or {}).get(CORDONED_BY) == undo.detail
    if node is None or not ours or node.spec.unschedulable:
        return ""
    return f"node {undo.object} was uncordoned while the run needs it cordoned, not by this run: {REVERTS}"  # who removes leaves no trace


def _ended_early(run: ActiveRun, phase: Callable[[], Phase]) -> list[str]:
    """Return the fault pods that are gone although the fault should last; this run itself removes them only when it heals."""
    if phase() not in ACTIVE:
        return []
    pods = [undo for undo in run.journal.entries() if undo.kind is UndoKind.DELETE_POD and not undo.done]
    found = [f"fault pod {undo.object} on {undo.detail} {what}: {EARLY}" for undo in pods if (what := _lost(run.platform, undo))]
    return found if phase() in ACTIVE else []  # healing may have begun between the journal and the pod


def _lost(platform: Platform, undo: Undo) -> str:
    pod = unless_gone(lambda: platform.pod(undo.object, undo.namespace or ""))
    if pod is None:
        return "was removed"
    if pod.metadata.deletion_timestamp is not None:
        return "is being removed"
    return f"failed ({fault_pod.why(pod)})" if pod.status.phase == "Failed" else ""


def taken_over(run: ActiveRun) -> dict[str, str]:
    """Return the nodes that somebody cordoned after this run had undone its own cordon: name -> a sentence. Raises AftershockError.

    What others set is left to them, so healing does not wait for it, and says it.
    """
    undone = {undo.object for undo in run.journal.entries() if undo.kind is UndoKind.UNCORDON and undo.done}
    with api_errors("look who else changes the targets", TargetRefused):
        nodes = {name: _node(run.platform, name) for name in sorted(undone)}
    return {
        name: f"node {name} was made schedulable by this run's undo and is cordoned again by {_cordoned_by(node)}: "
        "a controller reverts the undo; it is left as it is; pause the controller, then look at the node"
        for name, node in nodes.items()
        if node is not None and node.spec.unschedulable and CORDONED_BY not in (node.metadata.annotations or {})
    }


def _node(platform: Platform, name: str) -> Node | None:
    return unless_gone(lambda: platform.node(name))


def _cordoned_by(node: Node) -> str:
    """Return the field manager that cordoned a node."""
    entries: list[Any] = node.metadata.managed_fields or []
    owners = [one for one in entries if one.time and "f:unschedulable" in (one.fields_v1 or {}).get("f:spec", {})]
    return str(max(owners, key=lambda one: one.time).manager) if owners else "somebody unknown"
