"""The cases, a row each: an experiment, how Chaos Toolkit is called, and what this suite must say. Adding a case is adding a row."""
# ruff: noqa: E501 - a row is a line

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
MODULE = "bench.comparison.false_passes.parts"
EVERY = ("--hypothesis-frequency", "0.2")


@dataclass(frozen=True, slots=True)
class Expected:
    """What this suite must say: PASS, FAIL, INCONCLUSIVE or refused; the check (or phase) that says so; a part of its sentence."""

    verdict: str
    check: str
    says: str


@dataclass(frozen=True, slots=True)
class Case:
    """One row. ``options`` are those of ``chaos run``; ``outages`` the server's own script."""

    name: str
    document: Document
    expected: Expected
    options: tuple[str, ...] = ()
    outages: tuple[dict[str, Any], ...] = field(default=())
    killed: bool = False  # the process that runs it does not survive
    deadline_s: float = 2.0  # how long this suite observes, from the fault on


def activity(kind: str, name: str, func: str, /, pause_s: float = 0.0, **arguments: Any) -> Document:  # noqa: ANN401 - any JSON value
    """Return an action or probe that calls ``func`` of :mod:`bench.comparison.false_passes.parts`."""
    pauses = {"pauses": {"after": pause_s}} if pause_s else {}
    return {"type": kind, "name": name, "provider": {"type": "python", "module": MODULE, "func": func, "arguments": arguments}} | pauses


def action(name: str, func: str, /, pause_s: float = 0.0, **arguments: Any) -> Document:  # noqa: ANN401 - any JSON value
    """Return an action on role inference."""
    return activity("action", name, func, pause_s=pause_s, **({"role": "inference"} | arguments))


def probe(name: str, func: str, tolerance: object, **arguments: Any) -> Document:  # noqa: ANN401 - any JSON value
    """Return a probe with its tolerance."""
    return activity("probe", name, func, **arguments) | {"tolerance": tolerance}


FREEZE = action("freeze-server", "freeze", for_s=0.6, wait=True)
FREEZE_LONG = action("freeze-server", "freeze", for_s=1.4, wait=True)
ANSWERS = probe("answers", "answers", {"type": "range", "range": [0.99, 1.0]})
HASTY = probe("answers", "answers", {"type": "range", "range": [0.99, 1.0]}, patience_s=0.2)
THAW = activity("action", "thaw-server", "thaw")


def queue(after: object) -> Document:
    """Return a probe of a queue's depth that reads ``after`` once the fault has acted."""
    return probe("queue-depth", "queue_depth", {"type": "range", "range": [0, 10]}, after=after)


def experiment(
    *method: Document,
    probes: tuple[Document, ...] = (ANSWERS,),
    rollback: Document = THAW,
    rto: str = "30s",
    evidence: bool = True,
    **keys: object,
) -> Document:
    """Return an experiment, the same for both tools; ``keys`` stand beside the usual ones."""
    proves = next(one["name"] for one in method if one["type"] == "action")
    proof = [probe("server-stopped", "stopped", tolerance=True, activity=proves)] if evidence else []
    ours = {"name": "aftershock", "workload": "realtime-inference", "budgets": {"rto": rto}, "evidence": proof}
    return {
        "title": "The server of a replica freezes",
        "description": "Users are served again within the budget.",
        "steady-state-hypothesis": {"title": "users are served", "probes": list(probes)},
        "method": list(method),
        "rollbacks": [rollback],
        "extensions": [ours],
    } | keys


def signalled(number: str, *, wait: bool = False) -> Document:
    """Return a first action during which, or in the pause after which, the process gets a signal."""
    return action("freeze-server", "freeze_and_signal", pause_s=0.0 if wait else 3.0, number=number, wait=wait)


TWINS = (
    Case("unmutated twin: one action", experiment(FREEZE), Expected("PASS", "rto", "served again")),
    Case("unmutated twin: two probes, two actions, a pause", experiment(FREEZE | {"pauses": {"after": 0.3}}, FREEZE | {"name": "freeze-again"}, probes=(ANSWERS, queue(4))), Expected("PASS", "rto", "served again"), deadline_s=4.0),
)  # fmt: skip

