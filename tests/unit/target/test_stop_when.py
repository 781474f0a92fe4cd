"""Stop conditions and blackout windows, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from history.errors import ConfigError
from target.stop_when import Blackout, StopWhen
from target.target import load_target
from testing.runs.runner_parts import target_file

NIGHTLY = {"why": "backup", "start": "22:00", "end": "02:00", "timezone": "Europe/Berlin"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "end", "meets"),
    [
        ("2026-11-02T20:30", "2026-11-02T20:59", False),  # 21:30 to 21:59 in Berlin
        ("2026-11-02T20:30", "2026-11-02T21:01", True),
        ("2026-11-02T23:00", "2026-11-02T23:01", True),  # after midnight in Berlin: the window began yesterday
        ("2026-11-03T00:59", "2026-11-03T01:30", True),
        ("2026-11-03T01:00", "2026-11-03T01:30", False),
        ("2026-11-03T01:00", "2026-11-04T01:00", True),
        ("2026-07-02T19:59", "2026-07-02T20:01", True),  # summer time
        ("2026-07-02T19:30", "2026-07-02T19:59", False),
    ],
)
def test_a_window_over_midnight_in_its_own_time_zone(begin: str, end: str, meets: bool) -> None:
    assert (Blackout(**NIGHTLY).overlap(at(begin), at(end)) is not None) == meets


def test_days_and_dates_restrict_it() -> None:
    monday, tuesday = at("2026-11-02T12:00"), at("2026-11-03T12:00")
    weekly = Blackout(why="release", start="11:00", end="13:00", days=("mon",))
    assert weekly.overlap(monday, monday) or weekly.overlap(monday, at("2026-11-02T12:01"))
    assert weekly.overlap(tuesday, at("2026-11-03T12:01")) is None
    once = Blackout(why="audit", start="00:00", end="00:00", dates=("2026-11-03",))
    assert once.overlap(tuesday, at("2026-11-03T12:01"))
    assert once.overlap(monday, at("2026-11-02T12:01")) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("22:00", "22:00:00"),
        ("8:05", "08:05:00"),
        ("08:05", "08:05:00"),
        ("'8:05'", "08:05:00"),
        ("1:00:00", "01:00:00"),
        ("12:30:15", "12:30:15"),
    ],
)
def test_yaml_reads_times_of_day_as_numbers_and_they_mean_what_was_written(written: str, read: str) -> None:
    raw: dict[str, Any] = yaml.safe_load(f"{{why: x, start: {written}, end: '23:59'}}")
    assert Blackout(**raw).start.isoformat() == read


@pytest.mark.parametrize("written", ["24:00", "25:00", "59:59", "'24:00'", "8", "22.00", "on", "'22:00Z'", "'22:00+02:00'"])
def test_what_is_no_time_of_day_is_refused_and_not_taken_for_minutes_or_seconds(written: str) -> None:
    with pytest.raises(ValidationError, match="end"):
        Blackout(**yaml.safe_load(f"{{why: x, start: '20:00', end: {written}}}"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"promql": "up", "above": float("inf")},
        {"promql": "up", "above": float("nan")},
        {"promql": "up", "above": True},
        {"above": 1},
        {"promql": "up", "bystander": "http://x/", "above": 0.1},
        {"bystander": "http://x/", "above": 1},
        {"bystander": "ftp://x/", "above": 0.1},
        {"bystander": "http://x/"},
        {"promql": "up", "above": 1, "window_s": 0},
        {"promql": "up", "above": 1, "when": "always"},
    ],
)
def test_a_stop_condition_that_means_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StopWhen(**wrong)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("blackouts", [NIGHTLY | {"timezone": "Mars"}], "blackouts.0.timezone: 'Mars' is not a time zone"),
        ("blackouts", [NIGHTLY | {"days": ["monday"]}], "blackouts.0.days.0"),
        ("blackouts", [NIGHTLY | {"days": []}], "blackouts.0.days: Tuple should have at least 1 item"),
        ("blackouts", [NIGHTLY | {"days": "mon"}], r"blackouts.0.days: a list is needed, such as \[a, b\]"),
        ("stop_when", [{"above": 1}], "stop_when.0: a stop condition has promql or bystander"),
    ],
)
def test_a_target_file_with_a_wrong_guard_is_refused_with_its_key(tmp_path: Any, key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_target(target_file(tmp_path, **{key: value}))
