"""Somebody works against a fault on the embedded cluster: a GitOps controller, an eviction, an image that cannot be had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import faults.network
import faults.nodes
from faults.mechanisms import fault_pod
from history.errors import FaultFailed
from history.plan import Phase
from kube.client import Platform
from kube.disruption.eviction import evict
from probes import network
from runner.run.abort.interference import cordoned_again, interference
from safety.active_run import ActiveRun
from safety.undo import undo_all
from safety.undo_journal import UndoKind
from target.target import Suite, Target
from testing.waiting import wait_for
from tests.integration.faults.test_faults import CONFIRM_S, confirmed, unseen

Running = Callable[..., Any]
MANAGER = "gitops-controller"


@contextmanager
def reconciling(platform: Platform, node: str, *, cordoned: bool) -> Iterator[None]:
    """Let a controller bring a node to what it holds for right, again and again; leave the node schedulable."""
    ended = threading.Event()

    def bring(unschedulable: bool | None) -> None:
        platform.core.patch_node(node, {"spec": {"unschedulable": unschedulable}}, field_manager=MANAGER)

    def reconcile() -> None:
        while not ended.wait(0.2):
            if bool(platform.core.read_node(node).spec.unschedulable) != cordoned:
                bring(cordoned or None)

    controller = threading.Thread(target=reconcile)
    controller.start()
    try:
        yield
    finally:
        ended.set()
        controller.join()
        bring(None)


def said(run: ActiveRun) -> str:
    """Wait until somebody who works against the run is recognised; return the sentence."""
    met, found = interference(run, lambda: Phase.OBSERVE), set[str]()

    def recognised() -> bool:
        found.update(sentence for _, sentence in filter(None, [met()]))
        return bool(found)

    wait_for(recognised, "it is recognised", CONFIRM_S)
    return found.pop()


def test_a_controller_that_reverts_the_fault_is_recognised(running: Running, platform: Platform) -> None:
    with running(faults.nodes.cordon, role="decoy") as run:
        faults.nodes.cordon("decoy")
        assert interference(run, lambda: Phase.OBSERVE)() is None
        [target] = run.targets_of()
        with reconciling(platform, target.name, cordoned=False):
            text = said(run)
    assert text.startswith(f"node {target.name} was uncordoned while the run needs it cordoned, not by this run")


def test_a_controller_that_reverts_the_undo_is_named_and_left_alone(running: Running, platform: Platform) -> None:
    with running(faults.nodes.cordon, role="decoy") as run:
        faults.nodes.cordon("decoy")
        [target] = run.targets_of()
        with reconciling(platform, target.name, cordoned=True):
            undo_all(run)
            wait_for(lambda: target.name in cordoned_again(run), "the node is cordoned again", CONFIRM_S)
            text = cordoned_again(run)[target.name]
            undo_all(run)  # healing goes on as if nothing had happened
            assert platform.core.read_node(target.name).spec.unschedulable
    assert f"cordoned again by {MANAGER}: a controller reverts the undo; it is left as it is" in text


def test_a_fault_pod_that_is_evicted_is_noticed_and_what_it_set_ends(running: Running, platform: Platform) -> None:
    with running(faults.network.isolate, role="gateway", for_s=60) as run:
        faults.network.isolate("gateway", 60)
        confirmed(network.out_of_reach)
        assert interference(run, lambda: Phase.OBSERVE)() is None
        [entry] = [one for one in run.journal.entries() if one.kind is UndoKind.DELETE_POD]
        pod = platform.core.read_namespaced_pod(entry.object, entry.namespace or "")
        assert evict(platform, entry.object, entry.namespace or "", pod.metadata.uid, time.monotonic())
        text = said(run)
        wait_for(lambda: unseen(network.out_of_reach), "it answers again", CONFIRM_S)
    assert text.startswith(f"fault pod {entry.object} on {entry.detail} ")
    assert "the fault may have ended before its time, not by this run" in text


def test_a_fault_pod_that_never_starts_says_why(running: Running, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_pod, "START_S", 5.0)
    elsewhere = target.model_copy(update={"suite": Suite(fault_image="registry.invalid/aftershock/fault:none")})
    with running(faults.network.isolate, use=elsewhere, role="gateway", for_s=5), pytest.raises(FaultFailed) as failed:
        faults.network.isolate("gateway", 5)
    text = str(failed.value)
    assert "not started within 5 s (Pending" in text
    assert "nothing was set; see kubectl -n aftershock describe pod aftershock-fault-" in text
