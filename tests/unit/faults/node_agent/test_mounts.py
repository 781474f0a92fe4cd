"""A volume made read-only in a pod's mounts: what is found there, what is refused, and that it is undone."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from faults.node_agent import main, mounts
from faults.node_agent.mount_table import FUSE, Mount, mount_at
from faults.node_agent.node import Refused

UID = "00000000-0000-4000-8000-000000000000"
TABLE = """\
30 25 7:8 /volumes/pvc-1 /data rw,nosuid,relatime - xfs /dev/loop8 rw,attr2
31 25 7:8 /volumes/a\\040b /with\\040blank ro,relatime shared:4 - xfs /dev/loop8 rw,attr2
32 30 0:9 / /data/inner rw - tmpfs tmpfs rw
"""


def test_a_mount_is_the_uppermost_with_its_own_options_not_the_file_systems() -> None:
    assert mount_at(TABLE, "/data") == Mount(("rw", "nosuid", "relatime"), "xfs", shared=False)
    assert mount_at(TABLE, "/with blank") == Mount(("ro", "relatime"), "xfs", shared=True)
    assert mount_at(TABLE, "/dat") is None
    over = mount_at(TABLE + "33 30 0:9 / /data ro - fuse.aftershock aftershock rw\n", "/data")
    assert over == Mount(("ro",), FUSE, shared=False)


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Let the pod be this very process with a table of mounts; note what is set, and whether writable."""
    noted: list[tuple[str, bool]] = []
    monkeypatch.setattr(mounts, "processes_of", lambda _uid: ["self", "thread-self"])  # two processes of one container
    monkeypatch.setattr(mounts, "read", lambda _path: TABLE)
    monkeypatch.setattr(mounts, "remount", lambda _space, path, *, writable: noted.append((path, writable)))
    return noted


def test_each_container_s_mount_is_set_once_and_undone(pod: list[tuple[str, bool]]) -> None:
    effect = mounts.read_only(UID, "/data")
    assert pod == []  # prepared, not set
    effect.begin()
    effect.end()
    assert pod == [("/data", False), ("/data", True)]


def test_what_is_read_only_already_is_left_alone(pod: list[tuple[str, bool]]) -> None:
    with pytest.raises(Refused, match="is read-only already; it would be made writable at the end"):
        mounts.read_only(UID, "/with blank")
    with pytest.raises(Refused, match="nothing is mounted at /nowhere"):
        mounts.read_only(UID, "/nowhere")
    assert pod == []


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    with (tmp_path / "no-namespace").open("w") as file, pytest.raises(OSError, match="make /data read-only"):
        mounts.remount(file.fileno(), "/data", writable=False)


def test_the_kernel_s_structure_has_its_size() -> None:
    assert ctypes.sizeof(mounts.Attributes) == 32  # MOUNT_ATTR_SIZE_VER0


def test_the_program_needs_pod_and_path() -> None:
    with pytest.raises(SystemExit):
        main.parser().parse_args(["read-only", "--pod", UID, "--for", "5", "--not-after", "1"])
