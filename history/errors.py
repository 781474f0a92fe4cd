"""The root of every error that Aftershock raises on purpose.

AftershockError
├── ConfigError        a file that a person wrote is wrong: exit 11, nothing was injected
├── TargetRefused      the target, its state or its permissions forbid the run: exit 11, nothing was injected
├── FaultFailed        a fault could not be injected
├── UndoFailed         a fault could not be undone
├── NoData             a probe saw nothing, or nothing fresh: never a pass
├── HistoryError       a stored run cannot be read
└── NightsError        where earlier nights are kept cannot be read or written
"""

from __future__ import annotations


class AftershockError(Exception):
    """An error whose text is a sentence for a person: what, where, observed, expected, next step."""


class ConfigError(AftershockError):
    """A file that a person wrote is wrong."""


class TargetRefused(AftershockError):
    """The target, its state or its permissions forbid the run.

    ``risks``: weaknesses of the platform that the refusal itself shows, as sentences for the report. ``parts``: what stands against the
    run, where that is more than one thing, a sentence each.
    """

    def __init__(self, text: str, risks: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.risks = risks
        self.parts = parts


class FaultFailed(AftershockError):
    """A fault could not be injected."""


class UndoFailed(AftershockError):
    """A fault could not be undone."""


class NoData(AftershockError):
    """A probe saw nothing, or nothing fresh."""


class HistoryError(AftershockError):
    """A stored run cannot be read."""


class NightsError(AftershockError):
    """Where earlier nights are kept cannot be read or written; what this session measured is not touched by that."""
