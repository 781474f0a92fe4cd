"""Which platform was tested: images, templates, replicas, probes, disruption budgets of each role, as the runs' plans say."""

from __future__ import annotations

from collections.abc import Iterable

from history.layout import Probe, RoleLayout
from history.plan import Plan
from history.values import FrozenModel
from verdict.words import NONE, seconds


class RoleRevision(FrozenModel):
    """One role. Digests are empty and texts a dash where nobody could look."""

    role: str
    where: str
    images: str = ""  # digest of the image ids of its pods
    template: str = ""  # of its pod template
    configuration: str = ""  # of the ConfigMaps that it names
    replicas: str
    probes: str
    disruption: str


class Revision(FrozenModel):
    """One platform, and which experiments met it. ``digest`` is empty for runs that do not say."""

    digest: str
    target_file: str
    roles: tuple[RoleRevision, ...]
    experiments: tuple[str, ...]


def revisions_of(plans: Iterable[Plan]) -> tuple[Revision, ...]:
    """Return the platforms that the runs met, in their order; runs of older plans, which say nothing, are left out."""
    by_digest: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.platform or plan.layout:
            by_digest.setdefault(plan.platform_digest, []).append(plan)
    return tuple(_revision(digest, met) for digest, met in by_digest.items())


def _revision(digest: str, met: list[Plan]) -> Revision:
    plan = next((one for one in met if one.layout), met[0])
    layouts = {one.role: one for one in plan.layout.roles} if plan.layout else {}
    roles = dict.fromkeys((*layouts, *(part.partition(" of ")[2] for part in plan.platform if " of " in part)))
    return Revision(
        digest=digest,
        target_file=plan.platform.get("target file", ""),
        roles=tuple(_role(role, layouts.get(role), plan.platform) for role in roles),
        experiments=tuple(dict.fromkeys(one.experiment.id for one in met)),
    )


def _role(role: str, layout: RoleLayout | None, parts: dict[str, str]) -> RoleRevision:
    return RoleRevision(
        role=role,
        where=layout.where if layout else "",
        **{what: parts.get(f"{what} of {role}", "") for what in ("images", "template", "configuration")},
        replicas=f"{layout.ready} of {layout.wanted} ready" if layout else NONE,
        probes=_probes(layout) if layout else NONE,
        disruption=_disruption(layout) if layout else NONE,
    )


def _probes(layout: RoleLayout) -> str:
    named = (("readiness", layout.readiness), ("liveness", layout.liveness), ("startup", layout.startup))
    return "; ".join(f"{name}: {_probe(probe)}" for name, probe in named)


def _probe(probe: Probe | None) -> str:
    return f"{probe.asks}, {probe.failures} × {seconds(probe.period_s)}" if probe else "none"


def _disruption(layout: RoleLayout) -> str:
    if layout.disruption is None:
        return "could not be read"
    return "; ".join(f"{one.name}: {one.healthy} of {one.of} must stay" for one in layout.disruption) or "none"
