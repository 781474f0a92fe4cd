"""What plays each lasting role now, and what is odd about it although no run is refused for it."""

from __future__ import annotations

from collections.abc import Iterator

from history.errors import TargetRefused
from kube.client import Platform, api_errors, ready, unless_forbidden
from kube.controllers.kinds import Reference
from kube.controllers.owners import maker_of
from kube.objects import Pod
from runner.findings import About, Finding, Kind
from runner.preflight.admission import secret_gone
from runner.preflight.platform_health import RoleNow, roles_now


def about_roles(platform: Platform) -> Iterator[Finding]:
    """Yield what each lasting role is. Raises TargetRefused: the API server does not answer."""
    with api_errors(f"target {platform.target.name}: look at its roles", TargetRefused):
        for now in roles_now(platform):
            works = _works(platform, now) if now.pods else ""
            yield from [Finding(About.ROLES, Kind.WORKS, works)] if works else []
            odd = [*_single(now), *_mixed(platform, now)] if now.pods else [_nobody(platform, now.name)]
            odd += [*_service(platform, now.name), *filter(None, [secret_gone(platform, now.name)])]
            yield from (Finding(About.ROLES, Kind.TO_DECIDE, text) for text in odd)


def _works(platform: Platform, now: RoleNow) -> str:
    """Return who plays a role, if nobody is missing: the health check says who is."""
    up, want = sum(map(ready, now.pods)), len(now.pods) if now.wanted is None else now.wanted
    by = ", ".join(str(one.reference) for one in now.controllers) or "the target file"
    counted = f"{up} of {want} replicas ready, as {by} says" if now.wanted is not None else f"{up} ready, nobody says how many it takes"
    ways = platform.ways.get(now.name)
    asked = f"; health: {ways.sentence}" if ways else ""
    return f"role {now.name}: {counted}{asked}" if up >= want else ""


def _nobody(platform: Platform, name: str) -> str:
    role = platform.target.role(name)
    where = f"selector {role.selector} matches no pod in namespace {role.namespace}"
    return f"role {name}: {where}; correct it, deploy what it means, or leave the role out"


def _single(now: RoleNow) -> list[str]:
    if (len(now.pods) if now.wanted is None else now.wanted) != 1:
        return []
    single = f"role {now.name} has one replica, a single point of failure: an experiment that takes it is refused"
    return [f"{single}; run more, or allow it in the experiment: allow: {{last_replica: true}}"]


def _mixed(platform: Platform, now: RoleNow) -> list[str]:
    """Return that pods of several makers with different images play one role: two engines, no canary."""
    images: dict[Reference | None, set[str]] = {}
    for pod in now.pods:
        images.setdefault(maker_of(pod), set()).update(_repositories(pod))
    if len({frozenset(found) for found in images.values()}) < 2:
        return []
    said = "; ".join(f"{maker or 'nobody'} ({', '.join(sorted(found))})" for maker, found in images.items())
    selector = platform.target.role(now.name).selector
    return [f"role {now.name}: selector {selector} selects servers of two kinds: {said}; narrow it, or make a role of each"]


def _repositories(pod: Pod) -> set[str]:
    """Return the images of a pod's containers without tag and digest."""
    found = set()
    for container in pod.spec.containers:
        path, slash, last = (container.image or "").partition("@")[0].rpartition("/")
        found.add(f"{path}{slash}{last.partition(':')[0]}")
    return found


def _service(platform: Platform, name: str) -> list[str]:
    """Return that the Service of a role has no endpoints at all: it is gone, or selects nothing."""
    role = platform.target.role(name)
    if role.service is None:
        return []
    labelled = f"kubernetes.io/service-name={role.service}"
    found = unless_forbidden(lambda: platform.discovery.list_namespaced_endpoint_slice(role.namespace, label_selector=labelled).items, None)
    if found is None or found:
        return []
    where = f"Service {role.service} in namespace {role.namespace}"
    return [f"role {name}: {where} is not there, or selects nothing (it has no EndpointSlice); correct service, or leave it out"]
