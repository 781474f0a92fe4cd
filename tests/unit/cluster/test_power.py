from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import state
from cluster.config import default_config
from cluster.errors import ClusterError
from cluster.power import client, controller, held_down, outages
from cluster.power.controller import Controller
from cluster.power.held_down import Keeper
from cluster.power.outages import Outages
from cluster.state import State
from testing.waiting import wait_for


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setattr(state, "BASE", tmp_path)
    return State("test")


class Switch:
    """Notes what would be done to nodes, and what was on disk at that moment."""

    def __init__(self, here: State, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = here
        self.calls: list[tuple[str, str]] = []
        self.saved: list[set[str]] = []
        self.failures = 0
        monkeypatch.setattr(controller, "power_off", lambda _config, _state, node: self._note("off", node))
        monkeypatch.setattr(controller, "power_on", lambda _config, _state, node, _failed: self._note("on", node))

    def _note(self, verb: str, node: str) -> None:
        if self.failures:
            self.failures -= 1
            raise ClusterError("it sticks")
        self.calls.append((verb, node))
        self.saved.append(outages.load(self.here).nodes_off())


@pytest.fixture
def switch(here: State, monkeypatch: pytest.MonkeyPatch) -> Switch:
    return Switch(here, monkeypatch)


def test_an_outage_is_due_at_its_deadline_and_not_before() -> None:
    known = Outages()
    known.begin("gpu-a", None, 90, now_s=1000)
    known.begin("gpu-b", 1, 60, now_s=1000)
    assert known.due(1059.9) == []
    assert [(o.node, o.gpu) for o in known.due(1090)] == [("gpu-b", 1), ("gpu-a", None)]
    assert known.next_deadline_s() == 1060


def test_a_node_and_its_gpus_are_out_independently() -> None:
    known = Outages()
    known.begin("gpu-a", None, 90, now_s=0)
    known.begin("gpu-a", 0, 60, now_s=0)
    assert known.nodes_off() == {"gpu-a"}
    assert known.failed_gpus("gpu-a") == {0}
    known.end("gpu-a", None)
    assert known.nodes_off() == set()
    assert known.failed_gpus("gpu-a") == {0}


def test_a_second_outage_of_the_same_thing_moves_its_end() -> None:
    known = Outages()
    known.begin("cpu-a", None, 10, now_s=0)
    known.begin("cpu-a", None, 30, now_s=5)
    assert known.due(34) == []
    assert len(known.due(35)) == 1


@pytest.mark.parametrize("for_s", [0, -1, 3601, float("inf"), float("nan")])
def test_an_outage_without_a_near_end_is_refused(for_s: float) -> None:
    with pytest.raises(ClusterError, match="refused"):
        Outages().begin("cpu-a", None, for_s, now_s=0)


def test_what_was_saved_is_read_back(here: State) -> None:
    known = Outages()
    known.begin("gpu-a", 1, 60, now_s=outages.now_s())
    outages.save(here, known)
    assert outages.load(here) == known


def test_records_of_an_earlier_boot_of_the_machine_are_void(here: State) -> None:
    known = Outages()
    known.begin("cpu-a", None, 60, now_s=outages.now_s())
    outages.save(here, known)
    noted = json.loads(here.power_file.read_text())
    here.power_file.write_text(json.dumps(noted | {"boot_id": "another"}))
    assert outages.load(here) == Outages()


def test_the_end_is_on_disk_before_the_power_is_cut(here: State, switch: Switch) -> None:
    Controller(default_config(), here).answer({"do": "power-off", "node": "gpu-a", "for_s": 90})
    assert switch.calls == [("off", "gpu-a")]
    assert switch.saved == [{"gpu-a"}]


def test_what_is_due_comes_back_and_is_forgotten(here: State, switch: Switch) -> None:
    subject = Controller(default_config(), here)
    subject.answer({"do": "power-off", "node": "gpu-a", "for_s": 0.001})
    while subject.wait_s() > 0:
        pass
    subject.end_due()
    assert switch.calls == [("off", "gpu-a"), ("on", "gpu-a")]
    assert outages.load(here).nodes_off() == set()


def test_the_machines_of_a_zone_boot_together(here: State, monkeypatch: pytest.MonkeyPatch, switch: Switch) -> None:
    subject, both = Controller(default_config(), here), threading.Barrier(2, timeout=30)
    for node in ("cpu-a", "gpu-a"):
        subject.answer({"do": "power-off", "node": node, "for_s": 0.001})
    while len(subject.outages.due(outages.now_s())) < 2:
        pass
    monkeypatch.setattr(controller, "power_on", lambda *_: both.wait())  # one after the other it would break
    subject.end_due()
    assert outages.load(here).nodes_off() == set()


def test_a_node_that_does_not_come_back_is_tried_again(here: State, switch: Switch) -> None:
    subject = Controller(default_config(), here)
    subject.answer({"do": "power-off", "node": "gpu-a", "for_s": 0.001})
    while subject.wait_s() > 0:
        pass
    switch.failures = 1
    subject.end_due()
    assert outages.load(here).nodes_off() == {"gpu-a"}, "still to be brought back"
    assert 0 < subject.wait_s() <= 1


def test_a_successor_goes_on_where_the_controller_was_killed(here: State, switch: Switch) -> None:
    known = Outages()
    known.begin("cpu-b", None, 60, now_s=outages.now_s())
    outages.save(here, known)
    successor = Controller(default_config(), here)
    successor.resume()
    assert switch.calls == [("off", "cpu-b")]
    assert successor.outages.nodes_off() == {"cpu-b"}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "power-off", "node": "gpu-z", "for_s": 5}, "no node 'gpu-z'"),
        ({"do": "power-off", "node": "gpu-a"}, "does not understand"),
        ({"do": "explode", "node": "gpu-a"}, "does not understand"),
        ({"do": "gpu-fail", "node": "gpu-a", "gpu": 2, "for_s": 5}, "has no GPU 2: it has 2"),
        ({"do": "gpu-fail", "node": "cpu-a", "gpu": 0, "for_s": 5}, "has no GPU 0: it has 0"),
        ({"do": "power-off", "node": "gpu-a", "for_s": "soon"}, "does not understand"),
        ({"do": "control-plane-stop", "part": "etcd", "for_s": 5}, "no part 'etcd'; it has api-server, controllers"),
        ({"do": "control-plane-stop", "part": "api-server"}, "does not understand"),
        ({"do": "control-plane-stop", "part": "api-server", "for_s": 3601}, "refused"),
        ([], "does not understand"),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(here: State, switch: Switch, request_: dict[str, object], words: str) -> None:
    subject = Controller(default_config(), here)
    assert words in subject.answer(request_)["error"]
    assert switch.calls == []
    assert subject.outages == Outages()


