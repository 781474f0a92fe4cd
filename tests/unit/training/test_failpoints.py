from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workloads.training.errors import SettingsRefused
from workloads.training.failpoints import Failpoints


def test_all_conditions_must_fit() -> None:
    points = Failpoints("step@rank=1@step=3@restart=0=nan; step@rank=1@step=4=flip", rank=1, restart=0)
    assert [points.hit("step", n) for n in (2, 3, 4, 5)] == [None, "nan", "flip", None]
    assert Failpoints("step@rank=1=nan", rank=0).hit("step", 1) is None
    assert Failpoints("step@restart=0=nan", restart=1).hit("step", 1) is None
    assert Failpoints("step=nan").hit("gc.before", 1) is None


def test_memory_is_taken_and_given_back_when_there_is_enough() -> None:
    text = (
        "import re; from pathlib import Path; from workloads.training.failpoints import Failpoints\n"
        "most = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "before = most(); assert Failpoints('step=eat:256').hit('step', 1) is None; print(most() - before)"
    )
    taken = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert int(taken) >= 200 << 10  # KiB: pages that were really provided


def test_a_file_acts_once_and_only_where_it_fits(tmp_path: Path) -> None:
    (tmp_path / "step+1").write_text("@rank=1=flip\n")
    here, there = Failpoints(folder=str(tmp_path), rank=1), Failpoints(folder=str(tmp_path), rank=0)
    assert there.hit("step", 1) is None
    assert here.hit("step", 1) == "flip"
    assert here.hit("step", 2) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "nowhere=kill",
        "step=explode",
        "step@host=a=kill",
        "step@rank=x=kill",
        "save.before_shard=flip",
        "step=sleep:-1",
        "step=eat:0",
        "step=eat:all",
        "step",
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(SettingsRefused, match="failpoint"):
        Failpoints(text)
