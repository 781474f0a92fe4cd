"""Values as people write them, durations and shares, and the bases of the models of files: of people's, and of a run folder's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def parse_duration(value: object) -> float:
    """Return seconds of ``30s``, ``5m``, ``1h30m``, ``250ms`` or a plain number of seconds.

    Raises:
        ValueError: anything else.

    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:  # not negative, not endless, not nan
        return float(value)
    match = DURATION.fullmatch(str(value).strip())
    if not match or not any(match.groups()):
        raise ValueError(f"{value!r} is not a duration; write 30s, 5m, 1h30m or 250ms")
    return sum(float(part or 0) * scale for part, scale in zip(match.groups(), (3600, 60, 1, 0.001), strict=True))


def parse_share(value: object) -> float:
    """Return 0.99 of ``99%`` or of 0.99. Raises ValueError: not a share between 0 and 1."""
    text = str(value).strip()
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"{value!r} is not a share; write 99% or 0.99")
    return share


Seconds = Annotated[float, BeforeValidator(parse_duration)]
Share = Annotated[float, BeforeValidator(parse_share)]


class StrictCopy(BaseModel):
    """A model that is strict where pydantic is not: its copies have its own fields and no others, and a truth value is no number."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with the fields of ``update`` changed. Raises TypeError: it has no such field."""
        known = type(self).model_fields
        if unknown := [name for name in update or {} if name not in known]:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(unknown)}; it has {', '.join(known)}")
        return super().model_copy(update=update, deep=deep)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - what a file says
        """Refuse ``on``, ``yes`` and ``no`` for a number, which pydantic takes for 1 and 0."""
        if not isinstance(value, bool):
            return value  # nearly always, and a report has tens of thousands of fields
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if kinds & {int, float} and bool not in kinds:
            raise ValueError("a number is needed; YAML reads yes, no, on and off as truth values")
        return value


class Written(StrictCopy):
    """Base of models of files that people write: every unknown key is an error, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _kinds(annotation: object) -> set[object]:
    """Return a type, and those that it is a union of."""
    return {annotation}.union(*(_kinds(part) for part in get_args(annotation) if isinstance(part, type)))


class FrozenModel(StrictCopy):
    """Base of all models of a run folder: frozen, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")  # null could not be read back as a number
