"""The shipped admission policy on a real API server: the suite's own shapes pass, everything else that its rights would allow does not.

The account here is an administrator in the suite's namespace, so that only the policy can refuse. Every request is a server-side dry run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from cluster.state import State
from faults.mechanisms import fault_pod, process_signal, timer_job
from history.plan import ResolvedTarget
from kube import ephemeral
from kube.answers import message_of
from kube.client import Platform, checked_configuration, platform_over
from kube.connection.bounded_client import BoundedClient
from kube.containers import USER
from runner.commands import admission_policy, rbac
from safety import data_damage, new_pods, reaper_job, undo
from target.role import Process
from testing.platform.staging import NAME, SUITE_NAMESPACE, Staging
from testing.platform.targets import in_region
from testing.waiting import wait_for

ACCOUNT = "tempted"
DRY = {"dry_run": "All"}
Change = Callable[[Any], None]
ADMIN = f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {ACCOUNT}, namespace: {SUITE_NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ACCOUNT}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: {ACCOUNT}, namespace: {SUITE_NAMESPACE}}}]
"""


@pytest.fixture(scope="module")
def tempted(staging: Staging) -> Platform:
    """Return the platform as an account of the suite's namespace that is an administrator; the policy is in force."""
    staging.apply(rbac.text(admission_policy.manifests(staging.target)))
    staging.apply(ADMIN)
    admin = in_region(staging.target, kubeconfig=str(State(NAME).kubeconfig), context=f"aftershock-{NAME}")
    api = BoundedClient(checked_configuration(admin, "default"))
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{SUITE_NAMESPACE}:{ACCOUNT}")
    made = platform_over(staging.target, api)

    def in_force() -> bool:
        """Tell whether every policy is: the API server takes them up one by one."""
        pod, job, served = a_fault_pod(made), reaper(made), made.pods("inference")[0]
        pod["metadata"]["labels"], job["metadata"]["labels"] = {}, {"app": "x"}  # a Job without labels gets its template's
        added = process_signal.ephemeral_container(served, "model", made.target.suite.fault_image, Process(match="engine"), 3.0)
        taint = {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}
        asked: tuple[Callable[[], object], ...] = (
            lambda: made.core.create_namespaced_pod(SUITE_NAMESPACE, pod, **DRY),
            lambda: made.batch.create_namespaced_job(SUITE_NAMESPACE, job, **DRY),
            lambda: ephemeral.add(made, served, added | {"name": "debugger"}, dry_run=True),
            lambda: made.core.patch_node("worker-2", taint, **DRY),
            lambda: made.apps.create_namespaced_deployment(SUITE_NAMESPACE, a_workload(), **DRY),
        )
        return all("aftershock policy" in refusal(one) for one in asked)

    wait_for(in_force, "the policy is in force", 60)
    return made


def refusal(request: Callable[[], object]) -> str:
    try:
        request()
    except ApiException as error:
        return message_of(error)
    return ""


def a_fault_pod(platform: Platform) -> Any:
    target = ResolvedTarget(kind="Pod", name="llm-1", uid="u-1", namespace="acme-models", node="worker-1", effect="cut off", ends="itself")
    job = fault_pod.FaultPod(target, "worker-1", ("isolate", "--pod", "u-1"), 30.0)
    return fault_pod.manifest(platform.target.suite.fault_image, "20261121-120000-x-1-ab12", "cut", job, 2e9)


def setting(*path: Any, to: Any) -> Change:
    def change(body: Any) -> None:
        for key in path[:-1]:
            body = body.setdefault(key, {}) if isinstance(body, dict) else body[key]
        body[path[-1]] = to

    return change


CONTAINER = ("spec", "containers", 0)
HOST = [{"name": "host", "hostPath": {"path": "/"}}]
SECOND = {"name": "more", "image": "aftershock/suite:dev", "command": ["sleep", "1"]}
PODS: list[tuple[Change, str]] = [
    (setting("metadata", "labels", to={}), "must be labelled as a fault pod"),
    (setting(*CONTAINER, "image", to="busybox"), "the image is"),
    (setting(*CONTAINER, "command", to=["sh", "-c", "true"]), "the program is -m faults.node_agent.main"),
    (setting(*CONTAINER, "command", 2, to="http.server"), "the program is -m faults.node_agent.main"),
    (setting(*CONTAINER, "args", to=["x"]), "no mounts, hooks or arguments"),
    (setting(*CONTAINER, "env", to=[{"name": "PYTHONPATH", "value": "/proc/1/cwd"}]), "no other environment"),
    (setting(*CONTAINER, "lifecycle", to={"postStart": {"exec": {"command": ["sh"]}}}), "no mounts, hooks or arguments"),
    (setting(*CONTAINER, "securityContext", to={"privileged": True}), "not privileged"),
    (setting(*CONTAINER, "securityContext", "capabilities", "add", to=["NET_ADMIN", "SYS_MODULE"]), "capabilities beyond a fault pod's"),
    (setting(*CONTAINER, "securityContext", "readOnlyRootFilesystem", to=False), "a read-only root"),
    (setting("spec", "volumes", to=HOST), "no volumes"),
    (setting("spec", "hostIPC", to=True), "no shared memory"),
    (setting("spec", "initContainers", to=[SECOND]), "exactly one container"),
    (lambda body: body["spec"]["containers"].append(SECOND), "exactly one container"),
    (setting("spec", "automountServiceAccountToken", to=True), "no volumes"),
    (setting("spec", "activeDeadlineSeconds", to=86400), "has no token and a deadline"),
    (lambda body: body["spec"].pop("activeDeadlineSeconds"), "has no token and a deadline"),
    (setting("spec", "restartPolicy", to="Always"), "never restarted"),
]