@pytest.fixture
def control(here: State, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The one process of the control plane: it bears an API server's name, and nothing else of it."""
    with subprocess.Popen(["/opt/cluster/bin/kube-apiserver", "60"], executable="/bin/sleep") as process:
        # Popen returns as soon as the child's descriptors are closed, a moment before the kernel shows its new command line
        wait_for(lambda: held_down._program(process.pid) == "kube-apiserver", "the process bears its name")
        monkeypatch.setattr(held_down.cgroups, "members", lambda group: {process.pid} if group == "aftershock-test/control" else set())
        yield process
        process.kill()


def test_a_part_that_is_stopped_is_killed_at_once_and_noted_before(here: State, switch: Switch, control: subprocess.Popen[bytes]) -> None:
    subject = Controller(default_config(), here)
    until = subject.answer({"do": "control-plane-stop", "part": "api-server", "for_s": 60})["until"]
    assert control.wait(10) == -signal.SIGKILL
    assert outages.load(here).parts_down() == {"api-server": until}
    assert subject.outages.nodes_off() == set(), "no machine lost its power"
    assert subject.answer({"do": "control-plane-start", "part": "api-server"}) == {"until": None}
    assert outages.load(here).parts_down() == {}
    assert switch.calls == []


def test_only_the_programs_of_that_part_are_killed(here: State, control: subprocess.Popen[bytes]) -> None:
    assert held_down.kill_parts(here, ["controllers"]) == []
    assert held_down.kill_parts(here, []) == []
    assert control.poll() is None
    assert held_down.kill_parts(here, ["controllers", "api-server"]) == ["kube-apiserver"]


def test_a_part_is_held_down_until_its_time_is_over(here: State, switch: Switch, control: subprocess.Popen[bytes]) -> None:
    subject = Controller(default_config(), here)
    keeper = Keeper(here, subject.outages.parts_down)  # looked at here, and not started: its thread would go on after the test
    subject.outages.begin("api-server", None, 60, outages.now_s(), part=True)
    keeper._look()
    assert control.wait(10) == -signal.SIGKILL, "what runs although it is held down is killed"
    subject.outages.begin("api-server", None, 0.001, outages.now_s(), part=True)
    while subject.wait_s() > 0:
        pass
    subject.end_due()
    assert outages.load(here).parts_down() == {}
    assert switch.calls == [], "its machine never lost its power, so nothing is booted"


def test_a_look_that_fails_is_logged_once_and_ends_nothing(
    here: State, control: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [FileNotFoundError(f"{where} is gone") for where in ("a cgroup", "a cgroup", "another")]
    there = held_down.cgroups.members

    def members(group: str) -> set[int]:
        if failures:
            raise failures.pop()
        return there(group)

    monkeypatch.setattr(held_down.cgroups, "members", members)
    keeper = Keeper(here, lambda: ["api-server"])
    for _ in range(4):
        keeper._look()
    assert control.wait(10) == -signal.SIGKILL
    assert [record.message.split(":")[1].split(";")[0] for record in caplog.records] == [" another is gone", " a cgroup is gone"]


def test_callers_are_answered_and_one_that_dies_halfway_does_not_matter(here: State, switch: Switch) -> None:
    here.folder.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(here.socket))
    listener.listen()
    threading.Thread(target=controller.serve, args=(Controller(default_config(), here), listener), daemon=True).start()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.connect(str(here.socket))
        dying.sendall(b'{"do": "power-off", "no')
    with socket.socket(socket.AF_UNIX) as talker:
        talker.connect(str(here.socket))
        talker.sendall(b"hello\n")
    until = client.ask(here, {"do": "power-off", "node": "cpu-a", "for_s": 60})
    assert until is not None
    assert client.ask(here, {"do": "power-on", "node": "cpu-a"}) is None
    with pytest.raises(ClusterError, match="no node 'x'"):
        client.ask(here, {"do": "power-on", "node": "x"})
    assert switch.calls == [("off", "cpu-a"), ("on", "cpu-a")]
