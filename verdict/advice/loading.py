"""Causes in what a new replica loads before it serves."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import Observed
from verdict.words import count

LOST = "rpo_requests"


def unverified_weights(seen: Observed) -> Advice | None:
    """Find replicas that served by whatever weights a store gave them."""
    if not seen.by_weights or LOST not in seen.failed or not seen.wrong_by_new:
        return None
    where = seen.asked.where if seen.asked else seen.role.where
    wrong = f"{count(seen.wrong_by_new, 'wrong answer', 'wrong answers')} came from pods of {where} that started during the fault"
    return Advice(
        cause="unverified-weights", where=where, field="whether the server verifies the digest of its weights (here: WEIGHTS_CHECK=digest)",
        sentence=f"{wrong}: the server does not verify the digest of its weights; let it refuse those that have another one than the "
        "release says, where the digest does not come from the store; pods that loaded others serve by them until they are restarted.",
        explains_s=max(seen.took_s, seen.of("bad_seconds")), sure="seen",
    )  # fmt: skip
