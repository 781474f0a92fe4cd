"""Waiting for something to see."""

from __future__ import annotations

from kube.wait import until


def test_what_is_seen_is_returned_as_soon_as_it_is_true() -> None:
    seen = iter(["", "", "there", "later"])
    assert until(lambda: next(seen), 5.0, 0.0) == "there"


def test_after_its_time_what_was_seen_last_is_returned() -> None:
    looks: list[int] = []
    assert until(lambda: looks.append(1) or "", 0.0) == ""
    assert looks == [1]
