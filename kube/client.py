"""The one way to the platform's API: its own client (no process-wide configuration), every request bounded in time.

:func:`connect` refuses any API server but the one that the target file names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

import orjson
import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTResponse

from history.errors import AftershockError, TargetRefused
from kube.objects import Node, Pod
from target.target import Target

Read = TypeVar("Read")
CONNECT_S, READ_S = 2.0, 10.0
POOL = 32
PARALLEL = 8  # requests of one question at the same time
FINISHED = frozenset({"Failed", "Succeeded"})
NEXT_STEP = {
    401: "renew the credentials of the target's context",
    403: "grant the permission to the account of the target's context",
    404: "check the name and that it was not removed meanwhile",
    409: "somebody else changed it at the same time: look at it, then try again",
    429: "the API server asks for patience: try again",
}
ADMISSION = {
    "exceeded quota": "raise that quota, or remove what uses it up",
    "failed quota": "let a LimitRange give what the quota asks for, or relax the quota",
    "violates PodSecurity": "see the namespace's label pod-security.kubernetes.io/enforce",
    "ValidatingAdmissionPolicy": "ask whoever wrote that policy",
    "admission webhook": "ask whoever runs that webhook",
    "failed calling webhook": "ask whoever runs that webhook",
}
"""What admission says, in words of the API server, and who can help: no permission does, although it may answer 403."""
OTHER_CA = "its certificate is not from the CA in the kubeconfig: correct certificate-authority, or see who stands in between"


class BoundedClient(client.ApiClient):
    """An API client whose requests end: 2 s to connect, 10 s to read, unless the caller says otherwise (a watch must)."""

    def call_api(self, *args: object, **kwargs: object) -> RESTResponse:
        """Do as the library does, with a time limit."""
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or (CONNECT_S, READ_S)
        return super().call_api(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform under test: API objects of one verified API server, and the target file that allows touching it.

    ``clock_offset_s`` is the API server's clock minus this machine's (resolution 1 s: from the Date header).
    """

    target: Target
    api: client.ApiClient
    core: client.CoreV1Api
    apps: client.AppsV1Api
    batch: client.BatchV1Api
    coordination: client.CoordinationV1Api
    authorization: client.AuthorizationV1Api
    policy: client.PolicyV1Api
    discovery: client.DiscoveryV1Api
    clock_offset_s: float = 0.0

    def pods(self, role: str, *, finished: bool = False) -> list[Pod]:
        """Return the V1Pods of ``role``, terminating ones too, ordered by node and name. Raises ApiException, ConfigError.

        Pods that Failed or Succeeded are no replicas and left out unless ``finished``: a kubelet leaves rejected ones behind when its node
        comes back (UnexpectedAdmissionError), and nobody removes them.
        """
        found = self.target.role(role)
        items: list[Pod] = self.core.list_namespaced_pod(found.namespace, label_selector=found.selector).items
        chosen = [pod for pod in items if finished or pod.status.phase not in FINISHED]
        return sorted(chosen, key=lambda pod: (pod.spec.node_name or "", pod.metadata.name))

    def pods_of_roles(self) -> dict[str, list[Pod]]:
        """Return the pods of every role, asked for at the same time: an API server far away answers them in the time of one.

        Raises ApiException.
        """
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(self.target.roles, pool.map(self.pods, self.target.roles), strict=True))

    def nodes(self) -> list[Node]:
        """Return all V1Nodes, ordered by name. Raises ApiException."""
        items: list[Node] = self.core.list_node().items
        return sorted(items, key=lambda node: node.metadata.name)

    @staticmethod
    def ready(pod: Pod) -> bool:
        """Tell whether a V1Pod is Ready and not being deleted."""
        return ready(pod)

    def proxy_get(self, pod: Pod, port: int, path: str, timeout_s: float = 2.0) -> int:
        """GET ``path`` of a pod through the API server; return the HTTP status, 0 if no answer came within ``timeout_s``."""
        name, namespace = f"{pod.metadata.name}:{port}", pod.metadata.namespace
        limit = (CONNECT_S, timeout_s)
        try:
            self.core.connect_get_namespaced_pod_proxy_with_path(name, namespace, path.lstrip("/"), _request_timeout=limit)
        except ApiException as error:
            return int(error.status or 0)
        except urllib3.exceptions.HTTPError:
            return 0
        return 200

    def server_time(self) -> datetime:
        """Return now (UTC) on the API server's clock."""
        return datetime.fromtimestamp(time.time() + self.clock_offset_s, UTC)


def ready(thing: Pod | Node) -> bool:
    """Tell whether a V1Pod or V1Node has the condition Ready=True and is not being deleted."""
    conditions = (thing.status.conditions or []) if thing.status else []
    return thing.metadata.deletion_timestamp is None and any(c.type == "Ready" and c.status == "True" for c in conditions)


