"""The cases: what is done to the cluster or to the way to it, and when. Each plays one session and puts right what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bench.robustness.bad_input.stage import Stage, account, no_pods_by_quota, no_pods_by_webhook, short_lived_namespace
from faults.mechanisms import fault_pod
from history.reader import read_plan
from history.schema import EventKind
from kube.connection.bounded_client import READ_S
from kube.disruption.eviction import evict
from testing.platform.certificates import trust_another
from testing.platform.tcp_proxy import Proxy
from testing.runs.real_sessions import Session
from testing.waiting import wait_for

Case = Callable[[Stage], Session]
DRAIN, CUT = "serving/node-drained", "serving/replica-partitioned"
LATE_S = READ_S + 1  # an answer that comes later than a request waits for it
SESSION_S = 600.0  # healing that cannot succeed gives up after the plan's time, minutes where a node is hit


def ended(session: Session) -> Session:
    """Wait until a session is over."""
    session.end(SESSION_S)
    return session


# the way to the API server


def token_withdrawn_before(stage: Stage) -> Session:
    """Withdraw the credentials before the run begins."""
    with account(stage) as (kubeconfig, withdraw):
        withdraw()
        return ended(stage.start(CUT, kubeconfig=kubeconfig))


def token_withdrawn_meanwhile(stage: Stage) -> Session:
    """Withdraw the credentials while a node is drained: the run can undo nothing any more, the reaper in the cluster does."""
    with account(stage) as (kubeconfig, withdraw):
        session = stage.start(DRAIN, kubeconfig=kubeconfig).until(EventKind.FAULT_CONFIRMED)
        withdraw()
        return ended(session)


def other_authority(stage: Stage) -> Session:
    """Let the kubeconfig trust another certificate authority."""
    return ended(stage.start(CUT, kubeconfig=stage.kubeconfig(partial(trust_another, folder=stage.folder))))


@contextmanager
def slowed(stage: Stage) -> Iterator[tuple[Proxy, dict[str, Any]]]:
    """Put a proxy in front of the API server; return it with the keys of a target file that leads through it."""
    server = urlsplit(stage.platform.region.server)
    proxy = Proxy(str(server.hostname), server.port or 443)
    address = f"https://127.0.0.1:{proxy.port}"
    change = {"server": address, "tls-server-name": server.hostname}
    config = stage.kubeconfig(lambda one: one["clusters"][0]["cluster"].update(change))
    with closing(proxy):
        yield proxy, {"server": address, "kubeconfig": config}


def slow_from_the_start(stage: Stage) -> Session:
    """Let the API server answer later than a request waits."""
    with slowed(stage) as (proxy, target):
        proxy.late_s = LATE_S
        return ended(stage.start(CUT, **target))


def slow_meanwhile(stage: Stage) -> Session:
    """Let the API server answer too late from when a node is drained until healing has begun."""
    with slowed(stage) as (proxy, target):
        session = stage.start(DRAIN, **target).until(EventKind.FAULT_CONFIRMED)
        proxy.late_s = LATE_S
        session.until(EventKind.HEAL_START)
        wait_for(lambda: time.time() - session.events(EventKind.HEAL_START)[0] / 1e9 > LATE_S, "a request of healing came to nothing")
        proxy.late_s = 0.0
        return ended(session)


# what vanishes


def namespace_vanishes(stage: Stage) -> Session:
    """Delete a namespace of the target file while a replica is cut off."""
    with short_lived_namespace(stage) as name:
        session = stage.start(CUT, namespaces=[*stage.platform.region.namespaces, name]).until(EventKind.FAULT_CONFIRMED)
        stage.platform.core.delete_namespace(name)
        return ended(session)


def node_deleted(stage: Stage) -> Session:
    """Delete the drained node's object, and make it again once the run heals, as node auto-repair does."""
    session = stage.start(DRAIN).until(EventKind.FAULT_CONFIRMED)
    [target] = read_plan(session.run_dir).targets
    core = stage.platform.core
    node = stage.platform.node(target.name)
    core.delete_node(target.name)
    try:
        wait_for(lambda: bool(session.events(EventKind.HEAL_START)), "the run heals")
    finally:
        body: Any = {"metadata": {"name": target.name, "labels": node.metadata.labels}, "spec": {"podCIDR": node.spec.pod_cidr}}
        core.create_node(body)
    return ended(session)


def fault_pod_evicted(stage: Stage) -> Session:
    """Evict the fault pod while it cuts a replica off."""
    session = stage.start(CUT).until(EventKind.FAULT_CONFIRMED)
    selector = ",".join(f"{key}={value}" for key, value in fault_pod.MANAGED.items())
    found = stage.platform.pods_in(stage.namespace, selector)
    [pod] = found
    evict(stage.platform, pod.metadata.name, stage.namespace, pod.metadata.uid, time.monotonic())
    return ended(session)


# what is not allowed, or not there


def fault_pod_never_starts(stage: Stage) -> Session:
    """Name an image for the fault pod that cannot be had, so that it stays pending on its node."""
    return ended(stage.start(CUT, suite={"fault_image": "registry.invalid/aftershock/fault:none"}))


def webhook_before(stage: Stage) -> Session:
    """Let a webhook deny the suite's pods before the run begins."""
    with no_pods_by_webhook(stage):
        return ended(stage.start(CUT))


def webhook_meanwhile(stage: Stage) -> Session:
    """Let a webhook deny the suite's pods from the baseline on."""
    return denied_after_preflight(stage, no_pods_by_webhook)


def quota_before(stage: Stage) -> Session:
    """Let a quota allow the suite no pod before the run begins."""
    with no_pods_by_quota(stage):
        return ended(stage.start(CUT))


def quota_meanwhile(stage: Stage) -> Session:
    """Let a quota allow the suite no pod from the baseline on."""
    return denied_after_preflight(stage, no_pods_by_quota)


def denied_after_preflight(stage: Stage, denial: Callable[[Stage], Any]) -> Session:
    """Deny pods from the baseline on."""
    session = stage.start(CUT, profile="smoke").until(EventKind.LOAD_START)  # a baseline long enough to be denied in
    with denial(stage):
        return ended(session)


CASES: dict[str, Case] = {
    "credentials withdrawn before": token_withdrawn_before,
    "another CA": other_authority,
    "slow API server": slow_from_the_start,
    "slow API server meanwhile": slow_meanwhile,
    "namespace vanishes meanwhile": namespace_vanishes,
    "target node deleted meanwhile": node_deleted,
    "fault pod evicted": fault_pod_evicted,
    "fault pod never starts": fault_pod_never_starts,
    "webhook denies": webhook_before,
    "webhook denies meanwhile": webhook_meanwhile,
    "quota": quota_before,
    "quota meanwhile": quota_meanwhile,
    "credentials withdrawn meanwhile": token_withdrawn_meanwhile,
}
