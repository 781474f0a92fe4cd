"""A role that a StatefulSet makes, on the embedded cluster: counted by owner, scaled by others, held back by disruption budgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from kube.client import Platform, connect, platform_over, ready
from kube.controllers.wanted import wanted
from kube.disruption.budgets import budgets_of, never_allowed, refused_now
from runner.preflight.platform_health import complaints, differences, look, resizings
from target.role import Role
from target.target import load_target
from testing.platform.fake_cluster import ROOT
from testing.waiting import wait_for

NAME, NAMESPACE = "counted", "ml-serving"
LABELS = {"app": NAME}
ROLE = Role(namespace=NAMESPACE, selector=f"app={NAME}")


@pytest.fixture
def platform() -> Iterator[Platform]:
    """The embedded cluster as a target with the role alone, which a StatefulSet of two decoys plays."""
    local = connect(load_target(ROOT / "targets/local.yaml"))
    target = local.target.model_copy(update={"roles": {NAME: ROLE}, "workloads": {}})
    made = platform_over(target, local.api, local.clock_offset_s)
    template: Any = made.apps.read_namespaced_deployment("decoy", NAMESPACE).spec.template
    template.metadata.labels = LABELS
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "serviceName": NAME, "template": template}
    body: Any = {"metadata": {"name": NAME}, "spec": spec | {"podManagementPolicy": "Parallel"}}
    made.apps.create_namespaced_stateful_set(NAMESPACE, body)
    try:
        wait_for(lambda: sum(ready(pod) for pod in made.pods(NAME)) == 2, "both are ready")
        yield made
    finally:
        made.apps.delete_namespaced_stateful_set(NAME, NAMESPACE)
        for name in ("one", "two"):
            delete_budget(made, name)
        wait_for(lambda: not made.pods(NAME), "both are gone")


def delete_budget(platform: Platform, name: str) -> None:
    api = client.PolicyV1Api(platform.api)
    if any(one.metadata.name == name for one in api.list_namespaced_pod_disruption_budget(NAMESPACE).items):
        api.delete_namespaced_pod_disruption_budget(name, NAMESPACE)


def budget(platform: Platform, name: str) -> None:
    body: Any = {"metadata": {"name": name}, "spec": {"minAvailable": 2, "selector": {"matchLabels": LABELS}}}
    client.PolicyV1Api(platform.api).create_namespaced_pod_disruption_budget(NAMESPACE, body)


def test_it_is_counted_by_who_owns_it_and_what_that_wants_now_is_as_before(platform: Platform) -> None:
    before = look(platform)
    assert (before.replicas, complaints(platform, before)) == ({NAME: 2}, [])
    body: Any = {"spec": {"replicas": 1}}
    platform.apps.patch_namespaced_stateful_set_scale(NAME, NAMESPACE, body, field_manager="somebody")
    wait_for(lambda: not differences(platform, before, [], []), "it is as its controller wants it")
    assert wanted(platform, ROLE) == 1
    [said] = resizings(platform, before)
    assert said.startswith(f"role {NAME}: StatefulSet {NAME} was scaled from 2 to 1 replicas meanwhile by somebody through its scale at ")


def test_whether_it_could_be_evicted_is_asked_by_a_dry_run(platform: Platform) -> None:
    [pod, _] = platform.pods(NAME)
    assert refused_now(platform, pod) == ""
    budget(platform, "one")
    wait_for(lambda: refused_now(platform, pod), "the budget allows none")
    wait_for(lambda: "wants 2 of 2 pods healthy" in never_allowed(budgets_of(platform, pod)), "the budget says how many it wants")
    budget(platform, "two")
    wait_for(lambda: "more than one PodDisruptionBudget" in refused_now(platform, pod), "two budgets allow none")
    assert never_allowed(budgets_of(platform, pod)).startswith("the disruption budgets one, two both select it")
    assert {one.metadata.uid for one in platform.pods(NAME)} >= {pod.metadata.uid}
