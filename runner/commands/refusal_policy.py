"""Admission rules for what refuses new pods: the question that nobody makes a pod of, the quota, and the Job that ends it.

A webhook's configuration can be held to no shape: Kubernetes asks neither policies nor webhooks about those.
"""

from __future__ import annotations

from collections.abc import Iterable

from faults.mechanisms import timer_job
from runner.commands.cel import Rule, cel, labelled
from safety import new_pods
from target.target import Target


def either(allowed: str, rules: Iterable[Rule]) -> list[Rule]:
    """Return ``rules`` for what is not ``allowed`` anyhow."""
    return [(f"{allowed} || ({rule})", said) for rule, said in rules]


def question(target: Target) -> str:
    """Return the expression that a pod is only asked about, by a dry run, where faults may act."""
    return f"(has(request.dryRun) && request.dryRun && {_where(target)} && {labelled(new_pods.ASKED)})"


def timer(target: Target) -> str:
    """Return the expression that a Job is a timer of :mod:`faults.mechanisms.timer_job`, which makes no pod."""
    return f"({_where(target)} && {labelled(timer_job.LABELS)} && object.spec.?parallelism.orValue(1) == 0)"


def quota(target: Target) -> list[Rule]:
    """Return what a quota must be: one of pods alone, of the suite, where faults may act; never one that is there already."""
    return [
        ('request.operation == "CREATE"', "quotas that are there stay as they are"),
        (_where(target), "quotas only where faults may act"),
        (labelled(new_pods.MANAGED), "a quota must be labelled as the suite's"),
        ("has(object.spec.hard) && object.spec.hard.size() == 1 && 'pods' in object.spec.hard", "a quota of pods alone"),
    ]


def _where(target: Target) -> str:
    return f"request.namespace in {cel(target.only_region().namespaces)}"
