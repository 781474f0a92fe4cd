"""How users reach a Service, the likeliest way first: what was made for them, then a node's port, at last its name inside the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from runner.discovery import routes
from runner.discovery.routes import POOLS, Routes, in_namespace, name, namespace, spec
from runner.discovery.workloads import Workload
from target.job_kinds.kind import Plain

PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./~-]*")
SECURE = {443, 8443}
NOT_HTTP = re.compile(r"metric|prom|grpc|admin|console|lmcache|zmq|ucx|sentinel|status|health|debug|dashboard", re.IGNORECASE)
HTTP = re.compile(r"http|web|api|serve|router|inference", re.IGNORECASE)


class Way(NamedTuple):
    """A URL, why it is likely, and what a person should make sure of. ``inside``: only pods of the cluster can use it.

    ``rank``: how much it looks as if it were made for users: a route, a balancer, a node's port, a name inside the cluster.
    """

    url: str
    reason: str
    question: str = ""
    inside: bool = False
    rank: int = 0


def ways_in(found: Routes, workload: Workload, wanted_port: int | None) -> list[Way]:
    """Return how ``workload`` is reached. ``wanted_port``: on which its users ask."""
    services = found.services_of(workload)
    ports = {name(one): _port(one, workload, wanted_port) for one in services}
    ways = [*_kserve(found, workload), *_http_routes(found, workload, services), *_ingresses(found, workload.namespace, services)]
    ways += _openshift(found, workload.namespace, services)
    for kind in (_balancer, _node_port):
        ways += [way for one in services if (port := ports[name(one)]) for way in kind(one, port, workload, found.nodes)]
    ways += [_inside(one, port) for one in services if (port := ports[name(one)])]
    first: dict[str, Way] = {}
    for way in ways:
        first.setdefault(way.url, way)
    return list(first.values())


def port_of(service: Plain, workload: Workload, wanted: int | None) -> int | None:
    """Return the port of a Service on which users ask."""
    found = _port(service, workload, wanted)
    return int(found["port"]) if found else None


def _port(service: Plain, workload: Workload, wanted: int | None) -> Plain | None:
    ports: list[Plain] = [one for one in spec(service).get("ports") or [] if one.get("protocol", "TCP") == "TCP"]
    named = {port.name: int(port.container_port) for one in workload.sample.spec.containers for port in one.ports or [] if port.name}

    def rank(one: Plain) -> tuple[bool, bool, bool]:
        behind: Any = one.get("targetPort", one.get("port"))
        number = named.get(behind, behind)
        said = f"{one.get('name', '')} {one.get('appProtocol', '')}"
        return number != wanted, bool(NOT_HTTP.search(said)), not HTTP.search(said)

    return min(ports, key=rank, default=None)


def _url(host: str, port: int | None, *, secure: bool, path: str = "") -> str:
    scheme = "https" if secure else "http"
    usual = 443 if secure else 80
    return f"{scheme}://{host}{'' if port in {None, usual} else f':{port}'}{path if path != '/' else ''}"


def _path(path: str) -> tuple[str, str]:
    """Return the path that a rule begins with, and what to make sure of."""
    if path in {"", "/"}:
        return "", ""
    if not PLAIN_PATH.fullmatch(path):
        return "", f"its path {path} is an expression: which path do users ask?"
    return path.rstrip("/"), f"is the prefix {path} taken off before the server sees it? Then it stays; otherwise leave it out"


def _ingresses(found: Routes, where: str, services: Iterable[Plain]) -> Iterator[Way]:
    names = {name(one) for one in services}
    for one in found.ingresses:
        if not in_namespace(one, where):
            continue
        for rule in spec(one).get("rules") or []:
            for path in (rule.get("http") or {}).get("paths") or []:
                if ((path.get("backend") or {}).get("service") or {}).get("name") in names:
                    yield from _of_ingress(one, str(rule.get("host") or ""), str(path.get("path") or ""))
        if ((spec(one).get("defaultBackend") or {}).get("service") or {}).get("name") in names:
            yield from _of_ingress(one, "", "")


def _of_ingress(ingress: Plain, host: str, path: str) -> Iterator[Way]:
    tls = spec(ingress).get("tls") or []
    secure = any(not one.get("hosts") or host in one["hosts"] for one in tls)
    begins, question = _path(path)
    for target in [host] if host and "*" not in host else routes.addresses(ingress):
        yield Way(_url(target, None, secure=secure, path=begins), f"Ingress {name(ingress)} leads to its Service", question)


def _http_routes(found: Routes, workload: Workload, services: Iterable[Plain]) -> Iterator[Way]:
    names, pools = {name(one) for one in services}, {name(one) for one in found.pools_of(workload)}
    for route in found.http_routes:
        for rule in spec(route).get("rules") or []:
            hits = [one for one in rule.get("backendRefs") or [] if _leads(one, route, workload.namespace, names, pools)]
            if hits:
                match: Plain = next(iter(rule.get("matches") or []), {})
                yield from _of_http_route(found, route, str((match.get("path") or {}).get("value") or ""))


def _leads(backend: Plain, route: Plain, where: str, services: set[str], pools: set[str]) -> bool:
    if str(backend.get("namespace") or namespace(route)) != where:
        return False
    wanted = pools if backend.get("group") in POOLS else services if backend.get("kind", "Service") == "Service" else set()
    return backend.get("name") in wanted


def _of_http_route(found: Routes, route: Plain, path: str) -> Iterator[Way]:
    begins, question = _path(path)
    for parent in spec(route).get("parentRefs") or []:
        where = str(parent.get("namespace") or namespace(route))
        gateway = next((one for one in found.gateways if name(one) == parent.get("name") and in_namespace(one, where)), None)
        listeners: list[Plain] = spec(gateway).get("listeners") or [] if gateway else []
        meant = [one for one in listeners if parent.get("sectionName") in {None, one.get("name")}] or [{}]
        listener = next((one for one in meant if one.get("protocol") == "HTTPS"), meant[0])
        hosts = [str(one) for one in [*(spec(route).get("hostnames") or []), listener.get("hostname")] if one and "*" not in str(one)]
        said = f"HTTPRoute {name(route)} of Gateway {parent.get('name')} leads to it"
        for host in hosts[:1] or (list(routes.addresses(gateway))[:1] if gateway else []):
            secure = listener.get("protocol") == "HTTPS"
            yield Way(_url(host, listener.get("port"), secure=secure, path=begins), said, question)


def _openshift(found: Routes, where: str, services: Iterable[Plain]) -> Iterator[Way]:
    names = {name(one) for one in services}
    for one in found.openshift:
        if in_namespace(one, where) and (spec(one).get("to") or {}).get("name") in names and spec(one).get("host"):
            url = _url(str(spec(one)["host"]), None, secure=bool(spec(one).get("tls")), path=str(spec(one).get("path") or ""))
            yield Way(url, f"Route {name(one)} leads to its Service")


def _kserve(found: Routes, workload: Workload) -> Iterator[Way]:
    wanted = workload.labels.get("serving.kserve.io/inferenceservice")
    for one in found.kserve:
        url = str((one.get("status") or {}).get("url") or "")
        if in_namespace(one, workload.namespace) and name(one) == wanted and url:
            inside = ".svc.cluster.local" in url or url.endswith(".svc")
            yield Way(url, f"InferenceService {name(one)} says so in its status", inside=inside, rank=3 if inside else 0)


def _balancer(service: Plain, port: Plain, _workload: Workload, _nodes: Mapping[str, str]) -> Iterator[Way]:
    if spec(service).get("type") == "LoadBalancer":
        secure = int(port["port"]) in SECURE or port.get("name") == "https"
        for host in [*routes.addresses(service)][:1]:
            yield Way(_url(host, int(port["port"]), secure=secure), f"Service {name(service)} is a LoadBalancer", rank=1)


def _node_port(service: Plain, port: Plain, workload: Workload, nodes: Mapping[str, str]) -> Iterator[Way]:
    if not port.get("nodePort"):
        return
    hosts = [one.node for one in workload.pods if one.node in nodes] or list(nodes)
    question = "one node's address: it is lost with that node, and must be reachable from here; is there a balancer before the nodes?"
    for node in hosts[:1]:
        secure = int(port["port"]) in SECURE
        url = _url(nodes[node], int(port["nodePort"]), secure=secure)
        yield Way(url, f"Service {name(service)} has node port {port['nodePort']}", question, rank=2)


def _inside(service: Plain, port: Plain) -> Way:
    where, number = f"{name(service)}.{namespace(service)}.svc.cluster.local", int(port["port"])
    forward = f"kubectl -n {namespace(service)} port-forward svc/{name(service)} {number}"
    question = f"only pods reach it. For a look from here, and no more, since it leads to one pod alone: {forward}"
    return Way(
        _url(where, number, secure=number in SECURE), f"Service {name(service)} has no way in from outside", question, inside=True, rank=3
    )
