"""Replicas are asked as their kubelet asks them, through whichever way this account has; who cannot be reached is not unhealthy."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
from kubernetes import client

from kube.health.choice import permissions_of_ways
from kube.health.questions import ExecQuestion, GrpcQuestion, HttpQuestion, TcpQuestion, questions_of
from kube.health.serving import serving
from runner.preflight.health_ways import asked_through, unasked
from target.role import Health
from testing.platform.certificates import self_signed
from testing.platform.pod_ways import app, cluster_of
from testing.platform.pod_ways import serving as running
from testing.platform.probed_pods import PATIENT_S, ROLE, command, http_get, plain_role, probed_pod, ready_through, tcp

WELL = app(lambda _path, _headers: 200)
SICK = app(lambda _path, _headers: 503)


@pytest.fixture(autouse=True)
def _a_machine_that_may_be_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.health.through_exec.BEGIN_S", 60.0)
    monkeypatch.setattr("kube.health.through_port_forward.OPEN_S", float(PATIENT_S))


def needs_header(_path: str, headers: dict[str, str]) -> int:
    return 200 if headers.get("x-probe") == "yes" else 403


def needs_host(_path: str, headers: dict[str, str]) -> int:
    return 200 if headers["host"] == "app.internal" else 421


def needs_query(path: str, _headers: dict[str, str]) -> int:
    return 200 if path == "/ready?full=1&of=%7Ball%7D" else 404


def leads_elsewhere(path: str, _headers: dict[str, str]) -> int:
    return 302 if path == "/health" else 503


@pytest.mark.parametrize(
    ("fails", "through"),
    [
        ({}, "HTTP through pods/proxy"),
        ({"proxy": "no route"}, "HTTP through pods/portforward"),
        ({"proxy": "hangs"}, "HTTP through pods/portforward"),
        ({"proxy": "forbidden"}, "HTTP through pods/portforward"),
        ({"proxy": "no route", "portforward": "forbidden"}, "HTTP through pods/exec"),
        ({"proxy": "no route", "portforward": "hangs"}, "HTTP through pods/exec"),
    ],
)
def test_the_first_way_that_reaches_the_pods_is_taken(fails: dict[str, str], through: str) -> None:
    with running(WELL) as port, cluster_of(**fails) as (cluster, platform):
        assert ready_through(platform, probed_pod(http_get(port))) == (1, through)
        assert asked_through(platform) == {ROLE: through}
        taken = through.split("/")[1]
        assert cluster.asked[-1] == taken
        assert {one.resource for one in permissions_of_ways(platform)} == {f"pods/{taken}"}


def test_a_pod_that_no_way_reaches_is_not_unhealthy_and_it_is_said() -> None:
    fails = {"proxy": "no route", "portforward": "forbidden", "exec": "forbidden"}
    with running(SICK) as port, cluster_of(**fails) as (_, platform):
        count, through = ready_through(platform, probed_pod(http_get(port)))
        assert count == 1
        assert through.startswith("by its condition: pods/proxy: nothing: the API server says 503 error trying to reach service: dial tcp")
        assert "pods/portforward: this account may not get pods/portforward in ml-serving" in through
        assert unasked(platform)[ROLE].startswith(f"answers of role {ROLE}: a replica that Kubernetes calls Ready counts as ready")
        assert permissions_of_ways(platform) == []


@pytest.mark.parametrize("fails", [{}, {"proxy": "no route"}, {"proxy": "no route", "portforward": "no route"}])
def test_what_the_app_says_through_any_way_counts(fails: dict[str, str]) -> None:
    with running(WELL) as proxy, running(SICK) as sick, cluster_of(**fails) as (_, platform):
        first_is_a_sidecar = probed_pod(http_get(proxy, "/healthz/ready"), http_get(sick))
        count, through = ready_through(platform, first_is_a_sidecar, probed_pod(http_get(proxy), name="gateway-b"))
        assert (count, "condition" in through) == (1, False)


@pytest.mark.parametrize("fails", [{}, {"proxy": "no route"}, {"proxy": "no route", "portforward": "no route"}])
def test_headers_and_query_arrive(fails: dict[str, str]) -> None:
    with running(app(needs_header)) as headed, running(app(needs_query)) as queried, cluster_of(**fails) as (_, platform):
        asked = probed_pod(http_get(headed, headers={"X-Probe": "yes"}), http_get(queried, "/ready?full=1&of=%7Ball%7D"))
        count, through = ready_through(platform, asked)
        assert (count, "condition" in through) == (1, False)


def test_a_host_that_pods_proxy_would_replace_is_asked_for_through_the_kubelet() -> None:
    with running(app(needs_host)) as port, cluster_of() as (_, platform):
        assert ready_through(platform, probed_pod(http_get(port, headers={"Host": "app.internal"}))) == (1, "HTTP through pods/portforward")


@pytest.mark.parametrize("fails", [{}, {"proxy": "no route"}, {"proxy": "no route", "portforward": "no route"}])
def test_https_is_asked_without_a_look_at_the_certificate(fails: dict[str, str], tmp_path: Path) -> None:
    key, certificate = self_signed(tmp_path, "app")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running(WELL, context) as port, cluster_of(**fails) as (_, platform):
        count, through = ready_through(platform, probed_pod(http_get(port, scheme="HTTPS")))
        assert (count, "condition" in through) == (1, False)


@pytest.mark.parametrize("fails", [{"proxy": "no route"}, {"proxy": "no route", "portforward": "no route"}])
def test_a_redirect_within_the_pod_is_followed(fails: dict[str, str]) -> None:
    with running(app(leads_elsewhere)) as port, cluster_of(**fails) as (_, platform):
        assert ready_through(platform, probed_pod(http_get(port)))[0] == 0


def test_a_replica_that_falls_silent_is_not_ready_once_a_way_is_proven() -> None:
    with cluster_of(proxy="no route") as (_, platform):
        with running(WELL) as port:
            asked = probed_pod(http_get(port))
            assert ready_through(platform, asked)[0] == 1
        assert serving(platform, ROLE, [asked]) == []


def test_connections_and_commands_are_asked_too() -> None:
    with running(WELL) as port, cluster_of() as (_, platform):
        well = probed_pod(tcp(port), command(sys.executable, "-c", "pass"))
        sick = probed_pod(tcp(port), command(sys.executable, "-c", "raise SystemExit(1)"), name="gateway-b")
        assert ready_through(platform, well, sick) == (1, "TCP through pods/portforward; exec through pods/exec")


def test_a_port_at_which_nobody_listens_is_silence() -> None:
    with cluster_of() as (_, platform):
        with running(WELL) as port:
            asked = probed_pod(tcp(port))
            assert ready_through(platform, asked)[0] == 1
        assert serving(platform, ROLE, [asked]) == []


def test_what_probes_ask_container_by_container() -> None:
    grpc = client.V1Probe(grpc=client.V1GRPCAction(port=9000))
    slow = http_get("http", "ready")
    slow.timeout_seconds = 30
    made = probed_pod(None, slow, command("true"), tcp(6379), grpc, http_get("nowhere"), ports=[("http", 8000)])
    made.spec.init_containers = [
        client.V1Container(name="migrates", readiness_probe=None),
        client.V1Container(name="istio-proxy", restart_policy="Always", readiness_probe=http_get(15021, "/healthz/ready")),
    ]
    assert questions_of(plain_role(), made) == (
        HttpQuestion(8000, "/ready", limit_s=5),
        ExecQuestion("c2", ("true",)),
        TcpQuestion(6379),
        GrpcQuestion(9000),
        HttpQuestion(15021, "/healthz/ready", limit_s=PATIENT_S),
    )


def test_the_roles_own_endpoint_is_asked_as_the_probe_of_its_port_is() -> None:
    role = plain_role().model_copy(update={"health": Health(port=8443, path="/live")})
    made = probed_pod(http_get(8443, scheme="HTTPS", headers={"X-Probe": "yes"}))
    assert questions_of(role, made) == (HttpQuestion(8443, "/live", 201, "HTTPS", "", (("X-Probe", "yes"),), PATIENT_S),)
    assert questions_of(role, probed_pod(tcp(1))) == (HttpQuestion(8443, "/live", 201),)
