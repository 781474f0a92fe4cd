"""Asking a replica: each way, what it can ask, and which rights it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kube.client import Platform
from kube.health import through_exec, through_port_forward, through_proxy
from kube.health.answer import Answer
from kube.health.questions import ExecQuestion, HttpQuestion, Question, TcpQuestion
from kube.health.ways import UNTRIED, Way, Ways
from kube.objects import Pod
from kube.permissions import Permission, in_namespace


class Through(NamedTuple):
    """One way. ``verbs`` are those that its resource takes: a WebSocket is a GET, and since Kubernetes 1.35 also a create."""

    can_ask: Callable[[Question], bool]
    ask: Callable[[Platform, Pod, Any], Answer]
    verbs: tuple[str, ...]


WAYS = {
    Way.PROXY: Through(through_proxy.can_ask, through_proxy.ask, ("get",)),
    Way.PORT_FORWARD: Through(through_port_forward.can_ask, through_port_forward.ask, ("get", "create")),
    Way.EXEC: Through(through_exec.can_ask, through_exec.ask, ("get", "create")),
}
"""Every way, in the order in which they are tried: what asks least of the cluster first."""


def permissions(way: Way, namespace: str) -> list[Permission]:
    """Return what a way needs for the pods of a namespace."""
    return in_namespace(namespace, *((verb, way.value) for verb in WAYS[way].verbs))


def ask(platform: Platform, pod: Pod, question: Question, way: Way) -> Answer:
    """Ask a V1Pod one question through one way."""
    return WAYS[way].ask(platform, pod, question)


def way_of(question: Question, ways: Ways) -> Way | None:
    """Return through what a question is asked; None: it is not."""
    taken = {HttpQuestion: ways.http, TcpQuestion: ways.tcp, ExecQuestion: ways.exec}.get(type(question))
    return taken if taken is not None and WAYS[taken].can_ask(question) else None


def ways_of(platform: Platform, role: str) -> Ways:
    """Return the ways that were chosen for a role; before that, or for pods that only the run makes, as for others of the target."""
    if role in platform.ways:
        return platform.ways[role]
    chosen = platform.ways.values()
    return next((ways for ways in chosen if ways.http is not None), None) or next(iter(chosen), UNTRIED)
