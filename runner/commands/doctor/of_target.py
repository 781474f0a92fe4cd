"""What can be said of a target whatever is run on it: the checks of every run, what works, and what a person should know."""

from __future__ import annotations

from functools import partial
from typing import Any

from kubernetes import client

from history.errors import TargetRefused
from kube.client import Platform, api_errors, unless_forbidden, unless_gone
from kube.versions import Version, has_policies, missing_in, parsed
from runner.commands import admission_policy
from runner.commands.doctor.of_prometheus import about_prometheus
from runner.commands.doctor.of_roles import about_roles
from runner.findings import About, Check, Finding, Findings, Kind
from runner.preflight import health_ways
from runner.preflight.checks import server_version
from runner.preflight.platform_health import Before
from runner.preflight.vanished import namespace_is_there
from runner.run import asked
from safety.blast_radius import against_namespace
from safety.leases import alive_runs


def ask_target(platform: Platform, findings: Findings) -> Before | None:
    """Ask what preflight asks of every target, and keep besides what works and what a person should know; return the platform's state."""
    version = findings.ask(About.CLUSTER, lambda: server_version(platform)) or ""
    where = f"context {platform.region.context} leads to {platform.region.server}, Kubernetes {version}"
    findings.note(About.CLUSTER, [where], Kind.WORKS)
    known = parsed(version)
    findings.note(About.CLUSTER, missing_in(known) if known else (), Kind.LEFT_OUT)
    _ask_each(asked.FIRST, platform, findings)
    for look in (_namespaces, _at_work, partial(_policy, version=known)):
        findings.note(About.CLUSTER, findings.ask(About.CLUSTER, partial(look, platform)) or ())
    gone = any(refusal.about is About.ROLES for refusal in findings.refusals)  # whoever looks at its pods would say the same again
    unasked = {} if gone else findings.ask(About.ROLES, lambda: health_ways.try_ways(platform)) or {}
    findings.note(About.ROLES, unasked.values(), Kind.LEFT_OUT)
    _ask_each(asked.THEN, platform, findings)
    before = None if gone else asked.ask_health(platform, findings)
    for about, say in ((About.ROLES, about_roles), (About.PROMETHEUS, about_prometheus)):
        findings.notes += findings.ask(about, partial(_listed, say, platform)) or [] if not gone else []
    return before


def _ask_each(checks: tuple[Check, ...], platform: Platform, findings: Findings) -> None:
    """Ask checks one by one, and note which stand. Where the target has no Prometheus, or no instruments, none is asked for."""
    there = {About.PROMETHEUS: platform.region.prometheus is not None, About.INSTRUMENTS: bool(platform.region.all_instruments)}
    for check in checks:
        refused = len(findings.refusals)
        asked.ask_all([check], platform, findings)
        if len(findings.refusals) > refused:
            continue
        missing = not there.get(check.about, True)
        text = "the target file names none: whatever needs one is left out" if missing else check.works
        findings.note(check.about, [text], Kind.LEFT_OUT if missing else Kind.WORKS)


def _listed(say: Any, platform: Platform) -> list[Finding]:  # noqa: ANN401 - a generator function
    return list(say(platform))


def _namespaces(platform: Platform) -> list[str]:
    """Return the namespaces of the target file that are not there, or have not consented."""
    target, said = platform.target, []
    roles = {role.namespace for role in target.roles.values()} | {one.namespace for one in platform.region.all_instruments}
    for name in sorted({*platform.region.namespaces, *roles}):
        if not namespace_is_there(platform, name):
            used = ", ".join(role for role, one in target.roles.items() if one.namespace == name)
            whose = f"roles {used}" if used else "no role"
            said.append(f"namespace {name} is not there ({whose}); correct it in the target file, or leave out what is gone")
        elif name in platform.region.namespaces:
            said += _unconsented(platform, name)
    return said


def _unconsented(platform: Platform, name: str) -> list[str]:
    with api_errors(f"namespace {name}", TargetRefused):
        read: Any = unless_forbidden(lambda: platform.core.read_namespace(name), None)
    if read is None:
        return []
    return against_namespace(platform.target, platform.region_name, name, {name: dict(read.metadata.labels or {})}, "what faults may touch")


def _at_work(platform: Platform) -> list[str]:
    """Return that a run is going on: what is found may be its doing."""
    return [f"run {name} is at work on this target now; what follows may be its doing" for name in sorted(alive_runs(platform))]


def _policy(platform: Platform, version: Version | None) -> list[str]:
    """Return that nothing holds the suite's accounts to its own shapes, where that can be known."""
    if version is not None and not has_policies(version):
        return []
    name = admission_policy.manifests(platform.target)[0]["metadata"]["name"]
    api = client.AdmissionregistrationV1Api(platform.api)
    with api_errors(f"look for the admission policy {name}", TargetRefused):
        there = unless_gone(lambda: unless_forbidden(lambda: bool(api.read_validating_admission_policy(name)), otherwise=True))
    said = f"no admission policy {name} holds the suite's service account to what the suite itself makes"
    return [] if there is not None else [f"{said}; make one: python -m runner policy --target FILE | kubectl apply -f -"]
