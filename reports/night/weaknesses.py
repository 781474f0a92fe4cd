"""The weaknesses that the plans of a night hold, each once, beside how the experiments ended that would prove them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from history.layout import Weakness
from history.plan import Plan
from reports.model import Experiment, NotTested
from reports.risk import Proof, ShownWeakness

NOT_RUN = "not run"


def weaknesses_of(
    plans: Iterable[Plan], experiments: Sequence[Experiment], not_tested: Sequence[NotTested]
) -> tuple[ShownWeakness, ...] | None:
    """Return what the plans say of the platform, the newest of what several say; None: in none of these runs anybody looked."""
    looked = [plan for plan in sorted(plans, key=lambda one: one.created_ns) if plan.risks is not None]
    if not looked:
        return None
    found: dict[tuple[str, str, str], Weakness] = {}
    for plan in looked:
        found |= {(one.role, one.where, one.name): one for one in plan.risks or ()}
    ended = {item.id: str(item.kind) for item in not_tested} | {one.id: str(one.verdict) for one in reversed(experiments)}
    return tuple(_shown(one, ended) for one in found.values())


def _shown(found: Weakness, ended: dict[str, str]) -> ShownWeakness:
    proofs = tuple(Proof(experiment=name, ended=ended.get(name, NOT_RUN)) for name in found.proved_by)
    return ShownWeakness(**found.model_dump(exclude={"proved_by"}), proofs=proofs)
