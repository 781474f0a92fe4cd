"""Who is told how a session ended. Secrets are read from the environment before anything runs, and are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes a POST of JSON. It may be a secret by itself, so neither it nor the headers are shown."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Grafana:
    """Where annotations go. ``panel`` is one of ``dashboard``; None: all of it. Without a dashboard they are the organization's."""

    url: str
    token: str = field(repr=False)
    dashboard: str = ""
    panel: int | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What was asked for; nothing by default. ``link`` is where people find the report."""

    github: bool = False
    webhook: Webhook | None = None
    grafana: Grafana | None = None
    link: str = ""

    @property
    def wanted(self) -> bool:
        """Whether anybody is told at all."""
        return self.github or self.webhook is not None or self.grafana is not None


NOBODY = Sending()
