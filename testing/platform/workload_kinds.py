"""Controllers of pods as an API server has them, for the small cluster in memory: any kind, its pods, and what discovery says of it."""

from __future__ import annotations

from typing import Any

from kubernetes import client

from kube.objects import Pod
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.in_memory.asked_by_path import APPS

LEADERS = "/apis/leaderworkerset.x-k8s.io/v1/namespaces/ml-serving/leaderworkersets"
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/ml-serving/rollouts"
JOB_SETS = "/apis/jobset.x-k8s.io/v1alpha2/namespaces/ml-serving/jobsets"
WIDGETS = "/apis/example.com/v1/namespaces/ml-serving/widgets"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/ml-serving/horizontalpodautoscalers"
GROUPS = client.V1APIGroupList(
    groups=[
        client.V1APIGroup(
            name="example.com",
            versions=[client.V1GroupVersionForDiscovery(group_version="example.com/v1", version="v1")],
            preferred_version=client.V1GroupVersionForDiscovery(group_version="example.com/v1", version="v1"),
        )
    ]
)
OF_GROUPS = "leaderworkerset.sigs.k8s.io"


def kind_of(path: str, *, owner: tuple[str, str, str] | None = None, generation: int = 1, **parts: Any) -> dict[str, Any]:
    """Return an object at ``path`` with these ``spec`` and ``status``; ``owner``: the API version, kind and name of its controller."""
    keys = ("apiVersion", "kind", "name")
    owners = [dict(zip(keys, owner, strict=True)) | {"controller": True}] if owner else []
    name = path.rpartition("/")[2]
    return {"metadata": {"name": name, "generation": generation, "ownerReferences": owners}, "spec": {}, "status": {}} | parts


def scale_of(plural: str, kind: str) -> client.V1APIResourceList:
    """Return what discovery says of a version of a group whose kind has the scale subresource."""
    names = {plural: kind, f"{plural}/scale": "Scale", f"{plural}/status": kind}
    made = [client.V1APIResource(name=name, kind=of, namespaced=True, singular_name="", verbs=["get"]) for name, of in names.items()]
    return client.V1APIResourceList(group_version="example.com/v1", resources=made)


def owned(name: str, kind: str, by: str, labels: dict[str, str] | None = None, *, version: str = "apps/v1", node: str = "gpu-a") -> Pod:
    """Return a ready pod of inference that an object called ``by`` controls."""
    made = pod(name, node, owner=kind)
    made.metadata.owner_references = [client.V1OwnerReference(api_version=version, kind=kind, name=by, uid="o", controller=True)]
    made.metadata.labels = {"app": "inference"} | (labels or {})
    return made


def canary() -> Pod:
    """Return a pod of another Deployment under the same label."""
    return owned("inference-canary-5d8b-x", "ReplicaSet", "inference-canary-5d8b", {"pod-template-hash": "5d8b"}, node="gpu-b")


def stateful(cluster: FakeCluster, replicas: int = 3) -> None:
    """Let a StatefulSet called inference own the pods of inference."""
    for place, (namespace, name) in enumerate(sorted(key for key in cluster.pods if key[1].startswith("inference-"))):
        node = cluster.pods.pop((namespace, name)).spec.node_name
        cluster.pods[namespace, f"inference-{place}"] = owned(f"inference-{place}", "StatefulSet", "inference", node=str(node))
    scaled(cluster, replicas)


def scaled(cluster: FakeCluster, replicas: int, by: str = "kubectl", through: str = "") -> None:
    """Let the StatefulSet called inference want so many replicas, set by a client of that name."""
    path = f"{APPS}/statefulsets/inference"
    made = kind_of(path, spec={"replicas": replicas, "template": {}}, status={"updatedReplicas": replicas, "observedGeneration": 1})
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    made["metadata"]["managedFields"] = [
        {
            "manager": "helm",
            "operation": "Apply",
            "time": "2026-11-01T11:00:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}},
        },
        {"manager": by, "operation": "Update", "subresource": through, "time": "2026-11-01T12:00:30Z", "fieldsV1": fields},
    ]
    cluster.served[path] = made


