"""A control of Chaos Toolkit that cannot be configured, as one whose service is away."""

from __future__ import annotations


def configure_control(*_: object, **__: object) -> None:
    """Raise."""
    raise RuntimeError("the service behind this control is away")


def before_activity_control(*_: object, **__: object) -> None:
    """Would guard every activity."""
