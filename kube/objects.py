"""Objects as the API server returns them: the client's own types, without None where a server always fills a field.

The client calls nearly every field optional. The subclasses here are for the type checker alone: at run time each name is the client's
own class. :class:`kube.client.Platform` returns them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from kubernetes import client

if TYPE_CHECKING:

    class Meta(client.V1ObjectMeta):
        """``namespace`` of what belongs to one; a node's is None, and nobody asks for it."""

        name: str
        namespace: str
        uid: str
        resource_version: str
        creation_timestamp: datetime

    class Named(Protocol):
        """Anything with metadata: a whole object, or one of which nothing else was asked for."""

        metadata: Meta

    class Pod(client.V1Pod):
        """A pod of the API server."""

        metadata: Meta
        spec: client.V1PodSpec
        status: client.V1PodStatus

    class Node(client.V1Node):
        """A node of the API server."""

        metadata: Meta
        spec: client.V1NodeSpec
        status: client.V1NodeStatus

    class Job(client.V1Job):
        """A Job of the API server."""

        metadata: Meta
        spec: client.V1JobSpec
        status: client.V1JobStatus

    class EndpointSlice(client.V1EndpointSlice):
        """Some endpoints of a Service."""

        metadata: Meta

    class KubeEvent(client.CoreV1Event):
        """What Kubernetes says of an object."""

        metadata: Meta

    class LeaseSpec(client.V1LeaseSpec):
        """As the suite and kubelets write it; see :func:`safety.leases.held_by` for a lease that others changed."""

        holder_identity: str
        lease_duration_seconds: int
        renew_time: datetime

    class Lease(client.V1Lease):
        """A lease of a run or of a kubelet."""

        metadata: Meta
        spec: LeaseSpec

    class BudgetStatus(client.V1PodDisruptionBudgetStatus):
        """What a budget comes to now."""

        desired_healthy: int
        expected_pods: int

    class DisruptionBudget(client.V1PodDisruptionBudget):
        """A disruption budget, of which a server fills in spec and status."""

        metadata: Meta
        spec: client.V1PodDisruptionBudgetSpec
        status: BudgetStatus

    class ConfigMap(client.V1ConfigMap):
        """A config map of the suite."""

        metadata: Meta
        data: dict[str, str]

else:
    ConfigMap, EndpointSlice, Job, KubeEvent = client.V1ConfigMap, client.V1EndpointSlice, client.V1Job, client.CoreV1Event
    BudgetStatus, DisruptionBudget = client.V1PodDisruptionBudgetStatus, client.V1PodDisruptionBudget
    Lease, Meta, Node, Pod = client.V1Lease, client.V1ObjectMeta, client.V1Node, client.V1Pod
    Named = object

Kind = TypeVar("Kind")


def body(kind: type[Kind], manifest: Mapping[str, object]) -> Kind:  # noqa: ARG001  # it is for the type checker
    """Return a plain manifest where the client asks for its class ``kind``: the client sends it as it is."""
    return cast("Kind", manifest)


class LeaseList(Protocol):
    """An answer with leases."""

    items: list[Lease]


class LeaseApi(Protocol):
    """The part of CoordinationV1Api that the suite needs; all raise ApiException (404, 409)."""

    def read_namespaced_lease(self, name: str, namespace: str) -> Lease:
        """Return the lease."""

    def list_namespaced_lease(self, namespace: str, **options: object) -> LeaseList:
        """Return a page of the leases that ``options`` select (:mod:`kube.lists.paging`)."""

    def create_namespaced_lease(self, namespace: str, body: client.V1Lease) -> Lease:
        """Create it."""

    def replace_namespaced_lease(self, name: str, namespace: str, body: client.V1Lease) -> Lease:
        """Replace the version in ``body``."""

    def delete_namespaced_lease(self, name: str, namespace: str, *, body: client.V1DeleteOptions) -> object:
        """Delete it, if the preconditions in ``body`` hold."""


class ConfigMapList(Protocol):
    """An answer with config maps."""

    items: list[ConfigMap]


class ConfigMapApi(Protocol):
    """The part of CoreV1Api that an undo journal needs."""

    def read_namespaced_config_map(self, name: str, namespace: str) -> ConfigMap:
        """Return the config map."""

    def list_namespaced_config_map(self, namespace: str, **options: object) -> ConfigMapList:
        """Return a page of the config maps that ``options`` select (:mod:`kube.lists.paging`)."""

    def create_namespaced_config_map(self, namespace: str, body: client.V1ConfigMap) -> ConfigMap:
        """Create it; ApiException 409 if it exists."""

    def replace_namespaced_config_map(self, name: str, namespace: str, body: client.V1ConfigMap) -> ConfigMap:
        """Replace the version in ``body``; ApiException 409 if it is not the latest."""

    def delete_namespaced_config_map(self, name: str, namespace: str) -> object:
        """Delete it."""
