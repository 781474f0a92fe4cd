"""A gateway that is told to stop finishes what is under way: the real HAProxy twice, as the load balancer and as the gateway behind it."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from cluster import balancer
from cluster.config import Frontend, default_config
from testing.waiting import wait_for
from workloads.storage.server import free_port

SHIPPED = Path("workloads/manifests/base/haproxy.cfg")
ANSWER = b"as long as the gateway waits for one\n"


class Replica(ThreadingHTTPServer):
    """Healthy at once; an answer comes when it is let go."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked, self.let_go = threading.Event(), threading.Event()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replica

    def do_GET(self) -> None:
        if not self.path.startswith("/health"):
            self.server.asked.set()
            self.server.let_go.wait(30)
        self.send_response(200)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        pass


class Way:
    """Balancer and gateway of the shipped configurations in front of one replica, each with its own log."""

    def __init__(self, folder: Path, replica: Replica) -> None:
        self.replica, self.port = replica, free_port()
        gateway_port = free_port()
        self.gateway = _start(folder / "gateway", _gateway(gateway_port, replica.server_address[1]))
        self.balancer = _start(folder / "balancer", _balancer(self.port, gateway_port, folder / "balancer.sock"))
        self.balancer_log = folder / "balancer.log"

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def end(self) -> None:
        for process in (self.balancer, self.gateway):
            process.kill()
            process.wait()


def _start(place: Path, configuration: str) -> subprocess.Popen[bytes]:
    place.with_suffix(".cfg").write_text(configuration)
    with place.with_suffix(".log").open("wb") as log:
        command = ["haproxy", "-db", "-f", str(place.with_suffix(".cfg"))]
        return subprocess.Popen(command, stdout=log, stderr=log, env={"POD_NAME": "gateway-a", "PATH": "/usr/sbin:/usr/bin:/bin"})


def _balancer(port: int, gateway_port: int, socket: Path) -> str:
    one = Frontend("inference", port, gateway_port, "/gateway-health", nodes=("cpu-a",))
    text = balancer.render(replace(default_config(), frontends=(one,)), str(socket))
    return re.sub(r"(  server cpu-a) \S+:(\d+)", r"\1 127.0.0.1:\2", text)


def _gateway(port: int, replica_port: int) -> str:
    """The shipped configuration, but for addresses: no DNS here, and one replica."""
    text = SHIPPED.read_text()
    for pattern, by in {
        r"resolvers cluster\n(?:  .*\n)+": "",
        r" resolvers cluster init-addr none": "",
        r"bind :8080": f"bind 127.0.0.1:{port}",
        r"bind :8404": f"bind 127.0.0.1:{free_port()}",
        r"  server-template .*\n": f"  server replica1 127.0.0.1:{replica_port}\n",
        r"  server service .*\n": "",
    }.items():
        text, count = re.subn(pattern, by, text)
        assert count == 1, f"{SHIPPED} has {count} times {pattern}"
    return text


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    replica = Replica()
    serving = threading.Thread(target=replica.serve_forever)
    serving.start()
    way = Way(tmp_path, replica)
    try:
        wait_for(lambda: _status(lambda: way.get("/gateway-health")) == 200, "the balancer reaches the gateway")
        yield way
    finally:
        way.end()
        replica.let_go.set()
        replica.shutdown()
        serving.join()
        replica.server_close()


def _status(ask: Callable[[], requests.Response]) -> int:
    try:
        return ask().status_code
    except requests.ConnectionError:
        return 0


def _under_way(way: Way, pool: ThreadPoolExecutor) -> Future[requests.Response]:
    asked = pool.submit(way.get, "/v1/completions")
    assert way.replica.asked.wait(30)
    return asked


def test_the_longest_answer_under_way_comes_whole(way: Way) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = _under_way(way, pool)
        begun = time.monotonic()
        way.gateway.send_signal(signal.SIGUSR1)
        wait_for(lambda: "is stopping" in way.balancer_log.read_text(), "the balancer sends it nothing new")
        # as long as the gateway waits for an answer, less a margin: later it would ask again by itself
        way.replica.let_go.wait(max(0.0, begun + _waits_for_an_answer_s() - 0.5 - time.monotonic()))
        way.replica.let_go.set()
        assert (answer.result().status_code, answer.result().content) == (200, ANSWER)
    assert way.gateway.wait(60) == 0


def test_a_gateway_that_stops_gets_nothing_new(way: Way) -> None:
    way.gateway.send_signal(signal.SIGUSR1)
    wait_for(lambda: _status(lambda: way.get("/v1/completions")) == 503, "no gateway is left for new requests")
    assert "conditionally succeeded" in way.balancer_log.read_text()


def test_a_gateway_that_stops_is_ready_still(way: Way) -> None:
    """Kubernetes sends a pod that is neither ready nor serving no packet: the balancer could not hear that it stops."""
    way.gateway.send_signal(signal.SIGUSR1)
    wait_for(lambda: "is stopping" in way.balancer_log.read_text(), "the balancer hears 404")
    port = re.search(r"bind 127.0.0.1:(\d+)\n  unique", (way.balancer_log.with_name("gateway.cfg")).read_text())
    assert port
    assert requests.get(f"http://127.0.0.1:{port[1]}/ready", timeout=5).status_code == 200


def _waits_for_an_answer_s() -> float:
    found = re.search(r"timeout server (\d+)s", SHIPPED.read_text())
    assert found
    return float(found[1])
