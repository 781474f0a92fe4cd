"""From what was recognised to roles of a target file: how each is selected, who makes it, where it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kubernetes.client import V1Container
from kubernetes.client.exceptions import ApiException

from kube.controllers.kinds import Controller
from kube.controllers.owners import found_by_owner
from runner.discovery import routes
from runner.discovery.known.gateways import PICKER, ROUTERS
from runner.discovery.own_answers import ports_of
from runner.discovery.selectors import Selected, selector_of
from runner.discovery.signs import Part
from runner.discovery.survey import Recognised, Survey
from runner.discovery.ways_in import NOT_HTTP, Way, ways_in
from target.job_kinds.kind import Plain

KEPT: tuple[tuple[Part, str], ...] = (("storage", "storage"), ("tracking", "tracking"), ("features", "features"), ("queue", "queue"))
"""Parts besides engines and gateways, and the role that experiments name."""
PORT = re.compile(r"--(?:http[-_])?port[= ](\d{2,5})\b")


@dataclass(frozen=True, eq=False)
class Health:
    """Where a server says that it is well, and why that is thought."""

    port: int
    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class RoleDraft:
    """A role. ``controller``: None, nobody could be asked or nobody says a number; ``mixed``: Services that lead to others, too."""

    name: str
    found: Recognised
    selected: Selected
    controller: Controller | None
    service: str | None
    mixed: tuple[str, ...]
    ways: tuple[Way, ...]
    port: int | None
    health: Health | None
    twins: tuple[Recognised, ...] = field(default=())  # under the same labels, and recognised as the same part

    @property
    def replicas(self) -> int:
        """How many there should be, as far as anybody says; else how many there are."""
        wanted = self.controller.wanted if self.controller else None
        return len(self.found.workload.pods) if wanted is None else wanted

    @property
    def namespace(self) -> str:
        """Where its pods are."""
        return self.found.workload.namespace


def draft_roles(survey: Survey) -> list[RoleDraft]:
    """Return the roles of a cluster: engines first, then what stands before them, then what they and trainings keep things in."""
    engines = list(_of(survey, survey.of_part("engine"), "inference"))
    near = {one.namespace for one in engines}
    gateways = list(_of(survey, _gateways(survey, near), "gateway"))
    kept = [role for part, name in KEPT for role in _of(survey, survey.of_part(part), name)]
    return [*engines, *gateways, *kept]


def gateways_elsewhere(survey: Survey) -> list[Recognised]:
    """Return what stands before many platforms: gateways of namespaces that have no engine."""
    near = {one.workload.namespace for one in survey.of_part("engine")}
    return [one for one in survey.of_part("gateway") if one.workload.namespace not in near and one.known.name != PICKER]


def _gateways(survey: Survey, near: set[str]) -> list[Recognised]:
    """Return gateways beside engines; those that know models first, what only picks an endpoint last."""
    found = [one for one in survey.of_part("gateway") if one.workload.namespace in near]
    return sorted(found, key=lambda one: (one.known.name == PICKER, one.known.name not in ROUTERS))


def _of(survey: Survey, found: Sequence[Recognised], first: str) -> Iterator[RoleDraft]:
    """Yield a role for each; the first has the name that experiments know, others their own besides. Twins share one."""
    done: set[Recognised] = set()
    names: set[str] = set()
    for one in found:
        if one in done:
            continue
        selected = selector_of(one.workload, survey.workloads)
        twins = [other for other in found if other is not one and other.workload in selected.others]
        done |= {one, *twins}
        name = first if not names else f"{first}-{one.workload.name}"
        name = name if name not in names else f"{name}-{one.workload.namespace}"
        names.add(name)
        yield _role(survey, name, one, selected, twins)


def _role(survey: Survey, name: str, found: Recognised, selected: Selected, twins: Sequence[Recognised]) -> RoleDraft:
    port = users_port(found)
    leading = survey.routes.services_of(found.workload)
    return RoleDraft(
        name=name,
        found=found,
        selected=selected,
        controller=None if selected.others else _controller(survey, found),
        service=routes.name(leading[0]) if leading else None,
        mixed=tuple(_mixed(survey, found, leading)),
        ways=tuple(way._replace(url=way.url + found.path) for way in ways_in(survey.routes, found.workload, port)),
        port=port,
        health=health_of(found, port),
        twins=tuple(twins),
    )


def _controller(survey: Survey, found: Recognised) -> Controller | None:
    """Return who makes its pods; None: nobody does, says a number, or may be read."""
    try:
        controllers = found_by_owner(survey.cluster.platform, found.workload.namespace, [found.workload.sample])
    except ApiException as error:
        survey.reader.note(error, "get", "controllers of pods", "", found.workload.namespace)
        return None
    return controllers[0] if controllers else None


def _mixed(survey: Survey, found: Recognised, services: Iterable[Plain]) -> Iterator[str]:
    """Yield, for each of its Services that leads to other workloads too, a sentence."""
    for service in services:
        others = [one for one in survey.workloads if one is not found.workload and routes.leads_to(service, one)]
        if others:
            yield f"Service {routes.name(service)} leads to {' and '.join(map(str, others))}, too"


def users_port(found: Recognised) -> int | None:
    """Return the port on which a workload's users ask: as its command line says, else the one its kind has, else the first declared."""
    container = found.workload.container
    line = " ".join([*(container.command or []), *(container.args or [])])
    if said := PORT.search(line):
        return int(said[1])
    declared = ports_of(found.workload)
    usual = next((one.known.port for one in found.same_part if one.known.port), None)
    if usual in declared or not declared:
        return usual
    named = [int(one.container_port) for one in container.ports or [] if not NOT_HTTP.search(one.name or "")]
    return named[0] if named else declared[0]


def health_of(found: Recognised, port: int | None) -> Health | None:
    """Return where a workload says that it is well: by its own probes over plain HTTP, else as its kind does."""
    container = found.workload.container
    for kind, probe in (
        ("readiness", container.readiness_probe),
        ("startup", container.startup_probe),
        ("liveness", container.liveness_probe),
    ):
        asked = probe.http_get if probe else None
        number = _number(container, asked.port) if asked else None
        if asked and number and (asked.scheme or "HTTP") == "HTTP" and not asked.http_headers:
            return Health(number, asked.path or "/", f"its {kind} probe asks so")
    path = next((one.known.health for one in found.same_part if one.known.health), None)
    if path is None or port is None or container.readiness_probe:
        return None
    return Health(
        port, path, f"{found.known.name} answers there; it has no readiness probe, so Kubernetes sends it requests before it can answer"
    )


def _number(container: V1Container, port: object) -> int | None:
    if isinstance(port, int) or str(port).isdigit():
        return int(str(port))
    return next((int(one.container_port) for one in container.ports or [] if one.name == port), None)
