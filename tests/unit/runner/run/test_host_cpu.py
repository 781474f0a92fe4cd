"""The machine under platform and suite, read from files like those of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.schema import Series
from runner.run.observer.host_cpu import TICK_S, HostCpu, Used, shares


def account(proc: Path, ticks: tuple[int, ...], waited_us: int | None = None) -> None:
    (proc / "stat").write_text(f"cpu  {' '.join(map(str, ticks))} 0 0\ncpu0 1 2 3\n")
    if waited_us is not None:
        (proc / "pressure").mkdir(exist_ok=True)
        (proc / "pressure" / "cpu").write_text(f"some avg10=1.00 avg60=1.00 avg300=1.00 total={waited_us}\nfull total=0\n")


def test_others_are_what_neither_the_platform_nor_low_priority_work_used() -> None:
    before = Used(at_s=0.0, total_s=100.0, idle_s=50.0, low_s=10.0, platform_s=20.0, waited_s=5.0)
    now = Used(at_s=1.0, total_s=102.0, idle_s=50.1, low_s=10.4, platform_s=20.5, waited_s=5.9)
    found = shares(before, now)
    assert found[Series.MACHINE_IDLE] == pytest.approx(0.05)
    assert found[Series.MACHINE_OTHERS] == pytest.approx(0.5)
    assert found[Series.MACHINE_PRESSURE] == pytest.approx(0.9)
    assert shares(now, now) == {}


@pytest.mark.parametrize("version", [1, 2])
def test_it_is_read_from_the_kernels_account_with_either_version_of_control_groups(tmp_path: Path, version: int) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    folder = groups / "cpuacct" / "mine" if version == 1 else groups / "mine"
    proc.mkdir()
    folder.mkdir(parents=True)

    def platform_used(seconds: float) -> None:
        text = str(int(seconds * 1e9)) if version == 1 else f"usage_usec {int(seconds * 1e6)}\nuser_usec 1\n"
        (folder / ("cpuacct.usage" if version == 1 else "cpu.stat")).write_text(text)

    machine = HostCpu("mine", proc, groups)
    account(proc, (100, 0, 0, 100, 0, 0, 0, 0))
    platform_used(1.0)
    assert machine.sample() == {}  # nothing to compare with
    account(proc, (160, 20, 0, 120, 0, 0, 0, 0), waited_us=10)
    platform_used(1.0 + 20 * TICK_S)
    found = machine.sample()
    assert found[Series.MACHINE_IDLE] == pytest.approx(0.2)
    assert found[Series.MACHINE_OTHERS] == pytest.approx(0.4)
    assert Series.MACHINE_PRESSURE not in found  # it began to be kept only now


def test_a_platform_that_is_not_on_this_machine_is_not_accounted_for(tmp_path: Path) -> None:
    account(tmp_path, (1, 1, 1, 1, 1, 1, 1, 1))
    assert HostCpu("elsewhere", tmp_path, tmp_path).sample() == {}
