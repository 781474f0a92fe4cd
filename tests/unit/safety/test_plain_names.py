"""Names that people chose become parts of paths and headers: none leaves its folder, none breaks a header, no two are one."""

from __future__ import annotations

from pathlib import Path

import pytest

from safety.load_process import folder_of
from safety.plain_names import LONGEST, plain_name
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import live_run

ODD = ("/tmp/x", "../../x", "..", ".", "", "a b", "a-b\r\nx-evil: 1", "ümlaut", "\ud800", "x" * 300, "x" * 299 + "y", ".hidden")  # noqa: S108


@pytest.mark.parametrize("name", ["act", "surge-of-users", "Surge_2.b", "x" * LONGEST])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize("name", ODD)
def test_any_other_becomes_one(name: str) -> None:
    plain = plain_name(name)
    assert plain.isascii()
    assert set(plain) - set("_.-") <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    assert 0 < len(plain) <= LONGEST
    assert not plain.startswith(".")
    assert plain_name(plain) == plain


def test_no_two_become_one() -> None:
    assert len({plain_name(name) for name in (*ODD, "a-b", "-tmp-x", "a\nb", "a\tb")}) == len(ODD) + 4


@pytest.mark.parametrize("activity", ODD)
def test_a_load_generators_record_stays_in_the_run_folder(activity: str, tmp_path: Path) -> None:
    run = live_run(FakeCluster(), tmp_path, {"act": []})
    assert folder_of(run, activity).resolve().parent == tmp_path.resolve() / "extra-load"
