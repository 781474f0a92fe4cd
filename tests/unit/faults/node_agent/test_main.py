"""The fault pod's program: bounded arguments, rules that forget themselves, and what it finds on a node."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from faults.node_agent import cgroups, cut, main
from faults.node_agent.main import Effect, Refused
from testing.waiting import wait_for

UID = "00000000-0000-4000-8000-000000000000"
WORD = re.compile(r'^@command\("([a-z-]+)"', re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["isolate", "--for", "30", "--not-after", "1"],
        ["isolate", "--pod", "x; reboot", "--for", "30", "--not-after", "1"],
        ["isolate", "--pod", f"{UID}/..", "--for", "30", "--not-after", "1"],
        ["packet-loss", "--pod", UID, "--percent", "100", "--for", "30", "--not-after", "1"],
        ["packet-loss", "--pod", UID, "--percent", "0", "--for", "30", "--not-after", "1"],
        ["dns-fail", "--pod", UID, "--how", "refused", "--for", "30", "--not-after", "1"],
        ["silence", "--for", "0", "--not-after", "1"],
        ["silence", "--for", "601", "--not-after", "1"],
        ["silence", "--for", "nan", "--not-after", "1"],
        ["silence", "--for", "inf", "--not-after", "1"],
        ["silence", "--for", "30"],
        ["reboot", "--for", "30", "--not-after", "1"],
        [],
    ],
)
def test_arguments_are_bounded(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        main.parser().parse_args(arguments)
    assert wrong.value.code == 2


def test_help_lists_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.parser().parse_args(["--help"])
    shown = capsys.readouterr().out
    written = {word for file in Path(main.__file__).parent.glob("*.py") for word in WORD.findall(file.read_text())}
    assert written == set(main.COMMANDS)
    assert {"isolate", "disk-slow"} <= written
    assert [word for word in written if f"    {word} " not in shown] == []


def test_started_too_late_it_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["silence", "--for", "5", "--not-after", f"{time.time() - 3:.1f}"]) == 3
    assert '"refused": "started 3.' in capsys.readouterr().out
    signal.pthread_sigmask(signal.SIG_UNBLOCK, main.ENDINGS)


def test_only_the_elements_of_the_set_drop_and_they_expire() -> None:
    lines = cut.cut_rules(2.5, ["10.0.0.1", "fd00::1"]).splitlines()
    assert [line for line in lines if "drop" in line] == [
        f"add rule inet aftershock {hook} meta nfproto @cut drop" for hook in ("input", "output", "forward")
    ]
    assert lines[-1] == "add element inet aftershock cut { ipv4 timeout 2500ms, ipv6 timeout 2500ms }"
    assert "flags timeout" in "\n".join(lines)
    assert "add rule inet aftershock input ip saddr 10.0.0.1 accept" in lines
    assert "add rule inet aftershock output ip6 daddr fd00::1 accept" in lines
    assert lines[:2] == ["add table inet aftershock", "delete table inet aftershock"]  # twice is as good as once


def test_a_loss_is_the_cut_of_packets_chosen_by_chance_in_each_direction() -> None:
    cut_off, lossy = (cut.cut_rules(2.5, ["10.0.0.1"], percent).splitlines() for percent in (100, 20))
    assert [line.replace("numgen random mod 100 < 20 ", "") for line in lossy] == cut_off
    assert [line for line in lossy if "drop" in line] == [
        f"add rule inet aftershock {hook} meta nfproto @cut numgen random mod 100 < 20 drop" for hook in ("input", "output", "forward")
    ]


@pytest.mark.parametrize(("how", "does"), [("silent", "drop"), ("servfail", "@th,88,8 set 0x82")])
def test_only_answers_of_dns_fail_never_a_question_or_what_comes_over_loopback(how: str, does: str) -> None:
    lines = cut.dns_rules(2.5, how).splitlines()
    rules = [line for line in lines if line.startswith("add rule")]
    assert rules[0] == 'add rule inet aftershock input iifname "lo" accept'
    assert ["@cut" in rule and "sport 53 " in rule for rule in rules[1:]] == [True] * 3
    assert [does in rule for rule in rules if "udp" in rule] == [True, True]
    assert not any("output" in line or "dport" in line for line in lines)
    assert lines[-1] == "add element inet aftershock cut { ipv4 timeout 2500ms, ipv6 timeout 2500ms }"


V1 = "4:memory:/kubepods/podx/c\n3:cpu,cpuacct:/kubepods/podx/c\n1:name=systemd:/init.scope\n0::/init.scope\n"
V1_MOUNTS = """\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
33 25 0:29 / /sys/fs/cgroup/unified rw shared:12 - cgroup2 cgroup2 rw,nsdelegate
34 25 0:30 / /proc rw shared:13 - proc proc rw
"""


def test_control_groups_of_both_versions_are_found() -> None:
    root = "/sys/fs/cgroup"
    assert cgroups.folders(V1, V1_MOUNTS) == [
        f"{root}/memory/kubepods/podx/c",
        f"{root}/cpu,cpuacct/kubepods/podx/c",
        f"{root}/systemd/init.scope",
        f"{root}/unified/init.scope",
    ]
    v2 = "25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert cgroups.folders("0::/init.scope\n", v2) == [f"{root}/init.scope"]


def test_no_kubelet_or_no_such_pod_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "kubelets", list)
    with pytest.raises(Refused, match="0 processes are a kubelet, expected exactly 1"):
        cut.silence(5)
    with pytest.raises(Refused, match="0 processes are a kubelet, expected exactly 1"):
        cut.freeze()
    with pytest.raises(Refused, match="no process of it runs on this node"):
        cut.isolation(UID, 5)
    with pytest.raises(Refused, match="no process of it runs on this node"):
        cut.packet_loss(UID, 20, 5)
    with pytest.raises(Refused, match="no process of it runs on this node"):
        cut.dns_failure(UID, "silent", 5)


def test_a_frozen_kubelet_goes_on_and_one_that_was_started_anew_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as kubelet:
        monkeypatch.setattr(cut, "kubelets", lambda: [kubelet.pid])
        frozen = cut.freeze()
        frozen.begin()
        wait_for(lambda: state(kubelet.pid) == "T", "it is stopped", 10)
        frozen.end()
        frozen.end()
        wait_for(lambda: state(kubelet.pid) != "T", "it goes on", 10)
        kubelet.kill()
    frozen.end()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def counted(folder: Path) -> Effect:
    def note(what: str) -> None:
        with (folder / "log").open("a") as file:
            file.write(what + "\n")

    return Effect("test", lambda: note("begin"), lambda: note("end"))


def test_it_acts_ends_and_dismisses_its_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_move", lambda _pid: os._exit(0))
    monkeypatch.setattr(cgroups, "read", lambda _path: "the same groups")
    monkeypatch.setattr(main, "LEAD_S", 0.0)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, main.ENDINGS)
    try:
        effect = counted(tmp_path)
        assert main.carry_out(effect, 0.05, main.watched(effect, 60)) == 0
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert (tmp_path / "log").read_text().split() == ["begin", "end", "end"]  # the second by the watchdog, which changes nothing


def test_without_a_watchdog_outside_the_pod_nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroups, "_move", lambda _pid: os._exit(1))
    answers = iter(["/kubepods/podx", "/init.scope"])
    monkeypatch.setattr(cgroups, "read", lambda _path: next(answers))
    with pytest.raises(Refused, match="would die with the pod"):
        main.watched(counted(tmp_path), 60)
    assert not (tmp_path / "log").exists()


def test_what_could_not_be_set_whole_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise OSError("nft ended with status 1")

    monkeypatch.setattr(main, "dismiss", lambda _pid: None)
    monkeypatch.setattr(main, "LEAD_S", 0.0)
    assert main.carry_out(Effect("test", fails, counted(tmp_path).end), 1, 0) == 4
    assert (tmp_path / "log").read_text().split() == ["end"]
    assert '"failed": "nft ended' in capsys.readouterr().out
