"""The one way to the platform's API: objects of its own client (no process-wide configuration).

:func:`connect` refuses any API server but the one that the target file names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar, cast

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import AftershockError, TargetRefused
from kube.answers import explained
from kube.connection.bounded_client import BoundedClient
from kube.connection.configuration import Configured, configuration_of
from kube.connection.errors import KubeconfigRefused
from kube.health.ways import Ways
from kube.lists.paging import listed
from kube.objects import ConfigMapApi, Job, LeaseApi, Node, Pod
from target.region import Region
from target.target import Target

Read = TypeVar("Read")
PARALLEL = 8  # requests of one question at the same time
FINISHED = frozenset({"Failed", "Succeeded"})


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform under test in one region: API objects of one verified API server, and the target file that allows touching it.

    ``clock_offset_s`` is the API server's clock minus this machine's (resolution 1 s: from the Date header). ``ways`` says for each role
    through what its replicas are asked for their health; preflight fills it (:mod:`kube.health.choice`).
    """

    target: Target
    api: client.ApiClient
    core: client.CoreV1Api
    apps: client.AppsV1Api
    batch: client.BatchV1Api
    custom: client.CustomObjectsApi
    coordination: LeaseApi
    authorization: client.AuthorizationV1Api
    discovery: client.DiscoveryV1Api
    region_name: str
    clock_offset_s: float = 0.0
    ways: dict[str, Ways] = field(default_factory=dict)

    @property
    def region(self) -> Region:
        """What the target file says of this region."""
        return self.target.regions[self.region_name]

    def pods(self, role: str, *, finished: bool = False) -> list[Pod]:
        """Return the V1Pods of ``role``, terminating ones too, ordered by node and name. Raises ApiException, ConfigError.

        Pods that Failed or Succeeded are no replicas and left out unless ``finished``: a kubelet leaves rejected ones behind when its node
        comes back (UnexpectedAdmissionError), and nobody removes them.
        """
        asked = self.target.role(role)
        chosen = [pod for pod in self.pods_in(asked.namespace, asked.selector) if finished or pod.status.phase not in FINISHED]
        return sorted(chosen, key=lambda pod: (pod.spec.node_name or "", pod.metadata.name))

    def pods_of_roles(self) -> dict[str, list[Pod]]:
        """Return the pods of every role, asked for at the same time: an API server far away answers them in the time of one.

        Raises ApiException.
        """
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(self.target.roles, pool.map(self.pods, self.target.roles), strict=True))

    def pods_in(self, namespace: str, selector: str = "") -> list[Pod]:
        """Return the V1Pods of a namespace that ``selector`` selects; empty: all. Raises ApiException."""
        return cast("list[Pod]", listed(self.core.list_namespaced_pod, namespace, label_selector=selector).items)

    def all_pods(self, node: str) -> list[Pod]:
        """Return the V1Pods of all namespaces that are bound to ``node``. Raises ApiException."""
        selector = f"spec.nodeName={node}"
        return cast("list[Pod]", listed(self.core.list_pod_for_all_namespaces, field_selector=selector).items)

    def pod(self, name: str, namespace: str) -> Pod:
        """Return one V1Pod. Raises ApiException."""
        return cast("Pod", self.core.read_namespaced_pod(name, namespace))

    def nodes(self) -> list[Node]:
        """Return all V1Nodes, ordered by name; :mod:`kube.lists.nodes` has those that a question needs. Raises ApiException."""
        return sorted(cast("list[Node]", listed(self.core.list_node).items), key=lambda node: node.metadata.name)

    def node(self, name: str) -> Node:
        """Return one V1Node. Raises ApiException."""
        return cast("Node", self.core.read_node(name))

    def jobs_in(self, namespace: str, selector: str) -> list[Job]:
        """Return the V1Jobs of a namespace that ``selector`` selects. Raises ApiException."""
        return cast("list[Job]", listed(self.batch.list_namespaced_job, namespace, label_selector=selector).items)

    @property
    def config_maps(self) -> ConfigMapApi:
        """The API of config maps, as far as an undo journal needs it."""
        return cast("ConfigMapApi", self.core)

    def server_time(self) -> datetime:
        """Return now (UTC) on the API server's clock."""
        return datetime.fromtimestamp(time.time() + self.clock_offset_s, UTC)


