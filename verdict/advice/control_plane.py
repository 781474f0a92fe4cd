"""Causes in what serving needs of the control plane: while that was away, no replica was hit, and all that runs could have gone on."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import Observed
from verdict.words import count, seconds


def liveness_asks_others(seen: Observed) -> Advice | None:
    """Find replicas that their kubelets started again while nothing but the control plane was away: their liveness depends on it."""
    probe = seen.role.liveness
    if not seen.on_control_plane or not seen.unserved or not seen.own_restarts or probe is None:
        return None
    text = (
        f"A container of {seen.role.where} was started again {count(seen.own_restarts, 'time')} while nothing but the control plane was "
        f"away, and users were not served for {seconds(seen.took_s)}: its liveness probe ({probe.asks}) asks more than the replica itself"
    )
    return Advice(
        cause="liveness-asks-others", where=seen.role.where, field="spec.template.spec.containers[].livenessProbe",
        sentence=f"{text}. Let it ask what the container alone can answer, and nothing is started again while others are away.",
        explains_s=seen.took_s, sure="seen",
    )  # fmt: skip
