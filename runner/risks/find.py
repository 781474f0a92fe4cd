"""All risks of a platform, of each role and of the cluster, with the experiments that would prove them."""

from __future__ import annotations

from collections.abc import Iterator

from history.layout import Layout, RoleLayout, Weakness
from runner.risks import placement, upkeep, watching  # noqa: F401 - they register
from runner.risks.proofs import Proofs
from runner.risks.registry import RISKS, Risk

ONE_SCHEDULER = "one-scheduler"
NAMES = (*(one.name for one in RISKS), ONE_SCHEDULER)
"""Every risk that is looked for, by name."""


def find_risks(layout: Layout, proofs: Proofs) -> tuple[Weakness, ...]:
    """Return the risks that ``layout`` shows, those of a role together. Roles on which nobody depends are left out.

    What two roles that are the same object show alike is named once, for the first of them.
    """
    roles = [role for role in layout.roles if role.role not in proofs.decoys]
    found: dict[tuple[str, str, str, str], Weakness] = {}
    for role, one in ((role, weakness) for role in roles for risk in RISKS if (weakness := _weakness(risk, layout, role, proofs))):
        first = found.setdefault((role.namespace, one.where, one.name, one.sentence), one)
        proved_by = tuple(dict.fromkeys((*first.proved_by, *one.proved_by)))
        found[role.namespace, one.where, one.name, one.sentence] = first.model_copy(update={"proved_by": proved_by})
    return (*found.values(), *_of_cluster(layout))


def _weakness(one: Risk, layout: Layout, role: RoleLayout, proofs: Proofs) -> Weakness | None:
    found = one.function(layout, role)
    if found is None:
        return None
    proved_by = proofs.of(one.faults, role.role)
    return Weakness(name=one.name, role=role.role, where=role.where, **found._asdict(), proved_by=proved_by)


def _of_cluster(layout: Layout) -> Iterator[Weakness]:
    """Yield that the cluster has one scheduler, where schedulers can be seen."""
    if layout.schedulers == 1:
        yield Weakness(
            name=ONE_SCHEDULER,
            where="kube-scheduler in kube-system",
            field="its number",
            says="The cluster has one scheduler.",
            costs="While it is away no new pod finds a node: what is lost meanwhile stays lost, what runs goes on.",
        )