CASES = (
    Case("an action raises (the API answers 403)", experiment(action("delete-replica", "delete")), Expected("INCONCLUSIVE", "fault", "403")),
    Case("an action matches 0 targets, known before", experiment(action("freeze-server", "freeze", role="decoy", for_s=0.6)), Expected("refused", "preflight", "matches 0 pods")),
    Case("an action matches 0 targets at run time", experiment(action("freeze-server", "freeze_stale")), Expected("INCONCLUSIVE", "fault", "without naming a target")),
    Case("an action succeeds and has no effect", experiment(action("freeze-server", "pretend")), Expected("INCONCLUSIVE", "evidence", "server-stopped")),
    Case("no evidence is named", experiment(action("freeze-server", "pretend"), evidence=False), Expected("refused", "collection", "evidence: missing")),
    Case("the steady state is not met before", experiment(FREEZE), Expected("INCONCLUSIVE", "baseline", "answers"), outages=({"at_s": 0.0, "for_s": 600.0, "kind": "500"},)),
    Case("`during-method-only`: the hypothesis fails during the method", experiment(FREEZE_LONG, probes=(HASTY,), rto="200ms"), Expected("FAIL", "rto", "budget"), options=("--hypothesis-strategy", "during-method-only", *EVERY), deadline_s=4.0),
    Case("`continuously`: the hypothesis fails during the method, holds after it", experiment(FREEZE_LONG, probes=(HASTY,), rto="200ms"), Expected("FAIL", "rto", "budget"), options=("--hypothesis-strategy", "continuously", *EVERY), deadline_s=4.0),
    Case("`--fail-fast` trips, the hypothesis holds after it", experiment(FREEZE_LONG, probes=(HASTY,), rto="200ms"), Expected("FAIL", "rto", "budget"), options=("--hypothesis-strategy", "continuously", *EVERY, "--fail-fast"), deadline_s=4.0),
    Case("a rollback fails", experiment(FREEZE, rollback=activity("action", "thaw-server", "thaw_forbidden")), Expected("FAIL", "heal", "403")),
    Case("a control raises when it is configured", experiment(FREEZE, controls=[{"name": "guard", "provider": {"type": "python", "module": "bench.comparison.false_passes.broken_control"}}]), Expected("refused", "collection", "controls")),
    Case("a control's module is missing", experiment(FREEZE, controls=[{"name": "guard", "provider": {"type": "python", "module": "bench.comparison.false_passes.nowhere"}}]), Expected("refused", "collection", "controls")),
    Case("a `range` tolerance gets None after the method", experiment(FREEZE, probes=(ANSWERS, queue(None))), Expected("INCONCLUSIVE", "hypothesis", "queue-depth had no data")),
    Case("a `range` tolerance gets NaN after the method", experiment(FREEZE, probes=(ANSWERS, queue(math.nan))), Expected("INCONCLUSIVE", "hypothesis", "queue-depth had no data")),
    Case("a probe in the method is out of its tolerance", experiment(FREEZE, probe("queue-empty", "queue_depth", 0)), Expected("refused", "collection", "method")),
    Case("SIGTERM during a Python activity, another fault follows", experiment(signalled("TERM", wait=True), FREEZE | {"name": "next-fault"}), Expected("INCONCLUSIVE", "stopped", "SIGTERM")),
    Case("SIGTERM during a pause", experiment(signalled("TERM")), Expected("INCONCLUSIVE", "stopped", "SIGTERM")),
    Case("SIGINT during a pause", experiment(signalled("INT")), Expected("INCONCLUSIVE", "stopped", "SIGINT")),
    Case("a safeguard asks for the end", experiment(action("freeze-server", "freeze_until_safeguard", pause_s=3.0)), Expected("INCONCLUSIVE", "stopped", "safeguard")),
    Case("SIGKILL", experiment(signalled("KILL")), Expected("INCONCLUSIVE", "heal", "never proven"), killed=True),
)  # fmt: skip