def connect(target: Target) -> Platform:
    """Return the platform that ``target`` names.

    Raises:
        TargetRefused: its context is not in the kubeconfig, leads to another server, or the server does not answer.

    """
    api = BoundedClient(configuration_of(target))
    with api_errors(f"target {target.name}: {target.server}", TargetRefused):
        offset_s = clock_offset_s(api)
    return platform_over(target, api, offset_s)


def platform_over(target: Target, api: client.ApiClient, clock_offset_s: float = 0.0) -> Platform:
    """Return a platform whose API objects all use the API client ``api``."""
    return Platform(
        target=target,
        api=api,
        core=client.CoreV1Api(api),
        apps=client.AppsV1Api(api),
        batch=client.BatchV1Api(api),
        coordination=client.CoordinationV1Api(api),
        authorization=client.AuthorizationV1Api(api),
        policy=client.PolicyV1Api(api),
        discovery=client.DiscoveryV1Api(api),
        clock_offset_s=clock_offset_s,
    )


def configuration_of(target: Target) -> client.Configuration:
    """Load the target's context from its kubeconfig, and nothing else (same errors as :func:`connect`)."""
    made = client.Configuration()
    file = str(Path(target.kubeconfig).expanduser()) if target.kubeconfig else None
    try:
        config.load_kube_config(file, target.context, client_configuration=made, persist_config=False)  # type: ignore[no-untyped-call]  # of the library
    except (config.ConfigException, OSError) as error:
        where = file or "the default kubeconfig"
        raise TargetRefused(
            f"target {target.name}: context {target.context!r} cannot be loaded from {where} ({error}); correct context or kubeconfig"
        ) from error
    if made.host.rstrip("/") != target.server.rstrip("/"):
        raise TargetRefused(
            f"target {target.name}: context {target.context!r} leads to {made.host}, the target file allows {target.server} only; "
            "nothing was touched; correct server in the target file if this cluster is really meant"
        )
    made.connection_pool_maxsize = POOL  # observer, sampler, leases and probes ask at the same time
    made.retries = urllib3.Retry(total=1, respect_retry_after_header=False)  # one retry heals a stale keep-alive connection
    return made


def clock_offset_s(api: client.ApiClient) -> float:
    """Return the API server's clock minus ours (s), from the Date header of one request. Raises ApiException, HTTPError."""
    before = time.time()
    _, _, headers = client.VersionApi(api).get_code_with_http_info()
    ours = (before + time.time()) / 2
    date = (headers or {}).get("Date")
    return parsedate_to_datetime(date).timestamp() + 0.5 - ours if date else 0.0  # the header is cut to whole seconds


def can_look(platform: Platform) -> bool:
    """Tell whether the API server shows the platform to this account now; a refusal shows nothing."""
    try:
        platform.nodes()
    except (ApiException, urllib3.exceptions.HTTPError):
        return False
    return True


def answers(platform: Platform) -> bool:
    """Tell whether the API server answers now; a refusal is an answer."""
    try:
        platform.nodes()
    except ApiException as error:
        return 0 < (error.status or 0) < 500
    except urllib3.exceptions.HTTPError:
        return False
    return True


@contextmanager
def api_errors(what: str, raises: type[AftershockError]) -> Iterator[None]:
    """Turn an error of the API server, or of the way to it, into one sentence that starts with ``what``."""
    try:
        yield
    except (ApiException, urllib3.exceptions.HTTPError) as error:
        raise raises(f"{what}: {explained(error)}") from error


def explained(error: ApiException | urllib3.exceptions.HTTPError) -> str:
    """Return what the API server answered, or that it did not, and what to do next."""
    if isinstance(error, ApiException):
        said = message_of(error)
        by_status = NEXT_STEP.get(error.status, "see the API server's log")
        step = next((step for words, step in ADMISSION.items() if words in said), by_status)
        return f"the API server answered {error.status} {said}; {step}"
    step = OTHER_CA if "CERTIFICATE_VERIFY_FAILED" in str(error) else "check that it is up and reachable"
    return f"no answer from the API server ({first_line(error)}); {step}"


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


def unless_missing(read: Callable[[], Read]) -> Read | None:
    """Return the object that ``read`` returns, or None if there is none (404). Raises ApiException: any other answer."""
    try:
        return read()
    except ApiException as error:
        if error.status != 404:
            raise
        return None


def message_of(error: ApiException) -> str:
    """Return the API server's own words in an error."""
    try:
        return str(orjson.loads(error.body or b"{}").get("message") or error.reason)
    except (orjson.JSONDecodeError, AttributeError):
        return str(error.reason)


def first_line(error: BaseException) -> str:
    """Return the class and the first line of an error."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
