"""What can be wrong with somebody else's cluster: each is a sentence that says what, where and what to do; never PASS, nothing left."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from faults import network, processes
from faults.mechanisms import fault_pod
from history.errors import AftershockError, FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube import client
from kube.client import Platform, connect
from kube.connection import bounded_client
from kube.selection import node_target, still_there
from runner.preflight.checks import Fault, check_access, check_signals
from runner.preflight.lease_queue import Queue, namespace_of
from runner.preflight.platform_health import look
from runner.run.abort.conditions import asked_by_annotation
from runner.stop import Stop
from safety.undo_journal import open_journal
from target.role import Process, Role
from target.target import Target
from testing.platform.certificates import trust_another
from testing.platform.fake_cluster import seeded
from testing.platform.staging import SUITE_NAMESPACE, Staging, nothing_left
from testing.platform.targets import in_region
from testing.runs.fault_parts import spec
from testing.waiting import wait_for

QUOTA = "exceeded quota: none"
RUN = "20261121-120000-bad-1-ab12"


def refused(act: Callable[[], object], kind: type[AftershockError] = TargetRefused) -> str:
    with pytest.raises(kind) as raised:
        act()
    text = str(raised.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.fixture
def target_with(staging: Staging, tmp_path: Path) -> Callable[..., Target]:
    def make(change: Callable[[Any], None], **fields: Any) -> Target:
        kubeconfig = yaml.safe_load((staging.folder / "kubeconfig").read_text())
        change(kubeconfig)
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        return in_region(staging.target, kubeconfig=str(tmp_path / "kubeconfig"), **fields)

    return make


# the way to the API server


def test_credentials_that_are_no_longer_valid(staging: Staging, target_with: Callable[..., Target]) -> None:
    staging.cluster.kubectl("-n", SUITE_NAMESPACE, "create", "serviceaccount", "leaver")
    token = staging.cluster.kubectl("-n", SUITE_NAMESPACE, "create", "token", "leaver").strip()
    staging.cluster.kubectl("-n", SUITE_NAMESPACE, "delete", "serviceaccount", "leaver")
    target = target_with(lambda config: config["users"][0]["user"].update(token=token))

    def api_errors() -> str:
        try:
            connect(target)
        except TargetRefused as error:
            return str(error)
        return ""

    wait_for(lambda: bool(api_errors()), "the API server has forgotten the account", 60)
    server = target.only_region().server
    assert api_errors() == (
        f"target acme-staging: {server}: the API server answered 401 Unauthorized; renew the credentials of the target's context"
    )


def test_a_certificate_of_another_authority(target_with: Callable[..., Target], tmp_path: Path) -> None:
    text = refused(lambda: connect(target_with(partial(trust_another, folder=tmp_path))))
    assert "certificate is not from the CA in the kubeconfig" in text
    assert text.startswith("target acme-staging: https://")


def test_an_api_server_that_does_not_answer_in_time(target_with: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_client, "CONNECT_S", 0.5)
    monkeypatch.setattr(bounded_client, "READ_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        target = target_with(lambda config: config["clusters"][0]["cluster"].update(server=server), server=server)
        text = refused(lambda: connect(target))
    assert f"target acme-staging: {server}: no answer from the API server" in text
    assert "check that it is up and reachable" in text


# what the cluster does not allow


@contextmanager
def applied(staging: Staging, manifest: Any) -> Iterator[None]:
    text = yaml.safe_dump(manifest)
    staging.apply(text)
    try:
        yield
    finally:
        staging.cluster.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=text)


def quota(what: str) -> Any:
    """Return a quota that allows nothing of a kind in the suite's namespace."""
    meta = {"name": "none", "namespace": SUITE_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {what: "0"}}}


def said(act: Callable[[], object]) -> str:
    """Return what the API server objects to; nothing if it does not."""
    try:
        with client.api_errors("try", FaultFailed):
            act()
    except AftershockError as error:
        return str(error)
    return ""


WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "acme-guard"},
    "webhooks": [
        {
            "name": "guard.acme.example",
            "clientConfig": {"service": {"name": "guard", "namespace": "acme-metrics", "path": "/"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SUITE_NAMESPACE}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
        }
    ],
}


def test_a_quota_on_the_journal_refuses_the_run(staging: Staging, admin: Platform) -> None:
    body: Any = {"metadata": {"name": "try"}}
    with applied(staging, quota("count/configmaps")):
        wait_for(lambda: QUOTA in said(lambda: admin.core.create_namespaced_config_map(SUITE_NAMESPACE, body, dry_run="All")), QUOTA, 30)
        text = refused(lambda: open_journal(admin, RUN, "me", "serving/replica-killed"))
    assert f"open the undo journal aftershock-run-{RUN} in the suite's namespace {SUITE_NAMESPACE}" in text
    assert QUOTA in text
    assert nothing_left(admin)


def test_a_quota_on_leases_refuses_the_run(staging: Staging, admin: Platform) -> None:
    queue = Queue(admin, RUN, 0.0, Stop(), lambda *_, **__: None)
    body: Any = {"metadata": {"name": "try"}}
    with applied(staging, quota("count/leases.coordination.k8s.io")):
        wait_for(lambda: QUOTA in said(lambda: admin.coordination.create_namespaced_lease(SUITE_NAMESPACE, body, dry_run="All")), QUOTA, 30)
        text = refused(lambda: queue.take([namespace_of("acme-models")]))
    assert f"lease aftershock-namespace-acme-models in {SUITE_NAMESPACE}: the API server answered 403" in text
    assert nothing_left(admin)


def make_fault_pod(platform: Platform) -> None:
    target = ResolvedTarget(kind="Pod", name="llm-1", uid="u-1", namespace="acme-models", node="worker-1", effect="cut off", ends="itself")
    run: Any = SimpleNamespace(platform=platform, plan=SimpleNamespace(run_id=RUN), activity="cut")
    fault_pod.create(run, fault_pod.FaultPod(target, "worker-1", ("isolate", "--pod", "u-1"), 5.0))


def test_a_quota_on_pods_fails_the_fault_before_it_acts(staging: Staging, admin: Platform) -> None:
    with applied(staging, quota("pods")):
        wait_for(lambda: QUOTA in try_a_pod(admin), QUOTA, 30)
        text = refused(lambda: make_fault_pod(admin), FaultFailed)
    assert f"make a fault pod on node worker-1 in namespace {SUITE_NAMESPACE}: the API server answered 403" in text
    assert QUOTA in text
    assert nothing_left(admin)


def test_what_stands_against_fault_pods_is_known_before_the_run(staging: Staging, admin: Platform) -> None:
    action: Any = SimpleNamespace(name="cut")
    faults = [Fault(action, spec(network.isolate), {"role": "inference", "for_s": 5})]
    assert check_access(faults, admin)
    label = "pod-security.kubernetes.io/enforce"
    staging.cluster.kubectl("label", "namespace", SUITE_NAMESPACE, f"{label}=baseline")
    try:
        wait_for(lambda: "PodSecurity" in said(lambda: check_access(faults, admin)), "Pod Security is in force", 30)
        text = refused(lambda: check_access(faults, admin))
    finally:
        staging.cluster.kubectl("label", "namespace", SUITE_NAMESPACE, f"{label}-")
    assert text.startswith(
        f"fault pods in the suite's namespace {SUITE_NAMESPACE} (asked by a server-side dry run): the API server answered 403"
    )
    assert 'violates PodSecurity "baseline:latest"' in text
    assert nothing_left(admin)


ROOTED = """
apiVersion: v1
kind: Namespace
metadata: {name: acme-rooted}
---
apiVersion: v1
kind: Pod
metadata: {name: rooted, namespace: acme-rooted, labels: {app: rooted}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: model
    image: aftershock/stand-in:dev
    imagePullPolicy: IfNotPresent
    command: [sleep, infinity]
    securityContext: {runAsUser: 0}
"""


