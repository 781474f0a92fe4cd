"""The roles of a draft, and what plays no role as yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probes.prometheus.answer import Labels
from runner.discovery.draft.page import Page, flow
from runner.discovery.draft.words import count, listed
from runner.discovery.known.stores import SENTINEL
from runner.discovery.roles import RoleDraft, gateways_elsewhere
from runner.discovery.selectors import selector_of
from runner.discovery.series import namespace_label
from runner.discovery.survey import Recognised, Survey
from target.engines import ENGINES, recognised
from target.role import KINDS


def write_roles(page: Page, survey: Survey, roles: Sequence[RoleDraft]) -> None:
    """Write every role that was found; what was not found is asked for."""
    if not roles:
        page.question("what serves, trains, stores? Nothing that is known was found in what may be read. A role:")
        page.aside(["inference: {namespace: NAMESPACE, selector: app=NAME, container: NAME, health: {port: 8000, path: /health}}"])
        page.key("roles", {})
        return
    with page.under("roles"):
        for role in roles:
            _head(page, role)
            with page.under(role.name):
                _keys(page, survey, role)
        _not_found(page, survey, roles)


def _head(page: Page, role: RoleDraft) -> None:
    page.because(f"{role.found.workload} is {role.found.names}: {listed(role.found.reasons)}")
    for remark in role.found.remarks:
        page.comment(remark)
    for text in role.mixed:
        page.comment(f"{text}: a request may meet another role's pods")
    if role.replicas < 2:
        page.comment("one replica: a single point of failure. Faults that would take it are refused unless the experiment allows it")


def _keys(page: Page, survey: Survey, role: RoleDraft) -> None:
    page.key("namespace", role.namespace)
    _selector(page, role)
    _controller(page, role)
    if role.service:
        page.key("service", role.service)
    page.key("container", role.found.workload.container.name)
    if role.health:
        page.key("health", {"port": role.health.port, "path": role.health.path}, role.health.reason)
    if role.found.part == "engine":
        _engine(page, survey, role)
    if role.found.part == "features":
        _features(page, role)


def _selector(page: Page, role: RoleDraft) -> None:
    pods = count(len(role.found.workload.pods), "pod")
    if role.selected.others:
        others = " and ".join(map(str, role.selected.others))
        page.question(
            f"pods of {others} carry the same labels: no selector tells them apart from {role.found.workload}. This role is all. "
            "Label their pods apart, then make a role of each"
        )
    elif not role.selected.selector:
        page.question(f"its {pods} carry no label that lasts: give them one")
    else:
        page.because(f"it selects these {pods} and no others of the namespace")
    name = role.found.workload.name
    page.key("selector", role.selected.selector or f"app={name}")


def _controller(page: Page, role: RoleDraft) -> None:
    if role.selected.others:
        page.comment("controller is left out: whoever owns these pods is found, and all count together")
        return
    maker = role.controller.reference if role.controller else role.found.workload.maker
    if maker is None:
        page.question("nobody makes these pods again when they are gone: is that meant? replicas is how many there are")
        page.key("replicas", len(role.found.workload.pods))
    elif maker.kind in KINDS and KINDS[maker.kind].group == maker.api_version.rpartition("/")[0]:
        wanted = role.controller.wanted if role.controller else None
        unit = f" in groups of {role.controller.size}" if role.controller and role.controller.size > 1 else ""
        page.because("it owns the pods" if wanted is None else f"it owns the pods, and wants {count(wanted, 'pod')}{unit}")
        page.key("controller", {"kind": maker.kind, "name": maker.name})
    elif role.controller is not None:
        page.comment(f"controller is left out: {maker} owns the pods and is found by that; it wants {role.controller.wanted}")
    else:
        page.question(f"{maker} makes these pods and says no number that is known: how many should there be?")
        page.key("replicas", len(role.found.workload.pods))


def _engine(page: Page, survey: Survey, role: RoleDraft) -> None:
    adapters = {one.adapter for one in (role.found, *role.twins)}
    adapter = role.found.adapter
    if len(adapters) > 1:
        page.question(f"these are different engines ({', '.join(sorted(one or 'unknown' for one in adapters))}): adapter is left out")
    elif adapter:
        process = ENGINES[adapter].process
        worker = f"the process {process!r}" if process else "the container's first process, which engine-killed cannot end"
        page.key(
            "adapter", adapter, f"the suite then knows its gauges, and that its engine is {worker}; another one: process: {{match: …}}"
        )
    else:
        _gauge(page, role)
    if label := namespace_label(_series(survey, role), role.namespace):
        page.key("metrics", {"labels": label}, "its series in Prometheus name the namespace so")
    if not adapter:
        page.question("which process is the engine? Faults on it need: process: {match: a part of its command line}")


def _gauge(page: Page, role: RoleDraft) -> None:
    """Write the gauge of waiting requests of an engine that is known by nothing else."""
    waiting = [name for name in recognised(role.found.metrics) if any(name in one.waiting for one in ENGINES.values())]
    if waiting:
        page.key("metrics", {"queue": waiting[0]}, f"it has {listed(waiting)}, and not all that an engine with that gauge has")
    else:
        page.question("which gauge says how many requests wait? metrics: {queue: NAME}")


def _series(survey: Survey, role: RoleDraft) -> list[Labels]:
    return [one for found in survey.prometheus for one in found.engines.by_workload.get(role.found.workload, ())]


def _features(page: Page, role: RoleDraft) -> None:
    if role.found.known.name == SENTINEL:
        page.comment("Sentinel moves the primary: a fault of one Redis is a failover")
    page.question("does it keep features? A cache or a queue has other budgets")


def _not_found(page: Page, survey: Survey, roles: Sequence[RoleDraft]) -> None:
    for text in _missing(survey, {one.name for one in roles}):
        page.question(text)
    decoys = list(_decoys(survey, {one.namespace for one in roles}))
    page.question(
        "is there a Deployment of two replicas on which nobody depends? As role decoy it lets the sham control run; else that is skipped"
    )
    if decoys:
        page.comment("No Service leads to these, which alone does not say that nobody depends on them:")
        page.aside(decoys)
    others = gateways_elsewhere(survey)
    if others:
        page.comment("These stand before many platforms. One that only yours uses can be the role gateway; its namespace must consent:")
        page.aside(f"gateway: {_selected(survey, one)}  # {one.workload}: {one.names}" for one in others)


def _selected(survey: Survey, one: Recognised) -> str:
    return flow({"namespace": one.workload.namespace, "selector": selector_of(one.workload, survey.workloads).selector})


def _decoys(survey: Survey, namespaces: set[str]) -> Iterator[str]:
    """Yield, as a role, what no Service leads to: a Deployment of two replicas or more beside what is tested."""
    for one in survey.workloads:
        of_kind = one.maker is not None and one.maker.kind == "Deployment"
        known = any(one is other.workload for other in survey.recognised)
        if of_kind and not known and one.namespace in namespaces and len(one.pods) > 1 and not survey.routes.services_of(one):
            selected = selector_of(one, survey.workloads)
            if selected.selector and not selected.others:
                role = {"namespace": one.namespace, "selector": selected.selector, "controller": {"kind": "Deployment", "name": one.name}}
                yield f"decoy: {flow(role)}"


def _missing(survey: Survey, names: set[str]) -> Iterator[str]:
    if "inference" not in names:
        yield "what serves? No known engine was found in what may be read: inference: {namespace: …, selector: …}"
    if "gateway" not in names and "inference" in names:
        yield "does anything stand before the engines? No router or proxy was found beside them; experiments on gateways are skipped"
    if "storage" not in names:
        yield "where are checkpoints and weights kept? No object store was found in what may be read; a cloud's is not a role"
    if "tracking" not in names:
        yield "is there an MLflow? None was found in what may be read"
    if not survey.of_part("queue"):
        yield "do requests wait in a queue (Kafka, RabbitMQ, NATS, Redis Streams)? None was found in what may be read"
