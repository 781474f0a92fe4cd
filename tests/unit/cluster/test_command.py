from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import cli, state
from cluster.config import Frontend, default_config
from cluster.errors import ClusterError
from cluster.host import requirements
from cluster.host.commands import run


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "BASE", tmp_path)
    monkeypatch.setattr(requirements, "BASE", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [["status"], ["kubeconfig"], ["kubectl", "get", "nodes"], ["logs"], ["--name", "other", "status", "--json"]]
)
def test_without_a_cluster_the_sentence_says_how_to_start_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("cluster: no cluster ")
    assert " up`" in said
    assert said.count("\n") == 1


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["up"]) == 2
    assert "needs root" in capsys.readouterr().err


def test_what_follows_kubectl_is_kubectls() -> None:
    own, kubectl = cli._split(["--name", "x", "kubectl", "-n", "kube-system", "get", "pods", "--help"])
    assert own == ["--name", "x", "kubectl"]
    assert kubectl == ["-n", "kube-system", "get", "pods", "--help"]


def test_an_outage_needs_an_end() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["power-off", "gpu-a"])
    assert ended.value.code == 2


def test_a_taken_port_is_named() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        config = replace(default_config("test", 9), frontends=(Frontend("web", port, 30080, "/"),))
        with pytest.raises(ClusterError, match=rf"port {port} of 127\.0\.0\.1 is taken .* end the program"):
            requirements.check_room(config)


def test_too_little_memory_is_said_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_available_memory_bytes", lambda: 1_500_000_000)
    with pytest.raises(ClusterError, match=r"1\.5 GB of memory are free, 4 GB are needed"):
        requirements.check_room(default_config("test", 9))


def test_too_little_disk_is_said_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "LEAST_DISK_BYTES", 10**18)
    with pytest.raises(ClusterError, match="GB are free on the disk of"):
        requirements.check_room(default_config("test", 9))


def test_a_range_that_the_host_routes_elsewhere_is_named() -> None:
    config = replace(default_config("test", 9), node_network="127.0.0.0/24", frontends=())
    requirements.check_ranges(default_config("test", 9))
    monkey = '[{"dst": "10.89.9.0/25", "dev": "vpn0"}]'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requirements, "run", lambda *_argv: monkey)
        with pytest.raises(ClusterError, match=r"already routes 10\.89\.9\.0/25 to vpn0"):
            requirements.check_ranges(replace(config, node_network="10.89.9.0/24"))


def test_an_index_is_chosen_that_no_other_cluster_has(base: Path) -> None:
    assert cli._free_index("local") == 0
    assert cli._free_index("second") == 1
    state.State("second").save_config(default_config("second", 1))
    assert cli._free_index("third") == 2
    assert cli._free_index("second") == 1


def test_a_program_that_fails_is_quoted_in_one_sentence() -> None:
    with pytest.raises(ClusterError, match=r"`ls /no/such/folder` failed with exit code 2: ls: .*No such file"):
        run("ls", "/no/such/folder")
    with pytest.raises(ClusterError, match="'no-such-program' is missing"):
        run("no-such-program")


def test_built_images_are_a_parameter_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(cli.store, "prepared", lambda _say: Path("/a/store"))
    monkeypatch.setattr(cli.requirements, "check_machine", lambda: None)
    monkeypatch.setattr(cli.lifecycle, "up", lambda config, _say, exactly: asked.append((config.images, exactly)))
    for arguments in (["up", "--images"], ["up"]):
        assert cli.main(["--name", "one", *arguments]) == 0
    assert asked == [("/a/store", True), ("", False)], "one that is up without them is not what was asked for"
