"""Choosing, once per role and before a run, through what its replicas are asked: what is permitted, and really answers.

Whom no way reaches is not unhealthy: the kubelet's own word counts for it, its condition, and why is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from kube.client import PARALLEL, Platform, ready
from kube.health.answer import Answer
from kube.health.asking import WAYS, ask, permissions
from kube.health.questions import ExecQuestion, GrpcQuestion, HttpQuestion, Question, TcpQuestion, questions_of
from kube.health.ways import Way, Ways
from kube.objects import Pod
from kube.permissions import Permission, missing, sentence

TRY_S = 2.0  # a first answer may take longer than later ones
ENOUGH = 8  # of a role's replicas; a way that reaches so many reaches its nodes' kind
Asked = list[tuple[Pod, Question]]


class Found(NamedTuple):
    """Which way the questions of one kind take, and why not others."""

    way: Way | None
    lacks: tuple[str, ...] = ()


def choose_ways(platform: Platform, pods: dict[str, list[Pod]]) -> None:
    """Try for each role with ready pods through what they can be asked, and keep it in ``platform.ways``.

    ``pods``: role -> its V1Pods. Raises TargetRefused: nobody can tell what this account may do.
    """
    asked = {role: _asked(platform, role, those) for role, those in pods.items()}
    roles = [role for role, questions in asked.items() if questions]
    with ThreadPoolExecutor(PARALLEL) as pool:
        chosen = pool.map(lambda role: ways_for(platform, asked[role]), roles)
    platform.ways.update(zip(roles, chosen, strict=True))


def ways_for(platform: Platform, asked: Asked) -> Ways:
    """Return the ways for questions to the pods of one role (same errors as :func:`choose_ways`)."""
    http, tcp, command = (_found(platform, [one for one in asked if isinstance(one[1], kind)]) for kind in KINDS)
    grpc = ("gRPC is asked by the kubelet alone",) if any(isinstance(question, GrpcQuestion) for _, question in asked) else ()
    lacks = list(dict.fromkeys((*http.lacks, *tcp.lacks, *command.lacks, *grpc)))
    return Ways(http.way, tcp.way, command.way, "; ".join(lacks))


KINDS = (HttpQuestion, TcpQuestion, ExecQuestion)


def permissions_of_ways(platform: Platform) -> list[Permission]:
    """Return what the chosen ways need."""
    needed = [
        right
        for role, ways in platform.ways.items()
        for way in (ways.http, ways.tcp, ways.exec)
        if way is not None
        for right in permissions(way, platform.target.role(role).namespace)
    ]
    return list(dict.fromkeys(needed))


def _asked(platform: Platform, role: str, pods: Sequence[Pod]) -> Asked:
    there = [pod for pod in pods if ready(pod)][:ENOUGH]
    return [(pod, _patient(question)) for pod in there for question in questions_of(platform.target.role(role), pod)]


def _patient(question: Question) -> Question:
    return question._replace(limit_s=max(TRY_S, question.limit_s))


def _found(platform: Platform, asked: Asked) -> Found:
    """Return the first way through which all say that they are well; else the one through which most say so, or anything at all."""
    if not asked:
        return Found(None)
    tried: list[tuple[int, int, Way]] = []
    lacks: list[str] = []
    for way in WAYS:
        answers = _answers(platform, asked, way)
        if isinstance(answers, str):
            lacks += [answers] if answers else []
            continue
        well, said = sum(bool(one.well) for one in answers), sum(one.well is not None for one in answers)
        if well == len(asked):
            return Found(way)
        tried.append((well, said, way))
        lacks += [f"{way}: {one.text}" for one in answers if one.well is None][:1]
    best = max(tried, key=lambda one: one[:2], default=None)
    return Found(best[2]) if best is not None and best[1] else Found(None, tuple(lacks) or ("no way can ask it as the kubelet does",))


def _answers(platform: Platform, asked: Asked, way: Way) -> list[Answer] | str:
    """Return what all answer through one way; or why it is not tried (empty: it cannot ask such a question)."""
    if not all(WAYS[way].can_ask(question) for _, question in asked):
        return ""
    lacking = missing(platform, permissions(way, asked[0][0].metadata.namespace))
    if lacking:
        return f"{way}: this account may not {sentence(lacking[0])}"
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda one: ask(platform, one[0], one[1], way), asked))