def test_a_pod_to_which_its_namespace_lets_nothing_be_added_is_known_before_the_run(staging: Staging, admin: Platform) -> None:
    staging.apply(ROOTED)
    try:
        role = Role(namespace="acme-rooted", selector="app=rooted", container="model", process=Process(match="sleep infinity"))
        platform = client.platform_over(staging.target.model_copy(update={"roles": {"model": role}}), admin.api)
        wait_for(lambda: any(map(client.ready, platform.pods("model"))), "the pod runs", 60)
        action: Any = SimpleNamespace(name="freeze")
        freeze = Fault(action, spec(processes.freeze_engine), {"role": "model", "for_s": 5})
        targets = {"freeze": freeze.spec.resolve(platform, freeze.arguments, seeded(1))}
        check_signals([freeze], targets, platform)
        staging.cluster.kubectl("label", "namespace", "acme-rooted", "pod-security.kubernetes.io/enforce=restricted")
        wait_for(lambda: "PodSecurity" in said(lambda: check_signals([freeze], targets, platform)), "Pod Security is in force", 30)
        text = refused(lambda: check_signals([freeze], targets, platform))
        assert text.startswith(
            "an ephemeral container in pod acme-rooted/rooted (asked by a server-side dry run): the API server answered 403"
        )
        assert text.endswith("see the namespace's label pod-security.kubernetes.io/enforce")
        [pod] = platform.pods("model")
        assert not pod.spec.ephemeral_containers
    finally:
        staging.cluster.kubectl("delete", "namespace", "acme-rooted", "--wait=false")


def test_a_webhook_that_denies_fails_the_fault_before_it_acts(staging: Staging, admin: Platform) -> None:
    with applied(staging, WEBHOOK):
        wait_for(lambda: "webhook" in try_a_pod(admin), "the webhook is asked", 30)
        text = refused(lambda: make_fault_pod(admin), FaultFailed)
    assert 'failed calling webhook "guard.acme.example"' in text
    assert nothing_left(admin)


def try_a_pod(platform: Platform) -> str:
    body: Any = {"metadata": {"name": "try"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    return said(lambda: platform.core.create_namespaced_pod(SUITE_NAMESPACE, body, dry_run="All"))


def test_a_role_in_a_namespace_that_is_not_there(admin: Platform, staging: Staging) -> None:
    roles = {name: role.model_copy(update={"namespace": "acme-old"}) for name, role in staging.target.roles.items()}
    platform = client.platform_over(in_region(staging.target, namespaces=("acme-old",)).model_copy(update={"roles": roles}), admin.api)
    text = refused(lambda: look(platform))
    assert 'deployments.apps "llm" not found; check the name' in text


# while it runs


def test_a_node_that_is_deleted_while_it_is_a_target(staging: Staging, admin: Platform) -> None:
    staging.apply("{apiVersion: v1, kind: Node, metadata: {name: worker-9, labels: {spare: 'true'}}}")
    target = node_target(admin.core.read_node("worker-9"), "cordoned", "the rollback")
    staging.cluster.kubectl("delete", "node", "worker-9")
    text = refused(lambda: still_there(admin, [target]), FaultFailed)
    assert text.startswith(
        f"Node worker-9: it was there in preflight (uid {target.uid}) and is gone or being deleted now; nothing was touched"
    )


def test_a_namespace_that_vanishes_asks_the_run_to_stop(staging: Staging, admin: Platform) -> None:
    staging.cluster.kubectl("create", "namespace", "acme-short")
    target = in_region(staging.target, namespaces=("acme-short",))
    met = asked_by_annotation(client.platform_over(target, admin.api))
    assert met() is None
    staging.cluster.kubectl("delete", "namespace", "acme-short", "--wait=false")
    wait_for(lambda: met() is not None, "the stop condition is met")
    assert (met() or ("", ""))[1].startswith("namespace acme-short is gone or being deleted; it was there in preflight")
