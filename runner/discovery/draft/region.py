"""The region of a draft: the cluster, what of it may be touched, where users come in, who measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.discovery.draft.entry import Entry
from runner.discovery.draft.page import Page, flow
from runner.discovery.draft.words import count, listed
from runner.discovery.nodes import ZONES
from runner.discovery.prometheus import Found
from runner.discovery.roles import RoleDraft
from runner.discovery.selectors import selector_of
from runner.discovery.survey import Survey
from target.region import Region
from target.target import Suite, Target

CONSENT = str(Target.model_fields["consent_label"].default)
GPU = str(Region.model_fields["gpu_resource"].default)
POD_SECURITY = "pod-security.kubernetes.io/enforce"
OWN = Suite().namespace
ALTERNATIVES = 4


def write_region(page: Page, survey: Survey, roles: Sequence[RoleDraft], ways: Sequence[Entry]) -> None:
    """Write the only region."""
    with page.under("regions"), page.under("default"):
        page.key("context", survey.cluster.context)
        page.key("server", survey.cluster.server, "that is where this context leads; another server behind it is refused")
        page.comment("kubeconfig is left out: KUBECONFIG or ~/.kube/config, as it was now")
        _namespaces(page, survey, roles)
        _endpoints(page, ways)
        _prometheus(page, survey)
        _instruments(page, survey)
        _nodes(page, survey)


def touched(survey: Survey, roles: Iterable[RoleDraft]) -> list[str]:
    """Return the namespaces of engines and of gateways beside them; without any, those that a person named or works in."""
    found = dict.fromkeys(one.namespace for one in roles if one.found.part in {"engine", "gateway"})
    return list(found) or list(survey.only) or [survey.cluster.namespace]


def _namespaces(page: Page, survey: Survey, roles: Sequence[RoleDraft]) -> None:
    page.decide(f"which namespaces may be hit. Each must also consent: kubectl label namespace NAME {CONSENT}")
    found = touched(survey, roles)
    with page.under("namespaces"):
        for name in found:
            inside = [one.name for one in roles if one.namespace == name]
            page.because(f"it has {listed(inside) or 'no role as yet'}; {_consents(survey, name)}")
            page.item(name)
        for name in sorted({one.namespace for one in roles} - set(found)):
            page.comment(f"- {flow(name)}  has {listed(one.name for one in roles if one.namespace == name)}; {_consents(survey, name)}")


def _consents(survey: Survey, name: str) -> str:
    labels = (survey.namespaces.get(name, {}).get("metadata") or {}).get("labels") or {}
    key, _, value = CONSENT.partition("=")
    said = "it consents already" if labels.get(key) == value else "it does not consent yet"
    level = labels.get(POD_SECURITY)
    return f"{said}; Pod Security {level}" if level else said


def _endpoints(page: Page, ways: Sequence[Entry]) -> None:
    if not ways:
        page.question("where do users come in? Nothing that leads to an engine was found. As they reach it, from where the suite runs:")
        page.aside(["endpoints: {inference: https://llm.example.org}"])
        return
    way, role = ways[0]
    page.decide("is this where users come in?")
    page.because(f"{way.reason} (role {role.name})")
    if way.question:
        page.question(way.question)
    for other in ways[1 : 1 + ALTERNATIVES]:
        page.comment(f"or {other.way.url}: {other.way.reason} (role {other.role.name})")
    page.key("endpoints", {"inference": way.url})


def _prometheus(page: Page, survey: Survey) -> None:
    for one in survey.prometheus:
        if one.url and one.of_here:
            _write_prometheus(page, one)
            return
    page.question(_why_none(survey))
    way = next((way for one in survey.prometheus for way in one.ways), None)
    url = "https://prometheus.example.org" if way is None else "http://127.0.0.1:9090" if way.inside else way.url
    if way is not None and way.inside:
        page.comment(f"{way.question}; then:")
    page.aside(
        [f"prometheus: {flow({'url': url})}", "# auth: {bearer_env: PROM_TOKEN}; headers: {X-Scope-OrgID: {env: TENANT}}; ca_file: ca.pem"]
    )


def _write_prometheus(page: Page, found: Found) -> None:
    ours = found.engines.by_workload or found.scraped.by_workload
    page.because(f"{found.match.known.name} ({found.workload}) answered there and has series of {listed(map(str, ours))}")
    if gauges := sorted({one["__name__"] for one in found.engines.ours if "__name__" in one}):
        page.because(f"of gauges of engines it has {listed(gauges)}")
    labels = found.engines.cluster or found.scraped.cluster
    if labels:
        page.because(f"it has series of another cluster, too ({(found.engines if found.engines.foreign else found.scraped).shown})")
    if not found.engines.by_workload:
        page.question("it has no gauge of a known engine: does it scrape the engines? Without it no queue is asked for")
    if found.match.known.remark and not labels:
        page.comment(found.match.known.remark)
    page.key("prometheus", {"url": found.url, **({"labels": labels} if labels else {})})


def _why_none(survey: Survey) -> str:
    """Return why the draft names no Prometheus. Left out, what needs it is not asked."""
    if not survey.prometheus:
        where = "; is it in another namespace? Name that, too: --namespace" if survey.only else ""
        return (
            f"where is Prometheus? None was found in what may be read{where}. Left out: what needs it is not asked, and the report says so"
        )
    one = survey.prometheus[0]
    if one.of_elsewhere:
        whose = one.engines if one.engines.foreign else one.scraped
        return (
            f"is {one.match.known.name} ({one.workload}) another cluster's? It has no series of any pod here, but of {whose.shown}. "
            "Name the Prometheus of this cluster, or the labels that tell it apart"
        )
    if one.answered:
        found = "has series of pods here" if one.of_here else "has no series of pods by which to tell whose it is"
        return f"how is {one.match.known.name} ({one.workload}) reached from here? Through the API server it answers, and {found}"
    said = "; ".join(one.errors[:2]) or "no Service leads to it"
    return f"how is {one.match.known.name} ({one.workload}) reached? It did not answer: {said}"


def _instruments(page: Page, survey: Survey) -> None:
    """Write what measurements depend on: never touched, nor the nodes on which it runs."""
    found = [(one.workload, selector_of(one.workload, survey.workloads).selector) for one in survey.prometheus]
    if not any(selector for _, selector in found):
        return
    page.because("measurements depend on these: neither they nor their nodes are ever touched")
    with page.under("instruments"):
        for workload, selector in found:
            if selector:
                page.item({"namespace": workload.namespace, "selector": selector})


def _nodes(page: Page, survey: Survey) -> None:
    nodes = survey.nodes
    if not nodes.count:
        page.question("zones and accelerators are unknown, since nodes may not be read; zone_label and gpu_resource are the usual ones")
        return
    zones = ", ".join(f"{name}: {count(number, 'node')}" for name, number in nodes.zones.items())
    page.because(f"of {count(nodes.count, 'node')}: {zones or 'none carries a zone, so no zone can be lost'}")
    page.key("zone_label", nodes.zone_label)
    if nodes.zone_label != ZONES[0]:
        page.comment("this label is deprecated")
    devices = ", ".join(f"{number} {name}" for name, number in nodes.devices.items())
    page.because(devices or "no node offers an accelerator that is known; this is the usual one")
    page.key("gpu_resource", next(iter(nodes.devices), GPU))
    page.comment("machines and gpus are left out: no cluster says how its nodes are switched off. Nodes are then lost by fault pods")
