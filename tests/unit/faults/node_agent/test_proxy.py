"""The proxy before a server's port: rules that forget themselves, what it answers, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from faults.node_agent import main, proxy
from faults.node_agent.node import Refused
from faults.node_agent.proxy import Server

UID = "00000000-0000-4000-8000-000000000000"


def test_only_the_element_of_the_set_leads_to_the_proxy_and_it_expires() -> None:
    lines = proxy.redirect_rules(7070, 2.5, ["10.0.0.1", "fd00::1"]).splitlines()
    assert [line for line in lines if "redirect" in line or "reject" in line] == [
        "add rule inet aftershock arriving meta nfproto @proxied tcp dport 7070 redirect to :15790",
        "add rule inet aftershock standing meta nfproto @proxied tcp dport 7070 reject with tcp reset",
    ]
    assert lines[-1] == "add element inet aftershock proxied { ipv4 timeout 2500ms }"
    assert lines.index("add rule inet aftershock arriving ip saddr 10.0.0.1 accept") < lines.index(
        "add rule inet aftershock arriving meta nfproto @proxied tcp dport 7070 redirect to :15790"
    )
    assert lines[:2] == ["add table inet aftershock", "delete table inet aftershock"]  # twice is as good as once


@pytest.mark.parametrize(
    "arguments",
    [
        ["refuse", "--port", "7070", "--percent", "60"],
        ["refuse", "--pod", UID, "--port", "7070", "--percent", "0"],
        ["refuse", "--pod", UID, "--port", "7070", "--percent", "101"],
        ["refuse", "--pod", UID, "--port", "0", "--percent", "60"],
        ["delay", "--pod", UID, "--port", "7070", "--latency-ms", "60001"],
        ["delay", "--pod", UID, "--port", "7070", "--latency-ms", "1 ) os.exit("],
        ["hide", "--pod", UID, "--port", "7070 }"],
        ["hide", "--pod", UID],
    ],
)
def test_arguments_are_bounded(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        main.parser().parse_args([*arguments, "--for", "30", "--not-after", "1"])
    assert wrong.value.code == 2


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is done to a pod's network and to the proxy, in order."""
    noted: list[str] = []
    monkeypatch.setattr(proxy, "network_of", lambda _uid: os.open("/proc/self/ns/net", os.O_RDONLY))
    monkeypatch.setattr(proxy, "own_addresses", list)
    monkeypatch.setattr(
        proxy, "started", lambda _space, _script, configuration: noted.append(os.pread(configuration, 9999, 0).decode()) or 7
    )
    monkeypatch.setattr(proxy, "stop", lambda process: noted.append(f"stop {process}"))
    monkeypatch.setattr(proxy, "nft", lambda script, _space: noted.append(script))
    return noted


def test_the_proxy_answers_for_the_server_or_hands_on(done: list[str]) -> None:
    proxy.refusal(Server(UID, 7070), 60, 5)
    proxy.hiding(Server(UID, 7070), 5)
    storm, listing = done
    assert "status 503 content-type application/xml string '<Error><Code>SlowDown</Code>" in storm
    assert "if { rand(100) lt 60 }" in storm
    assert "<KeyCount>0</KeyCount>" in listing
    assert "if { method GET } { url_param(list-type) -m str 2 }" in listing
    assert all("server own 127.0.0.1:7070" in one for one in done)


def test_nobody_is_sent_to_a_proxy_that_ends(done: list[str]) -> None:
    effect = proxy.delay(Server(UID, 7070), 400, 5)
    effect.begin()
    effect.end()
    _, begun, *ended = done
    assert begun == proxy.redirect_rules(7070, 5, [])
    assert ended == [proxy.FORGET, "stop 7", proxy.NO_TABLE]


def test_what_the_kernel_refuses_does_not_keep_the_proxy_alive(done: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(script: str, _space: int) -> None:
        if script == proxy.FORGET:
            raise OSError("nft ended with status 1")

    monkeypatch.setattr(proxy, "nft", fails)
    with pytest.raises(OSError, match="nft ended"):
        proxy.delay(Server(UID, 7070), 400, 5).end()
    assert done[1:] == ["stop 7"]


def test_a_process_is_ended_whoever_its_parent_is_and_twice_is_as_good_as_once() -> None:
    with subprocess.Popen(["sleep", "60"]) as made:
        process = os.pidfd_open(made.pid)
        assert proxy.stop(process)
        assert made.wait() == -signal.SIGKILL
        assert not proxy.stop(process)


def test_a_pod_that_is_not_here_is_refused() -> None:
    with pytest.raises(Refused, match="no process of it runs on this node"):
        proxy.hiding(Server(UID, 7070), 5)
