"""The virtual machine's command line and page, and when the command says that something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.campaigns.alone import page as alone
from bench.cgroup2 import __main__ as command
from bench.cgroup2 import machine, packages, page, speed
from bench.cgroup2.machine import EMULATED, KVM, Machine
from bench.common.tables import Row
from cluster.errors import ClusterError
from tests.unit.bench.test_alone import WELL

MADE = Machine(Path("/boot/vmlinuz-6.1"), Path("/o/initramfs.gz"), Path("/o"), 8192, 2, (KVM, EMULATED))
ABOUT: Row = {"slower_by": 12.5, "accelerator": "tcg", "kernel": "6.1", "controllers": ["cpu", "memory"], "wrong": []}
STEPS: list[Row] = [ABOUT | {"step": name, "seconds": 9.0, "limit_s": 20.0} for name in page.STEPS]


def test_the_machine_s_root_is_read_only_and_one_folder_is_not() -> None:
    words = machine.command(MADE)
    shares = [words[at + 1] for at, word in enumerate(words) if word == "-fsdev"]
    assert [share for share in shares if "path=/," in share] == [share for share in shares if "readonly=on" in share]
    assert any("path=/o," in share and "readonly" not in share for share in shares)


def test_both_accelerators_are_offered_in_order() -> None:
    words = machine.command(MADE)
    assert [words[at + 1] for at, word in enumerate(words) if word == "-accel"] == [KVM, EMULATED]


@pytest.mark.parametrize(
    ("there", "boots", "chosen"), [(False, True, (EMULATED,)), (True, False, (EMULATED,)), (True, True, (KVM, EMULATED))]
)
def test_kvm_is_taken_only_where_a_kernel_gets_anywhere_under_it(
    there: bool, boots: bool, chosen: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.os, "access", lambda *_: there)
    monkeypatch.setattr(machine, "boots", lambda tried: boots and tried.accelerators == (KVM,))
    assert machine.accelerators_of(MADE) == chosen


def test_without_a_kernel_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[str] = []
    monkeypatch.setattr(packages, "BOOT", tmp_path)
    monkeypatch.setattr(packages.packages, "ensure", lambda _say, those: wanted.extend(one.name for one in those))
    with pytest.raises(ClusterError, match=r"linux-image-amd64"):
        packages.ensure(lambda _: None)
    assert wanted[-1] == "linux-image-amd64"


def test_a_slower_machine_is_never_taken_for_a_faster_one() -> None:
    assert speed.slower_by(2.6, 0.2) == 13
    assert speed.slower_by(0.1, 0.2) == 1


def test_the_job_runs_here_with_what_was_measured() -> None:
    script = command.job("tcg", 0.25, 600)
    assert "bench.cgroup2.job /run/aftershock-out 0.2500 600" in script
    assert "export ACCELERATOR=tcg" in script


def test_a_step_or_a_fault_that_is_missing_or_wrong_counts() -> None:
    faults = [WELL | {"fault": name} for name in alone.trials()]
    assert not page.missed([*STEPS, *faults])
    assert page.missed([*STEPS[:-1], *faults])
    assert page.missed([*STEPS, *faults[1:]])
    assert page.missed([*STEPS, *faults, STEPS[-1] | {"wrong": ["mounts: /x"]}])


def test_the_page_has_each_figure_beside_its_bound() -> None:
    text = page.page([*STEPS, WELL])
    assert "Kernel 6.1, accelerator tcg, 12.5 times slower" in text
    assert "| down leaves nothing | 9.0 | 20.0 | as it must be |" in text
    assert "`faults.pods.kill`" in text
