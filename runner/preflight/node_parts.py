"""What the nodes under the platform are: a claim that was proven on other ones is proven no more (:mod:`nights.claims`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kube.node_state import NodeState


def node_parts(nodes: Mapping[str, NodeState]) -> dict[str, str]:
    """Return ``node image`` and ``gpu driver`` of nodes, each once; what they do not say is left out."""
    found = {"node image": _joined(one.image for one in nodes.values()), "gpu driver": _joined(one.driver for one in nodes.values())}
    return {what: said for what, said in found.items() if said}


def _joined(values: Iterable[str]) -> str:
    return "; ".join(sorted({value for value in values if value}))