def leader_worker_set(groups: int, size: int, restart: str | None = None) -> tuple[FakeCluster, list[Pod]]:
    """Return a cluster with a LeaderWorkerSet called lws, and its pods: leaders lws-0 and so on, workers lws-0-1 and so on."""
    cluster = FakeCluster()
    template = {"size": size} | ({"restartPolicy": restart} if restart else {})
    path = f"{LEADERS}/lws"
    cluster.served[path] = kind_of(
        path, spec={"replicas": groups, "leaderWorkerTemplate": template}, status={"updatedReplicas": groups, "observedGeneration": 1}
    )
    for key in [key for key in cluster.pods if key[1].startswith("inference-")]:
        del cluster.pods[key]
    nodes = ("gpu-a", "gpu-b", "gpu-c")
    pods = [_of_group(group, worker, nodes[group % 3]) for group in range(groups) for worker in range(size)]
    cluster.pods |= {(one.metadata.namespace, one.metadata.name): one for one in pods}
    return cluster, pods


def _of_group(group: int, worker: int, node: str) -> Pod:
    index = {f"{OF_GROUPS}/name": "lws", f"{OF_GROUPS}/group-index": str(group), f"{OF_GROUPS}/worker-index": str(worker)}
    name, by = (f"lws-{group}-{worker}", f"lws-{group}") if worker else (f"lws-{group}", "lws")
    return owned(name, "StatefulSet", by, index, node=node)


def budget(cluster: FakeCluster, name: str = "inference", *, healthy: int = 3, of: int = 3) -> None:
    """Let a disruption budget select the pods of inference and want so many of them healthy."""
    spec = client.V1PodDisruptionBudgetSpec(min_available=healthy, selector=client.V1LabelSelector(match_labels={"app": "inference"}))
    status = client.V1PodDisruptionBudgetStatus(
        current_healthy=of, desired_healthy=healthy, expected_pods=of, disruptions_allowed=max(0, of - healthy)
    )
    cluster.budgets.append(client.V1PodDisruptionBudget(metadata=client.V1ObjectMeta(name=name), spec=spec, status=status))


def signalled(cluster: FakeCluster, name: str, code: int | None = 0) -> Pod:
    """Let a pod carry an ephemeral container that ended with ``code``; None: it still runs."""
    found = cluster.pods["ml-serving", name]
    container = "aftershock-signal-1"
    found.spec.ephemeral_containers = [client.V1EphemeralContainer(name=container)]
    ended = client.V1ContainerStateTerminated(exit_code=code) if code is not None else None
    state = client.V1ContainerState(terminated=ended, running=None if ended else client.V1ContainerStateRunning())
    status = client.V1ContainerStatus(name=container, image="i", image_id="i", ready=False, restart_count=0, state=state)
    found.status.ephemeral_container_statuses = [status]
    return found


def autoscaler(cluster: FakeCluster, name: str, scales: tuple[str, str], said: str, at: Any) -> None:
    """Let an autoscaler of that name have scaled a kind and name, and have said so."""
    found = cluster.served.setdefault(AUTOSCALERS, client.V2HorizontalPodAutoscalerList(items=[]))
    target = client.V2CrossVersionObjectReference(kind=scales[0], name=scales[1])
    spec = client.V2HorizontalPodAutoscalerSpec(max_replicas=9, scale_target_ref=target)
    found.items.append(client.V2HorizontalPodAutoscaler(metadata=client.V1ObjectMeta(name=name), spec=spec))
    about = client.V1ObjectReference(kind="HorizontalPodAutoscaler", name=name)
    cluster.events.append(
        client.CoreV1Event(
            metadata=client.V1ObjectMeta(name="e"), involved_object=about, reason="SuccessfulRescale", message=said, last_timestamp=at
        )
    )
