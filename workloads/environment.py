"""Settings of a server of the platform, read once from environment variables: a field's name in capitals."""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)


class SettingRefused(ValueError):
    """An environment variable holds something that the setting can't be."""


def read_settings(of: "type[Settings]", environment: Mapping[str, str]) -> "Settings":
    """Return the settings in ``environment``; what is not set keeps its default. Raises SettingRefused.

    ``of``: a dataclass each of whose fields has a default, of the type that its text is read as.
    """
    values: dict[str, Any] = {}
    for field in fields(of):
        name = field.name.upper()
        if name in environment:
            values[field.name] = _parse(name, environment[name], type(field.default))
    return of(**values)


def demand_positive(settings: object, *names: str) -> None:
    """Raise SettingRefused unless each of these numbers is more than 0."""
    for name in names:
        if getattr(settings, name) <= 0:
            raise SettingRefused(f"setting {name.upper()} is {getattr(settings, name)}, expected more than 0")


def demand_no_less_than_0(settings: object, *names: str) -> None:
    """Raise SettingRefused unless each of these numbers is 0 or more."""
    for name in names:
        if getattr(settings, name) < 0:
            raise SettingRefused(f"setting {name.upper()} is {getattr(settings, name)}, expected 0 or more")


def _parse(name: str, text: str, kind: type[Any]) -> object:
    try:
        return kind(text)
    except ValueError as error:
        expected = ", ".join(kind) if issubclass(kind, StrEnum) else f"a value of type {kind.__name__}"
        raise SettingRefused(f"environment variable {name} is {text!r}, expected {expected}") from error
