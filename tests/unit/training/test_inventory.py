"""What a replica lacks, and what would be lost with its source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workloads.storage.inventory import UNREADABLE, Entry, compare
from workloads.storage.replicate import sentence

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _entry(age_s: float, sha256: str = "a", size: int = 10) -> Entry:
    return Entry(size, sha256, NOW - timedelta(seconds=age_s))


SOURCE = {"a": _entry(100), "b": _entry(60), "c": _entry(5)}


def test_the_same_is_the_same_and_its_lag_is_known() -> None:
    found = compare(SOURCE, {key: Entry(e.bytes, e.sha256, e.stored + timedelta(seconds=3)) for key, e in SOURCE.items()}, NOW)
    assert found.equal
    assert (found.objects, found.bytes, found.rpo_s, found.lags_s) == (3, 30, 0.0, (3.0, 3.0, 3.0))
    assert "the same; RPO of the replica 0.0 s; lag 3.0 s at the median, 3.0 s at most" in sentence(found)


@pytest.mark.parametrize(
    ("replica", "rpo_s"),
    [
        ({}, 100),
        ({"a": _entry(99)}, 60),
        ({"a": _entry(99), "b": _entry(59)}, 5),
        ({"a": _entry(99, "other"), "b": _entry(59), "c": _entry(4)}, 100),
        ({"a": _entry(99, size=9), "b": _entry(59), "c": _entry(4)}, 100),
    ],
)
def test_the_rpo_is_the_age_of_the_oldest_that_is_lacking_or_other(replica: dict[str, Entry], rpo_s: float) -> None:
    found = compare(SOURCE, replica, NOW)
    assert not found.equal
    assert found.rpo_s == rpo_s


def test_what_only_the_replica_has_is_no_loss() -> None:
    found = compare({}, {"old": _entry(1000)}, NOW)
    assert (found.extra, found.rpo_s, found.equal) == (("old",), 0.0, False)
    assert "extra 1 (old)" in sentence(found)


def test_what_the_source_itself_cannot_read_is_never_the_same() -> None:
    broken = {"a": _entry(9, UNREADABLE)}
    assert compare(broken, broken, NOW).differing == ("a",)
