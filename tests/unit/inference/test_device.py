"""The contract with the device plugin."""

from pathlib import Path

import pytest

from workloads.inference import device


def test_nothing_allocated_is_the_processor(tmp_path: Path) -> None:
    for value in ({}, {"NVIDIA_VISIBLE_DEVICES": "void"}):
        found = device.allocated(value, tmp_path)
        found.touch()
        assert found.name.startswith("CPU")


def test_a_device_is_touched_until_it_is_lost_and_after_its_repair(tmp_path: Path) -> None:
    status = tmp_path / "GPU-1" / "status"
    status.parent.mkdir()
    status.write_text("ok\n")
    found = device.allocated({"NVIDIA_VISIBLE_DEVICES": "GPU-1"}, tmp_path)
    found.touch()
    status.write_text("xid 79\n")
    with pytest.raises(device.DeviceLost, match=r"CUDA error: device lost .GPU-1: .*says b'xid 79"):
        found.touch()
    status.unlink()
    with pytest.raises(device.DeviceLost, match="No such file"):
        found.touch()
    status.write_text("ok\n")
    found.touch()
