"""Command drivers: placeholders, time limits, and errors that say what the driver said."""

from __future__ import annotations

import sys

import pytest

from history.errors import FaultFailed, TargetRefused
from kube import machine_drivers
from target.region import CommandDriver
from testing.platform.fake_cluster import FakeCluster, local_target

PRINT = ("{python}", "-c", "import sys; print(sys.argv[1:])")


def test_placeholders_are_filled_in_every_argument() -> None:
    platform = FakeCluster().platform(local_target(machines=CommandDriver(fail=(*PRINT, "off-{node}", "{seconds}s"), repair=("true",))))
    assert machine_drivers.power_off(platform, "gpu-a", 90.0) == "['off-gpu-a', '90s']"


def test_a_gpu_has_an_index() -> None:
    platform = FakeCluster().platform(
        local_target(gpus=CommandDriver(fail=(*PRINT, "{node}", "{index}", "{seconds}"), repair=(*PRINT, "{index}")))
    )
    assert machine_drivers.fail_gpu(platform, "gpu-a", "1", 45) == "['gpu-a', '1', '45']"
    assert machine_drivers.repair_gpu(platform, "gpu-a", "1") == "['1']"


def test_arguments_never_reach_a_shell() -> None:
    platform = FakeCluster().platform(local_target(machines=CommandDriver(fail=(*PRINT, "{node}; rm -rf {seconds}"), repair=("true",))))
    assert machine_drivers.power_off(platform, "$(reboot)", 1) == "['$(reboot); rm -rf 1']"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-program",), "cannot be started"),
        (("{python}", "-c", "import sys; sys.exit('BMC is busy')"), "ended with status 1, expected 0; it said: BMC is busy"),
        (("echo", "{index}"), r"uses \{index\}; known here are"),
    ],
)
def test_a_driver_that_fails(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(FaultFailed, match=said):
        machine_drivers.run(command, {"node": "gpu-a"}, "power off gpu-a", FaultFailed)


def test_a_driver_that_hangs_is_ended() -> None:
    with pytest.raises(FaultFailed, match=r"did not end within 0.2 s"):
        machine_drivers.run((sys.executable, "-c", "import time; time.sleep(60)"), {}, "power off gpu-a", FaultFailed, timeout_s=0.2)


def test_no_driver_is_a_reason_to_skip() -> None:
    platform = FakeCluster().platform(local_target(machines=None, gpus=None))
    with pytest.raises(TargetRefused, match="no machine driver"):
        machine_drivers.power_off(platform, "gpu-a", 1)
    with pytest.raises(TargetRefused, match="no GPU driver"):
        machine_drivers.fail_gpu(platform, "gpu-a", "0", 1)
