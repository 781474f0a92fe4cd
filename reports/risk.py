"""What a report says of the platform beside its verdicts: weaknesses that were seen and not tested."""

from __future__ import annotations

from history.values import FrozenModel


class Risk(FrozenModel):
    """A weakness of the platform that was seen and not tested: what it is, why it was not, what would allow it."""

    sentence: str
    experiments: tuple[str, ...]  # whose refusal showed it