def test_the_suites_own_fault_pod_is_admitted(tempted: Platform) -> None:
    assert not refusal(lambda: tempted.core.create_namespaced_pod(SUITE_NAMESPACE, a_fault_pod(tempted), **DRY))


@pytest.mark.parametrize("number", range(len(PODS)))
def test_any_other_pod_is_denied(tempted: Platform, number: int) -> None:
    change, said = PODS[number]
    body = copy.deepcopy(a_fault_pod(tempted))
    change(body)
    text = refusal(lambda: tempted.core.create_namespaced_pod(SUITE_NAMESPACE, body, **DRY))
    assert "aftershock-pods.acme-chaos" in text
    assert said in text, text


@pytest.mark.parametrize("namespace", ["kube-system", "acme-models", "acme-metrics", "default"])
def test_a_fault_pod_in_another_namespace_is_denied(tempted: Platform, namespace: str) -> None:
    text = refusal(lambda: tempted.core.create_namespaced_pod(namespace, a_fault_pod(tempted), **DRY))
    assert "pods only in namespace acme-chaos" in text or 'violates PodSecurity "restricted' in text, text


def reaper(platform: Platform) -> Any:
    name, labels = reaper_job.name_of("r-1"), reaper_job.labels_of("r-1")
    context = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "serviceAccountName": name,
        "restartPolicy": "OnFailure",
        "securityContext": context,
        "containers": [reaper_job.container(platform.target, "r-1", 1)],
    }
    return {"metadata": {"name": name, "labels": labels}, "spec": {"template": {"metadata": {"labels": labels}, "spec": spec}}}


POD = ("spec", "template", "spec")
JOBS: list[tuple[Change, str]] = [
    (setting("metadata", "labels", to={"app": "x"}), "must be labelled as a reaper"),
    (setting(*POD, "containers", 0, "image", to="busybox"), "the image is"),
    (setting(*POD, "containers", 0, "command", to=["sh"]), "the program is -m safety.reaper"),
    (lambda body: body["spec"]["template"]["spec"]["containers"][0]["command"].append("x"), "the program is -m safety.reaper"),
    (setting(*POD, "serviceAccountName", to=ACCOUNT), "a reaper runs as its own account"),
    (setting(*POD, "hostNetwork", to=True), "a reaper sees nothing of its node"),
    (setting(*POD, "hostPID", to=True), "a reaper sees nothing of its node"),
    (setting(*POD, "volumes", to=HOST), "no volumes"),
    (setting(*POD, "securityContext", "runAsNonRoot", to=False), "a reaper does not run as root"),
    (setting(*POD, "containers", 0, "securityContext", "capabilities", "add", to=["NET_ADMIN"]), "a reaper has no capabilities"),
]


def test_the_suites_own_reaper_is_admitted_and_any_other_job_is_denied(tempted: Platform) -> None:
    assert not refusal(lambda: tempted.batch.create_namespaced_job(SUITE_NAMESPACE, reaper(tempted), **DRY))
    for change, said in JOBS:
        body = copy.deepcopy(reaper(tempted))
        change(body)
        text = refusal(lambda body=body: tempted.batch.create_namespaced_job(SUITE_NAMESPACE, body, **DRY))
        assert said in text, text
    assert "Jobs only in namespace" in refusal(lambda: tempted.batch.create_namespaced_job("default", reaper(tempted), **DRY))


def test_a_pod_is_only_asked_about_and_only_where_faults_act(tempted: Platform) -> None:
    assert not new_pods.refusal(tempted, "acme-models")
    assert "pods only in namespace acme-chaos" in new_pods.refusal(tempted, "acme-metrics")
    made = new_pods.question(tempted.target.suite.fault_image)
    assert "pods only in namespace acme-chaos" in refusal(lambda: tempted.core.create_namespaced_pod("acme-models", made))


