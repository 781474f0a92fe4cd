"""Weights in the object stores of the platform: overwritten, refused by a replica that starts, and restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faults.weights
from kube.client import Platform, ready
from kube.objects import Pod
from probes import weights
from target.allow import Allow
from testing.waiting import wait_for
from tests.integration.faults.test_faults import CONFIRM_S, seen, unseen

FOR_S = 30
ALL = Allow(last_replica=True)  # both stores: no other one has good weights


def test_both_stores_have_other_weights_for_its_time_and_then_the_good_ones(running: Callable[..., Any]) -> None:
    with running(faults.weights.overwrite, allow=ALL, role="models", for_s=FOR_S, count=2):
        assert not weights.damaged("act", "models")
        faults.weights.overwrite("models", FOR_S, count=2)
        wait_for(lambda: seen(lambda activity: weights.damaged(activity, "models")), "the weights are others", CONFIRM_S)
        wait_for(lambda: unseen(lambda activity: weights.damaged(activity, "models")), "they are restored", FOR_S + CONFIRM_S)


def test_a_replica_that_starts_meanwhile_waits_for_the_good_ones(running: Callable[..., Any], platform: Platform) -> None:
    with running(faults.weights.overwrite, allow=ALL, role="models", for_s=FOR_S, count=2):
        faults.weights.overwrite("models", FOR_S, count=2)
        before = {pod.metadata.name for pod in platform.pods("inference")}
        platform.core.delete_namespaced_pod(min(before), "ml-serving", grace_period_seconds=0)
        wait_for(lambda: _refuses(platform, before), "the new replica says that it refuses them", CONFIRM_S)
        served = any(ready(pod) for pod in _new(platform, before))  # looked at first: the weights were damaged then, too
        assert weights.damaged("act", "models")
        assert not served
        wait_for(lambda: any(ready(pod) for pod in _new(platform, before)), "the new replica is ready once they are good again")


def _new(platform: Platform, before: set[str]) -> list[Pod]:
    return [pod for pod in platform.pods("inference") if pod.metadata.name not in before and pod.status.phase == "Running"]


def _refuses(platform: Platform, before: set[str]) -> bool:
    """Tell whether the replica that is new says in its log that it was given other weights."""
    logs = [platform.core.read_namespaced_pod_log(pod.metadata.name, "ml-serving") for pod in _new(platform, before)]
    return any("these are other weights" in str(log) for log in logs)
