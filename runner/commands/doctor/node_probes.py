"""``--probe-nodes``: whether a fault pod can act on each node that one may be sent to. What is started does nothing, and is removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from faults.mechanisms.node_probe import probe_nodes
from history.errors import TargetRefused
from kube.client import Platform, api_errors
from runner.commands.doctor.of_experiments import Outcome
from runner.findings import About, Finding, Kind
from runner.preflight.node_probes import may_hit
from runner.stop import Interrupted, Stop


def probed(platform: Platform, outcomes: Iterable[Outcome], run_id: str) -> Iterator[Finding]:
    """Yield on which nodes a fault pod can act. Raises TargetRefused: it was interrupted."""
    looked_at = [(one.prepared.faults, one.aimed.targets) for one in outcomes if one.prepared is not None and one.aimed is not None]
    with api_errors("look for nodes that a fault pod may be sent to", TargetRefused):
        nodes = {node for faults, targets in looked_at for node in may_hit(faults, targets, platform)}
    if not nodes:
        yield Finding(About.CLUSTER, Kind.LEFT_OUT, "no chosen experiment sends a fault pod to a node: none was probed")
        return
    stop = Stop()
    stop.install()  # an interruption ends the waiting, and the pods are removed
    try:
        took_s = probe_nodes(platform, run_id, nodes, stop.wait)
    except TargetRefused as error:
        yield from (Finding(About.CLUSTER, Kind.REFUSED, part) for part in error.parts or (str(error),))
    except Interrupted as asked:
        raise TargetRefused(f"{asked.reason}; the fault pods that were started were removed") from asked
    else:
        each = ", ".join(f"{node} after {seconds:.1f} s" for node, seconds in took_s.items())
        yield Finding(About.CLUSTER, Kind.WORKS, f"a fault pod can act on {len(took_s)} nodes: {each}")
