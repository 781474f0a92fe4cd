"""New pods refused on the embedded cluster: the API server says so itself, and lets them in again with nobody's help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

import faults.admission
from kube.client import Platform, unless_gone
from probes import admission
from safety.new_pods import name_of
from safety.undo import undo_all
from testing.waiting import wait_for
from tests.integration.faults.test_faults import CONFIRM_S, confirmed, denied, seen, unseen

Running = Callable[..., Any]
FAULTS = [faults.admission.refuse_by_webhook, faults.admission.refuse_by_quota]
FOR_S = 30
ENDS_S = 60.0  # its time, and the controllers that delete what is over
AGAIN_S = 90.0  # as long again as its controller was refused, and a start


def left(platform: Platform, name: str) -> list[str]:
    """Return the kinds of what a fault made that are still there."""
    hooks = client.AdmissionregistrationV1Api(platform.api)
    reads: dict[str, Callable[[], object]] = {
        "webhook": lambda: hooks.read_validating_webhook_configuration(name),
        "quota": lambda: platform.core.read_namespaced_resource_quota(name, "ml-serving"),
        "job": lambda: platform.batch.read_namespaced_job(name, "ml-serving"),
    }
    return [kind for kind, read in reads.items() if unless_gone(read) is not None]


@pytest.mark.parametrize("function", FAULTS)
def test_new_pods_are_refused_and_let_in_again_by_themselves(running: Running, platform: Platform, function: Callable[..., Any]) -> None:
    with running(function, role="decoy", for_s=FOR_S) as run:
        denied(admission.refused)
        assert function("decoy", FOR_S)["targets"] == ["ml-serving"]
        confirmed(admission.refused)
        wait_for(lambda: unseen(admission.refused), "new pods are let in with nobody's help", ENDS_S)
        name = name_of(run.plan.run_id, "act")
        assert [entry.done for entry in run.journal.entries()] == [False]
    wait_for(lambda: not left(platform, name), "nothing of it is left")


@pytest.mark.parametrize("function", FAULTS)
def test_what_is_lost_meanwhile_is_replaced_when_it_is_over(running: Running, platform: Platform, function: Callable[..., Any]) -> None:
    with running(function, role="decoy", for_s=FOR_S):
        denied(admission.not_replaced)
        function("decoy", FOR_S)
        confirmed(admission.refused)
        lost, *others = platform.pods("decoy")
        platform.core.delete_namespaced_pod(lost.metadata.name, "ml-serving", grace_period_seconds=0)
        wait_for(lambda: seen(admission.not_replaced), "its controller was refused another", FOR_S)
        assert {pod.metadata.uid for pod in platform.pods("decoy")} <= {pod.metadata.uid for pod in others}
        wait_for(lambda: len(platform.pods("decoy")) == 1 + len(others), "there is another", FOR_S + AGAIN_S)


@pytest.mark.parametrize("function", FAULTS)
def test_it_is_undone_long_before_its_time(running: Running, platform: Platform, function: Callable[..., Any]) -> None:
    with running(function, role="decoy", for_s=300) as run:
        function("decoy", 300)
        confirmed(admission.refused)
        undo_all(run)
        wait_for(lambda: unseen(admission.refused), "new pods are let in again", CONFIRM_S)
        wait_for(lambda: not left(platform, name_of(run.plan.run_id, "act")), "nothing of it is left")