def test_a_quota_is_of_pods_alone_and_its_timer_makes_no_pod(tempted: Platform) -> None:
    def quota(namespace: str = "acme-models", **hard: str) -> str:
        made = {"metadata": {"name": "no-room", "labels": new_pods.MANAGED}, "spec": {"hard": hard or {"pods": "0"}}}
        return refusal(lambda: tempted.core.create_namespaced_resource_quota(namespace, made, **DRY))

    def timer(parallelism: int = 0) -> str:
        made: Any = timer_job.manifest(tempted, "timer", 30)
        made["spec"]["parallelism"] = parallelism
        return refusal(lambda: tempted.batch.create_namespaced_job("acme-models", made, **DRY))

    assert not quota()
    assert "a quota of pods alone" in quota(pods="0", secrets="0")
    assert "quotas only where faults may act" in quota("default")
    assert not timer()
    assert "Jobs only in namespace" in timer(1)


def test_only_the_suites_own_ephemeral_container_is_admitted(tempted: Platform) -> None:
    pod = tempted.pods("inference")[0]
    ours = process_signal.ephemeral_container(pod, "model", tempted.target.suite.fault_image, Process(match="engine"), 3.0)
    elsewhere = tempted.core.list_namespaced_pod("acme-metrics").items[0]

    def add(container: Any, to: Any = pod) -> str:
        body = {"metadata": {"uid": to.metadata.uid}, "spec": {"ephemeralContainers": [container]}}
        name, namespace = to.metadata.name, to.metadata.namespace
        return refusal(lambda: tempted.core.patch_namespaced_pod_ephemeralcontainers(name, namespace, body, **DRY))

    assert not add(ours)
    assert "named aftershock-signal-N" in add(ours | {"name": "debugger"})
    assert "the suite's own program" in add(ours | {"command": ["python3", "-c", "print(1)"]})
    assert f"image is {tempted.target.suite.fault_image}" in add(ours | {"image": "busybox"})
    assert "no other environment" in add(ours | {"env": [*ours["env"], {"name": "LD_PRELOAD", "value": "x"}]})
    assert "only in acme-models" in add(ours | {"targetContainerName": "prometheus"}, elsewhere)


def test_a_program_beside_a_storage_server_gets_its_credentials_from_the_secret_of_the_role_and_from_no_other(tempted: Platform) -> None:
    pod, role = tempted.pods("weights")[0], "weights"

    def add(program: str = data_damage.TRAINING_DATA, **changes: Any) -> str:
        ours = data_damage.container(tempted.target, pod, role, program, ("undo",)) | changes
        return refusal(lambda: ephemeral.add(tempted, pod, ours, dry_run=True))

    env = data_damage.container(tempted.target, pod, role, data_damage.TRAINING_DATA, ())["env"]
    assert [one.get("valueFrom", {}).get("secretKeyRef", {}).get("name") for one in env] == [None, "llm-store", "llm-store"]
    assert not add()
    assert not add(data_damage.CHECKPOINTS)
    assert "named aftershock-signal-N" in add(name="debugger")
    assert "the suite's own program" in add("http.server")
    assert "the suite's own program" in add(workingDir="/proc/1/root")
    other = {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "other", "key": "AWS_ACCESS_KEY_ID"}}}
    assert "no other environment" in add(env=[other])
    assert "no other environment" in add(env=[{**env[1], "name": "PYTHONPATH"}])
    assert "no other environment" in add(env=[*env, {"name": "PYTHONPATH", "value": "/proc/1/cwd"}])
    assert "mounts nothing" in add(envFrom=[{"secretRef": {"name": "llm-store"}}])
    assert f"image is {tempted.target.suite.fault_image}" in add(image="busybox")
    signal = process_signal.ephemeral_container(pod, "model", tempted.target.suite.fault_image, Process(match="engine"), 3.0)
    assert "no other environment" in add(name=signal["name"], command=signal["command"])


def test_nodes_may_be_cordoned_and_nothing_else(tempted: Platform) -> None:
    def patch(body: Any) -> str:
        return refusal(lambda: tempted.core.patch_node("worker-2", body, **DRY))

    assert not patch({"metadata": {"annotations": {undo.CORDONED_BY: "run"}}, "spec": {"unschedulable": True}})
    assert "taints of nodes stay" in patch({"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
    assert "labels of nodes stay" in patch({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}})
    assert "of annotations of nodes only" in patch({"metadata": {"annotations": {"node.alpha.kubernetes.io/ttl": None, "x": "y"}}})


def a_workload() -> Any:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [SECOND]}}
    return {"metadata": {"name": "more"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


def test_no_other_workload_is_made(tempted: Platform) -> None:
    body = a_workload()
    assert "the suite makes no workload" in refusal(lambda: tempted.apps.create_namespaced_deployment(SUITE_NAMESPACE, body, **DRY))
    assert "the suite makes no workload" in refusal(lambda: tempted.apps.create_namespaced_daemon_set(SUITE_NAMESPACE, body, **DRY))


def test_nobody_else_is_held_to_it(staging: Staging) -> None:
    made = staging.cluster.kubectl("-n", "default", "create", "deployment", "others", "--image=x", "--dry-run=server")
    assert "deployment.apps/others created" in made
