"""What a report says of the platform beside its verdicts: weaknesses that were seen, and whether an experiment proved them."""

from __future__ import annotations

from history.values import FrozenModel


class Risk(FrozenModel):
    """A weakness of the platform that was seen and not tested: what it is, why it was not, what would allow it."""

    sentence: str
    experiments: tuple[str, ...]  # whose refusal showed it


class Proof(FrozenModel):
    """An experiment that would prove a weakness, and how it ended here: a verdict, refused, skipped, unreadable, or not run."""

    experiment: str
    ended: str


class ShownWeakness(FrozenModel):
    """A weakness that the platform's objects showed without any fault."""

    name: str
    role: str  # empty: the cluster itself
    where: str  # the object
    field: str  # of that object
    says: str
    costs: str
    proofs: tuple[Proof, ...]  # empty: no experiment at hand would prove it
