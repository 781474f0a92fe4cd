"""The API server is out of reach for half a minute while a fault is active: no traceback, no false verdict, everything undone after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from history.result import Verdict
from history.schema import EventKind
from kube.client import Platform
from runner.cleanup.leftovers import find_leftovers
from testing.platform.targets import region_of
from testing.platform.tcp_proxy import Proxy
from testing.runs.patient import patient
from testing.runs.real_sessions import LOCAL, Suite
from testing.waiting import wait_for

OUT_OF_REACH_S = 30.0
INCONCLUSIVE = 10


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = urlsplit(region_of(yaml.safe_load(LOCAL.read_text()))["server"])
    assert server.hostname
    assert server.port
    made = Proxy(server.hostname, server.port)
    yield made
    made.close()


def through(proxy: Proxy, suite: Suite) -> Path:
    """Return a target file that reaches the same cluster through ``proxy``."""
    local = region_of(yaml.safe_load(LOCAL.read_text()))
    kubeconfig = yaml.safe_load(Path(local["kubeconfig"]).read_text())
    server = f"https://127.0.0.1:{proxy.port}"
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"] |= {"server": server, "tls-server-name": urlsplit(local["server"]).hostname}
    file = suite.folder / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig))
    return suite.target(server=server, kubeconfig=str(file))


def test_an_api_server_out_of_reach(suite: Suite, platform: Platform, proxy: Proxy) -> None:
    patient(suite, "serving/node-drained")
    session = suite.start(own=True, target=through(proxy, suite)).until(EventKind.PHASE, "observe")
    with proxy.cut():
        until_s = time.monotonic() + OUT_OF_REACH_S
        wait_for(lambda: time.monotonic() > until_s, "the cut lasts as long as it shall")
    assert session.end() == INCONCLUSIVE, session.said
    assert session.verdict.verdict is Verdict.INCONCLUSIVE
    assert session.events(EventKind.INSTRUMENT_DOWN, "api-server")
    assert session.events(EventKind.FAULT_END)
    assert "Traceback" not in session.said
    assert not (session.run_dir / "scene" / "traceback.txt").exists()
    assert not any(node.spec.unschedulable for node in platform.nodes())
    assert not find_leftovers(platform).journals
