"""A real Prometheus: behind TLS, a password or a client certificate; and what it says of series that it scraped every 30 s."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml

from history.errors import NoData
from probes.prometheus.gauge import find, read
from probes.prometheus.values import query
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import WAITING
from testing.waiting import wait_for
from workloads.storage.server import free_port

PASSWORD = "a long planted word"  # noqa: S105 - made for this test
HASHED = "$2b$04$yujkotHDdVXayJy9SnOQV.N5HRnbX0G/5mzB4IWqW9spswS54l.sC"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="Prometheus is not installed: make setup names its package"
)


def asked(promql: str = "vector(3)", **declared: Any) -> float | None:
    return query(local_target(prometheus=declared).only_region(), promql)


def openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CA, a server's certificate for 127.0.0.1 and a client's, all of that CA."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem", folder=folder)
    for name, usage in (("server", "serverAuth"), ("client", "clientAuth")):
        (folder / "extensions").write_text(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=folder)
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "extensions", "-out", f"{name}.pem", folder=folder,
        )  # fmt: skip
    return folder


@contextmanager
def prometheus(folder: Path, certificates: Path, **web: Any) -> Iterator[str]:
    """Run a real Prometheus behind TLS with the web configuration ``web``; return its URL."""
    tls = {"cert_file": str(certificates / "server.pem"), "key_file": str(certificates / "server.key")} | web.pop("tls", {})
    (folder / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls} | web))
    (folder / "prometheus.yml").write_text("{}")
    address = f"127.0.0.1:{free_port()}"
    options = {"config.file": "prometheus.yml", "web.config.file": "web.yml", "storage.tsdb.path": "data"}
    command = ["prometheus", f"--web.listen-address={address}", *(f"--{name}={folder / value}" for name, value in options.items())]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: process.poll() is not None or "ready to receive web requests" in (folder / "log").read_text(), "Prometheus runs")
        assert process.poll() is None, (folder / "log").read_text()
        yield f"https://{address}/"
    finally:
        process.terminate()
        process.wait(30)


@needs_prometheus
def test_a_password_over_checked_tls(tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_LOGIN", f"suite:{PASSWORD}")
    monkeypatch.setenv("PROM_WRONG", "suite:another word")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # of the machine's administrator: it must not take ca_file's place
    with prometheus(tmp_path, certificates, basic_auth_users={"suite": HASHED}) as url:
        ca = str(certificates / "ca.pem")
        assert asked(url=url, ca_file=ca, auth={"basic_env": "PROM_LOGIN"}) == 3
        for auth in (None, {"basic_env": "PROM_WRONG"}):
            with pytest.raises(
                NoData, match=r"answers HTTP 401: Unauthorized: it does not let the suite in; see its auth and headers"
            ) as refused:
                asked(url=url, ca_file=ca, auth=auth)
            assert "another word" not in str(refused.value)
        with pytest.raises(NoData, match="shows a certificate that is not trusted here; write its CA's file as ca_file"):
            asked(url=url, auth={"basic_env": "PROM_LOGIN"})


@needs_prometheus
def test_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    mutual = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": str(certificates / "ca.pem")}
    with prometheus(tmp_path, certificates, tls=mutual) as url:
        ca, shown = str(certificates / "ca.pem"), {"cert": str(certificates / "client.pem"), "key": str(certificates / "client.key")}
        assert asked(url=url, ca_file=ca, auth={"client_cert": shown}) == 3
        with pytest.raises(NoData, match="wants a client's certificate that it trusts; write auth"):
            asked(url=url, ca_file=ca)


def backfill(folder: Path, rows: Iterable[tuple[str, float, float]]) -> None:
    """Let the Prometheus of ``folder`` have these samples of vLLM's gauge: labels, value, time (s)."""
    lines = [f"{WAITING}{{{labels}}} {value:g} {at_s:.3f}" for labels, value, at_s in rows]
    (folder / "samples").write_text("\n".join([f"# TYPE {WAITING} gauge", *lines, "# EOF", ""]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@needs_prometheus
def test_series_that_are_scraped_every_30_s_and_by_two_monitors(tmp_path: Path, certificates: Path) -> None:
    now_s, every_s = time.time(), 30.0
    scrapes = [(pod, job) for pod in ("inference-a", "inference-b") for job in ("pods", "services")]
    made = [
        (f'namespace="ml-serving",pod="{pod}",job="{job}",engine="0"', now_s - 12 - i * every_s) for pod, job in scrapes for i in range(10)
    ]
    backfill(tmp_path, [(labels, 3.0, at_s) for labels, at_s in sorted(made, key=lambda row: row[1])])
    with prometheus(tmp_path, certificates) as url:
        region = local_target(prometheus={"url": url, "ca_file": str(certificates / "ca.pem")}).only_region()
        gauge = find(region, local_target().roles["inference"], "waiting")
        assert (gauge.every_s, gauge.selector) == (pytest.approx(every_s), f'{WAITING}{{namespace="ml-serving"}}')
        seen = read(gauge)
        assert (seen.value, seen.pods) == (6, {"inference-a", "inference-b"})
        assert seen.at_s == pytest.approx(now_s - 12, abs=1)
        assert query(region, f"sum({WAITING})") == 12
        with pytest.raises(NoData, match="has 2 values, one is meant"):
            query(region, WAITING)
        assert (query(region, "scalar(vector(4))"), query(region, "nothing_of_the_kind")) == (4, None)
        with pytest.raises(NoData, match=r"does not take sum\(.*parse error.*correct the query"):
            query(region, "sum(")
