"""When to stop a run, and when not to begin one, as people write it for their platform.

Models of the target file and of experiments; who asks is :mod:`runner.run.abort.conditions` and :mod:`runner.preflight.blackouts`.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from history.values import Written

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Berlin or UTC") from None


def _clock(value: object) -> object:
    """Return the time of day that was written: YAML 1.1 reads 22:00 as the number 1320, to the base of 60, and 1:00:00 as 3600.

    A number that no colon made is refused: 8 would be eight seconds after midnight, and 22.00 would be 22.
    """
    if isinstance(value, str):
        return f"0{value}" if SHORT.fullmatch(value) else value
    if isinstance(value, bool | float) or (isinstance(value, int) and value < MINUTE_S):
        raise ValueError(f"{value!r} is no time of day; write one such as 08:30")
    if not isinstance(value, int):
        return value
    seconds = value * 60 if value < HOUR_S else value  # 24:00 is no time of day, and not 00:24:00 either
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError(f"{value} names a time zone; write it as timezone")
    return value


MINUTE_S, HOUR_S = 60, 3600
SHORT = re.compile(r"\d:\d\d(:\d\d)?")  # 8:30, in quotes
Clock = Annotated[time, BeforeValidator(_clock), AfterValidator(_local)]


class StopWhen(Written):
    """A stop condition: a PromQL expression, or the error ratio of a bystander service; each is asked once a second.

    An expression is a vector, whose largest value counts, or a scalar.
    """

    promql: str | None = Field(default=None, min_length=1)
    bystander: str | None = Field(default=None, pattern=r"^https?://.+")  # a URL; an answer below 500 is a good one
    above: float = Field(ge=0)  # the expression's value, or the ratio of errors (0 to 1)
    window_s: float = Field(default=10.0, ge=2, le=300)  # of the ratio; also how long the condition may be blind before the run stops

    @model_validator(mode="after")
    def _asks_one_thing(self) -> StopWhen:
        """Demand a PromQL expression or a bystander."""
        if (self.promql is None) == (self.bystander is None):
            raise ValueError("a stop condition has promql or bystander, one of them")
        if self.bystander is not None and self.above >= 1:
            raise ValueError(f"above: {self.above:g} errors of all can't be exceeded; write a share below 1 such as 0.2")
        return self


class Blackout(Written):
    """A stretch of time in which no run may begin or still be going on: every day, on some days, or on dates."""

    why: str = Field(min_length=1)
    start: Clock
    end: Clock  # of the next day, if it is not after ``start``
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    dates: tuple[date, ...] = ()  # instead of days
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    def overlap(self, begin: datetime, end: datetime) -> tuple[datetime, datetime] | None:
        """Return the first stretch of this window (start, end) that meets ``begin`` to ``end`` (aware), or None."""
        zone = ZoneInfo(self.timezone)
        day = begin.astimezone(zone).date() - timedelta(days=1)  # it may have begun yesterday
        while day <= end.astimezone(zone).date():
            if self._on(day):
                opens = datetime.combine(day, self.start, zone)
                closes = datetime.combine(day + timedelta(days=self.end <= self.start), self.end, zone)
                if opens < end and closes > begin:
                    return opens, closes
            day += timedelta(days=1)
        return None

    def _on(self, day: date) -> bool:
        return day in self.dates if self.dates else DAYS[day.weekday()] in self.days
