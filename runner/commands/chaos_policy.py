"""The part of the admission policy for Chaos Mesh: the suite's accounts make the chaos objects that the suite makes, and no others."""

from __future__ import annotations

from collections.abc import Iterator

from faults.mechanisms import chaos_mesh
from kube.chaos_mesh.chaos import GROUP, NETWORK, POD
from runner.commands.cel import Rule, cel, labelled, placed, quoted
from target.target import Target

ANY = "*"


def chaos_objects(target: Target) -> Iterator[tuple[str, tuple[str, str], list[str], list[Rule]]]:
    """Yield the policy for all that Chaos Mesh serves, where the target's region has it: made by :mod:`faults.mechanisms.chaos_mesh`."""
    region = target.only_region()
    if region.chaos_mesh is None:
        return
    kind, spec = "request.resource.resource", "object.spec"
    kills = f"({kind} == {quoted(POD.plural)} && {spec}.action == 'pod-kill')"
    cuts = f"({kind} == {quoted(NETWORK.plural)} && {spec}.action == 'partition' && has({spec}.duration))"
    by_name = f"has({spec}.selector.pods) && {spec}.selector.pods.all(one, one in {cel(region.namespaces)}) && !has({spec}.target)"
    yield (
        "chaos",
        (GROUP, ANY),
        ["CREATE", "UPDATE"],
        [
            *placed(target.suite.namespace, "chaos objects"),
            ("request.operation == 'CREATE'", "a chaos object is never changed"),
            (labelled(chaos_mesh.MANAGED), "a chaos object must be labelled as the suite's"),
            (f"{kills} || {cuts}", "a chaos object kills pods, or cuts them off for a time"),
            (by_name, f"a chaos object acts on pods by name, in {', '.join(region.namespaces)}"),
        ],
    )
