from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import leftovers, state
from cluster.config import default_config
from cluster.leftovers import Leftovers, mounts_below
from cluster.machines import machine, network
from cluster.machines.machine import Process
from cluster.state import State

TABLE = """/dev/vda / ext4 rw 0 0
/dev/loop3 /var/lib/aftershock/probe/machines/cpu-a/root xfs rw 0 0
tmpfs /var/lib/aftershock/probe/machines/cpu-a/root/run tmpfs rw 0 0
/dev/loop4 /var/lib/aftershock/probe2/machines/cpu-a/root xfs rw 0 0
/dev/loop5 /var/lib/aftershock/probe/with\\040space xfs rw 0 0
"""


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "BASE", tmp_path)
    monkeypatch.setattr(leftovers, "BASE", tmp_path)
    return tmp_path


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])


def test_mounts_of_the_cluster_are_found_deepest_first_and_no_others() -> None:
    found = mounts_below(Path("/var/lib/aftershock/probe"), TABLE)
    root = "/var/lib/aftershock/probe/machines/cpu-a/root"
    assert found == [f"{root}/run", root, "/var/lib/aftershock/probe/with space"]


def test_nothing_is_found_where_nothing_is(base: Path) -> None:
    found = leftovers.find("never-was")
    assert not found
    assert found.sentences() == []


def test_a_folder_without_parameters_is_found(base: Path) -> None:
    (base / "half" / "pki").mkdir(parents=True)
    assert leftovers.find("half") == Leftovers(folder=base / "half")


def test_a_recorded_process_is_found_while_it_runs(base: Path, sleeper: subprocess.Popen[bytes]) -> None:
    machine.record(State("killed"), machine.CONTROL, sleeper.pid)
    assert leftovers.find("killed").processes == (sleeper.pid,)
    sleeper.kill()
    sleeper.wait()
    assert leftovers.find("killed").processes == ()


def test_a_later_process_with_the_same_id_is_not_taken_for_ours(base: Path, sleeper: subprocess.Popen[bytes]) -> None:
    ours = machine.record(State("killed"), machine.CONTROL, sleeper.pid)
    assert ours.alive
    file = base / "killed/machines/control/process.json"
    noted = json.loads(file.read_text())
    for other in ({"start_ticks": ours.start_ticks - 1}, {"boot_id": "of another boot of the machine"}):
        file.write_text(json.dumps(noted | other))
        assert leftovers.find("killed").processes == ()
    sleeper.kill()
    sleeper.wait()


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    ours = Process(sleeper.pid, int(Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[19]))
    assert ours.alive
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not ours.alive
    sleeper.wait()


def test_half_written_parameters_do_not_stop_the_search(base: Path) -> None:
    (base / "torn").mkdir()
    (base / "torn" / "config.json").write_text('{"name": "torn", "ind')
    assert leftovers.find("torn").folder == base / "torn"


def test_an_interface_that_is_not_there_is_no_error() -> None:
    assert network.unplug_host(default_config(index=9)) is False
