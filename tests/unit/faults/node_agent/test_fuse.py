"""A folder of a volume to be served by a program: what is refused before anything is mounted, and the words that the program gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from faults.node_agent import cgroups, fuse, main
from faults.node_agent.mount_table import Mount
from faults.node_agent.mounts import Place
from faults.node_agent.node import Refused

UID = "00000000-0000-4000-8000-000000000000"
BOUNDS = ["--for", "5", "--not-after", "1"]


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Let the pod be this very process, on a node with what is needed; what is returned can be changed."""
    found: dict[str, Any] = {"mount": Mount(("rw",), "xfs", shared=False)}
    program = tmp_path / "bin" / fuse.PROGRAM
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(cgroups, "NODE_INIT", "self")
    monkeypatch.setattr(fuse, "DEVICE", "/dev/null")
    monkeypatch.setattr(fuse, "processes_of", lambda _uid: ["self"])
    monkeypatch.setattr(fuse, "places", lambda _uid, _path: [Place(os.getpid(), 0, found["mount"])])
    return found


def test_it_is_prepared_and_nothing_is_mounted(pod: dict[str, Any], tmp_path: Path) -> None:
    effect = fuse.sick(UID, str(tmp_path), "", ("full",))
    assert effect.name == "disk full"
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_an_image_without_the_program_is_refused(pod: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"no program aftershock-disk on this image's PATH; put it there \(cluster/go/disk"):
        fuse.sick(UID, str(tmp_path), "", ("full",))


def test_a_node_without_fuse_is_refused(pod: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse, "DEVICE", "/dev/no-such-device")
    with pytest.raises(Refused, match="this node has no /dev/no-such-device; load its kernel's module fuse"):
        fuse.sick(UID, str(tmp_path), "", ("full",))


def test_a_process_that_works_in_the_folder_would_not_meet_it(pod: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "objects" / "training"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner.parent)
    for folder in ("", "objects"):
        with pytest.raises(Refused, match=f"works in {inner.parent}: .* name a folder below {inner.parent}"):
            fuse.sick(UID, str(tmp_path), folder, ("full",))
    fuse.sick(UID, str(tmp_path), "objects/training", ("full",))  # what is below where it works, it meets


def test_what_would_be_seen_outside_the_pod_is_refused(pod: dict[str, Any], tmp_path: Path) -> None:
    pod["mount"] = Mount(("rw",), "xfs", shared=True)
    with pytest.raises(Refused, match="would be seen outside its pod, too"):
        fuse.sick(UID, str(tmp_path), "", ("full",))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["disk-full"], ("full",)),
        (["disk-fail", "--percent", "30", "--seed", "7"], ("fail", "-percent", "30", "-seed", "7")),
        (["disk-slow", "--latency-ms", "100"], ("slow", "-delay", "100ms")),
    ],
)
def test_the_words_of_the_fault_pod_are_the_programs(command: list[str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(fuse, "sick", lambda *them: asked.append(them))
    main.effect_of(main.parser().parse_args([*command, "--pod", UID, "--path", "/data", "--folder", "part", *BOUNDS]))
    assert asked == [(UID, "/data", "part", words)]


def test_a_fault_whose_program_dies_is_undone_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ended: list[str] = []
    monkeypatch.setattr(main, "dismiss", lambda _pid: None)
    monkeypatch.setattr(main, "LEAD_S", 0.0)
    effect = main.Effect("disk full", lambda: None, lambda: ended.append("end"), lambda: False)
    assert main.carry_out(effect, 600, 0) == 4
    assert ended == ["end"]
    assert "the program that makes it has died" in capsys.readouterr().out
