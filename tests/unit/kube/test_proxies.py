"""The way to the API server through a proxy: whose user is shown to it and to nobody else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from history.errors import NoData, TargetRefused
from kube.client import connect
from kube.connection.websocket import DIRECTLY, _way
from kube.container_exec import processes
from target.secrets.hiding import redact_text
from testing.platform.kube_api import KubeApi, kube_api, write_target
from testing.platform.socks_proxy import socks_proxy

NOWHERE = "http://kubernetes.invalid:6443"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    for name in (*VARIABLES, *map(str.lower, VARIABLES)):
        monkeypatch.delenv(name, raising=False)
    with kube_api() as made:
        yield made


def test_a_proxy_of_the_cluster_is_shown_its_user_and_no_proxy_does_not_exempt(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", ".invalid")
    proxy = api.url.replace("//", "//me:planted-proxy-word@")
    platform = connect(write_target(tmp_path, NOWHERE, proxy_url=proxy))
    [shown] = api.sent("proxy-authorization")
    assert api.asked[0].path.startswith(NOWHERE)
    assert shown == "Basic bWU6cGxhbnRlZC1wcm94eS13b3Jk"
    assert redact_text(f"{shown} planted-proxy-word") == "Basic [redacted] [redacted]"
    assert _way(platform.api.configuration, "ws://kubernetes.invalid:6443/x")["http_proxy_auth"] == ("me", "planted-proxy-word")


def test_a_proxy_of_the_environment_is_used_unless_no_proxy_exempts(api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", api.url)
    connect(write_target(tmp_path, NOWHERE))
    assert api.asked[0].path.startswith(NOWHERE)
    monkeypatch.setenv("NO_PROXY", ".invalid")
    with pytest.raises(TargetRefused, match="no answer from the API server"):
        connect(write_target(tmp_path, NOWHERE))


def test_this_machine_is_never_asked_through_a_proxy_of_the_environment(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    platform = connect(write_target(tmp_path, api.url))
    assert platform.api.configuration.proxy is None
    assert _way(platform.api.configuration, "ws://127.0.0.1/x") == DIRECTLY


@pytest.mark.parametrize("url", ["proxy:3128", "ftp://proxy:21", "http://", "http://proxy:port", "socks4://proxy:1"])
def test_what_is_no_proxy_is_a_sentence(api: KubeApi, tmp_path: Path, url: str) -> None:
    with pytest.raises(TargetRefused, match="proxy-url of the cluster is no URL of a proxy"):
        connect(write_target(tmp_path, api.url, proxy_url=url))


def test_a_socks_proxy_without_its_package_is_a_sentence(api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    with pytest.raises(TargetRefused, match="a SOCKS proxy takes the package PySocks, which is not installed; run make setup"):
        connect(write_target(tmp_path, api.url, proxy_url="socks5://127.0.0.1:9"))


def test_requests_and_websockets_go_through_a_socks_proxy_which_resolves_their_names(api: KubeApi, tmp_path: Path) -> None:
    pytest.importorskip("socks")
    with socks_proxy(int(api.url.rpartition(":")[2])) as (url, names):
        platform = connect(write_target(tmp_path, NOWHERE, proxy_url=url))
        with pytest.raises(NoData):  # the double speaks no WebSocket
            processes(platform, "a", "llm", "c")
    assert set(names) == {"kubernetes.invalid"}
    assert api.sent("upgrade") == ["websocket"]
