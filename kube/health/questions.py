"""What a replica is asked to learn whether it is well: its role's own endpoint, else what its kubelet asks each container.

A kubelet asks as https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ says: an HTTP status from 200 to
399, a connection that opens, a command that ends with 0, or gRPC's health service. All containers with a probe must be well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kubernetes import client

from kube.objects import Pod
from target.role import Role

OK, REDIRECTED = 200, 400  # what a kubelet takes for success
ANSWER_S = 1.0  # a replica that needs longer to say that it is well is not, unless its probe allows more
LONGEST_S = 5.0  # nobody waits longer, whatever a probe allows
ALWAYS = "Always"  # an init container that is restarted always is a sidecar


class HttpQuestion(NamedTuple):
    """A GET; ``below`` is the first status that is no good answer, an empty ``host`` is the pod itself."""

    port: int
    path: str
    below: int = REDIRECTED
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    limit_s: float = ANSWER_S

    @property
    def text(self) -> str:
        """Return what is asked, for people."""
        return f"{'https ' if self.secure else ''}:{self.port}{self.path}"

    @property
    def secure(self) -> bool:
        """Whether it is asked over TLS; no certificate is checked, as no kubelet does."""
        return self.scheme == "HTTPS"

    def answered(self, status: int) -> bool:
        """Tell whether ``status`` says that the replica is well (0: no answer)."""
        return OK <= status < self.below


class TcpQuestion(NamedTuple):
    """A connection, which must open."""

    port: int
    host: str = ""
    limit_s: float = ANSWER_S

    @property
    def text(self) -> str:
        """Return what is asked, for people."""
        return f":{self.port} (TCP)"


class ExecQuestion(NamedTuple):
    """A command in a container, which must end with 0."""

    container: str
    command: tuple[str, ...]
    limit_s: float = ANSWER_S

    @property
    def text(self) -> str:
        """Return what is asked, for people."""
        return f"command {' '.join(self.command)[:80]} in container {self.container}"


class GrpcQuestion(NamedTuple):
    """A question to gRPC's health service, which nobody but the kubelet asks here."""

    port: int
    limit_s: float = ANSWER_S

    @property
    def text(self) -> str:
        """Return what is asked, for people."""
        return f":{self.port} (gRPC)"


Question = HttpQuestion | TcpQuestion | ExecQuestion | GrpcQuestion


def questions_of(role: Role, pod: Pod) -> tuple[Question, ...]:
    """Return what a V1Pod of ``role`` is asked: its role's health endpoint, else its own readiness probes; empty: neither is there.

    An endpoint of the role at a port that a probe asks, too, is asked as that probe does: by its scheme, host and headers, with its limit.
    """
    probed = tuple(probes_of(pod))
    if role.health is None or role.health.port is None or role.health.path is None:
        return probed
    asked = HttpQuestion(role.health.port, role.health.path, OK + 1)
    like = next((one for one in probed if isinstance(one, HttpQuestion) and one.port == asked.port), asked)
    return (asked._replace(scheme=like.scheme, host=like.host, headers=like.headers, limit_s=like.limit_s),)


def probes_of(pod: Pod) -> Iterator[Question]:
    """Yield what the readiness probes of a V1Pod ask, container by container, sidecars among them."""
    sidecars = [one for one in pod.spec.init_containers or [] if one.restart_policy == ALWAYS]
    for container in [*pod.spec.containers, *sidecars]:
        question = _question(container, container.readiness_probe) if container.readiness_probe is not None else None
        if question is not None:
            yield question


def _question(container: client.V1Container, probe: client.V1Probe) -> Question | None:
    """Return what a probe asks; None: its port has no number, so nobody could ask."""
    limit_s = min(LONGEST_S, float(probe.timeout_seconds or ANSWER_S))
    if probe.var_exec is not None:
        return ExecQuestion(container.name, tuple(probe.var_exec.command or ()), limit_s)
    if probe.grpc is not None:
        return GrpcQuestion(probe.grpc.port, limit_s)
    if probe.tcp_socket is not None:
        port = _number(container, probe.tcp_socket.port)
        return None if port is None else TcpQuestion(port, probe.tcp_socket.host or "", limit_s)
    return None if probe.http_get is None else _http(container, probe.http_get, limit_s)


def _http(container: client.V1Container, get: client.V1HTTPGetAction, limit_s: float) -> HttpQuestion | None:
    port = _number(container, get.port)
    headers = tuple((one.name, one.value) for one in get.http_headers or [])
    path = "/" + (get.path or "").removeprefix("/")
    return None if port is None else HttpQuestion(port, path, REDIRECTED, get.scheme or "HTTP", get.host or "", headers, limit_s)


def _number(container: client.V1Container, port: int | str) -> int | None:
    """Return a port by its number or its name in this container; None: it has no such port."""
    named = {one.name: one.container_port for one in container.ports or []}
    number = named.get(str(port), port)
    return int(number) if str(number).isdecimal() else None
