"""What is switched off comes back by itself, whoever is left to ask for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from testing.platform.cluster_driver import Cluster
from testing.waiting import wait_for


def test_a_node_comes_back_after_its_caller_was_killed(probe: Cluster) -> None:
    boot = probe.node("gpu-a")
    # the caller kills itself right after its last byte: it never reads an answer
    caller = textwrap.dedent(
        f"""
        import os, socket
        s = socket.socket(socket.AF_UNIX)
        s.connect("/var/lib/aftershock/{probe.name}/power.sock")
        s.sendall(b'{{"do": "power-off", "node": "gpu-a", "for_s": 20}}\\n')
        os.kill(os.getpid(), 9)
        """
    )
    done = subprocess.run([sys.executable, "-c", caller], check=False)
    assert done.returncode == -signal.SIGKILL
    off = probe.await_node("gpu-a", power="off")
    assert off["off_until"]
    assert off["processes"] == 0, "a node without power has processes"
    back = probe.await_node("gpu-a", power="on", off_until=None, ready=True, gpus_allocatable=2)
    assert back["pid"] != boot["pid"]


def test_a_reboot_changes_no_hardware_address(probe: Cluster) -> None:
    """Neighbours remember addresses for a minute: were one to change, a node or the API would be out of reach for as long."""

    def addresses() -> tuple[str, str]:
        control = Path(f"/proc/{probe.status()['control_plane_pid']}/root/sys/class/net/br0/address")
        return control.read_text(), probe.file_of("gpu-a", "/sys/class/net/eth0/address").read_text()

    before = addresses()
    probe.run("power-off", "gpu-a", "--for", "60s")
    probe.run("power-on", "gpu-a")
    wait_for(lambda: probe.file_of("gpu-a", "/sys/class/net/eth0/address").exists(), "the network card")
    assert addresses() == before


def test_the_kubelet_reports_the_reboot(probe: Cluster) -> None:
    path = "jsonpath={.status.nodeInfo.bootID}"
    before = probe.kubectl("get", "node", "cpu-a", "-o", path)
    probe.run("power-off", "cpu-a", "--for", "60s")
    assert probe.node("cpu-a")["power"] == "off"
    probe.run("power-on", "cpu-a")
    wait_for(lambda: probe.kubectl("get", "node", "cpu-a", "-o", path) != before, "a new boot id", 60)
    assert probe.await_node("cpu-a", ready=True)["off_until"] is None


def test_a_killed_controller_goes_on_where_it_was(probe: Cluster) -> None:
    probe.run("power-off", "cpu-a", "--for", "5s")
    probe.run("gpu-fail", "gpu-a", "1", "--for", "600s")
    os.kill(controller_pid(probe.name), signal.SIGKILL)
    probe.await_node("cpu-a", power="on", ready=True)
    assert [g["health"] for g in probe.node("gpu-a")["gpus"]] == ["ok", "lost"]
    assert not probe.file_of("gpu-a", "/var/lib/aftershock-gpu/GPU-1/status").exists()
    probe.run("gpu-repair", "gpu-a", "1")
    assert probe.file_of("gpu-a", "/var/lib/aftershock-gpu/GPU-1/status").read_text() == "ok\n"


def controller_pid(cluster: str) -> int:
    wanted = ["-m", "cluster.power.controller", cluster]
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue  # it has ended meanwhile
        if words.decode(errors="replace").rstrip("\0").split("\0")[1:] == wanted:
            return int(entry.name)
    raise AssertionError(f"no power controller of cluster {cluster} runs")


def test_a_power_cut_loses_what_was_not_synced_and_nothing_else(probe: Cluster) -> None:
    folder = probe.file_of("cpu-a", "/var/lib/power-cut")
    folder.mkdir()
    synced, unsynced = folder / "synced", folder / "unsynced"
    with synced.open("w") as file:
        file.write("acknowledged")
        file.flush()
        os.fsync(file.fileno())
    entry = os.open(folder, os.O_RDONLY)
    os.fsync(entry)
    os.close(entry)
    unsynced.write_text("in the page cache")
    assert unsynced.read_text() == "in the page cache"
    probe.run("power-off", "cpu-a", "--for", "2s")
    probe.await_node("cpu-a", power="on", ready=True)
    again = probe.file_of("cpu-a", "/var/lib/power-cut")
    assert (again / "synced").read_text() == "acknowledged"
    assert not (again / "unsynced").exists() or (again / "unsynced").read_text() == ""


def test_a_part_of_the_control_plane_stays_down_for_its_time_whoever_keeps_it_down(probe: Cluster) -> None:
    assert "ends by itself at" in probe.run("control-plane-stop", "api-server", "--for", "40s")
    os.kill(controller_pid(probe.name), signal.SIGKILL)  # its successor goes on
    down = probe.status()
    assert not down["api_ready"]
    assert list(down["control_plane_down"]) == ["api-server"]
    wait_for(lambda: probe.status()["control_plane_down"] == {}, "its time is over")
    wait_for(lambda: probe.status()["api_ready"], "the API server is back by itself")
    probe.run("control-plane-stop", "api-server", "--for", "300s")
    probe.run("control-plane-start", "api-server")
    wait_for(lambda: probe.status()["api_ready"], "it is back when it is told to")


def test_a_request_that_makes_no_sense_is_refused_with_a_sentence(probe: Cluster) -> None:
    assert "has no node 'gpu-z'; it has cpu-a, gpu-a" in probe.run("power-off", "gpu-z", "--for", "5s", expect=2)
    assert "has no GPU 0: it has 0" in probe.run("gpu-fail", "cpu-a", "0", "--for", "5s", expect=2)
    assert "not a duration" in probe.run("power-off", "cpu-a", "--for", "soon", expect=2)
    assert "up to 3600 s" in probe.run("power-off", "cpu-a", "--for", "2h", expect=2)
    assert probe.node("cpu-a")["power"] == "on"