def ready(thing: Pod | Node) -> bool:
    """Tell whether a V1Pod or V1Node has the condition Ready=True and is not being deleted."""
    conditions = (thing.status.conditions or []) if thing.status else []
    return thing.metadata.deletion_timestamp is None and any(c.type == "Ready" and c.status == "True" for c in conditions)


def connect(target: Target, region: str | None = None, by: type[BoundedClient] = BoundedClient) -> Platform:
    """Return the platform of a region of ``target``; left out: of its only one. ``by``: the client that sends its requests.

    Raises:
        ConfigError: it has more than one, and none is named.
        TargetRefused: its context is not in the kubeconfig, leads to another server, or the server does not answer.

    """
    name = region or target.only_region_name()
    api = by(checked_configuration(target, name))
    with api_errors(f"target {target.name}: {target.regions[name].server}", TargetRefused):
        offset_s = clock_offset_s(api)
    return platform_over(target, api, offset_s, name)


def platform_over(target: Target, api: client.ApiClient, clock_offset_s: float = 0.0, region: str | None = None) -> Platform:
    """Return a platform whose API objects all use the API client ``api``; it is of ``region``, or of the target's only one."""
    return Platform(
        target=target,
        api=api,
        core=client.CoreV1Api(api),
        apps=client.AppsV1Api(api),
        batch=client.BatchV1Api(api),
        custom=client.CustomObjectsApi(api),
        coordination=cast("LeaseApi", client.CoordinationV1Api(api)),
        authorization=client.AuthorizationV1Api(api),
        discovery=client.DiscoveryV1Api(api),
        region_name=region or target.only_region_name(),
        clock_offset_s=clock_offset_s,
    )


def checked_configuration(target: Target, region: str) -> Configured:
    """Return the configuration of a region's context, and of nothing else (same errors as :func:`connect`)."""
    of = target.regions[region]
    try:
        made = configuration_of(of.kubeconfig, of.context)
    except KubeconfigRefused as error:
        raise TargetRefused(f"target {target.name}: context {of.context!r} cannot be used: {error}; nothing was touched") from error
    if made.host.rstrip("/") != of.server.rstrip("/"):
        raise TargetRefused(
            f"target {target.name}: context {of.context!r} leads to {made.host}, the target file allows {of.server} only; "
            "nothing was touched; correct server in the target file if this cluster is really meant"
        )
    return made


def clock_offset_s(api: client.ApiClient) -> float:
    """Return the API server's clock minus ours (s), from the Date header of one request. Raises ApiException, HTTPError."""
    before = time.time()
    _, _, headers = client.VersionApi(api).get_code_with_http_info()
    ours = (before + time.time()) / 2
    try:
        date_s = parsedate_to_datetime((headers or {})["Date"]).timestamp()
    except (LookupError, ValueError, TypeError, OverflowError):
        return 0.0  # none, or what a gateway wrote in its place: nobody knows better
    return date_s + 0.5 - ours  # the header is cut to whole seconds


@contextmanager
def api_errors(what: str, raises: type[AftershockError]) -> Iterator[None]:
    """Turn an error of the API server, or of the way to it, into one sentence that starts with ``what``."""
    try:
        yield
    except (ApiException, urllib3.exceptions.HTTPError) as error:
        raise raises(f"{what}: {explained(error)}") from error


def unless_gone(read: Callable[[], Read]) -> Read | None:
    """Return what ``read`` returns; None: the API server knows no such thing (404). Raises ApiException: any other answer."""
    try:
        return read()
    except ApiException as error:
        if error.status != 404:
            raise
        return None


@contextmanager
def unless(*statuses: int) -> Iterator[None]:
    """Take these answers of the API server for success: what is to be removed is gone (404), what is to be made is there (409).

    Raises ApiException: any other.
    """
    try:
        yield
    except ApiException as error:
        if error.status not in statuses:
            raise


def unless_forbidden(read: Callable[[], Read], otherwise: Read) -> Read:
    """Return what ``read`` returns, or ``otherwise`` where the account may not read it: what is merely useful asks for no permission.

    Raises ApiException: any other answer than 403.
    """
    try:
        return read()
    except ApiException as error:
        if error.status != 403:
            raise
        return otherwise
