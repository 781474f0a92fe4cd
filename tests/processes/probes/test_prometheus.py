"""How a Prometheus lets us in: a real one behind TLS, a password or a client certificate; a gateway that asks for tokens and headers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import NoData
from probes.prometheus import query
from testing.platform.fake_cluster import local_target
from testing.waiting import wait_for

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
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
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
    with prometheus(tmp_path, certificates, basic_auth_users={"suite": HASHED}) as url:
        ca = str(certificates / "ca.pem")
        assert asked(url=url, ca_file=ca, auth={"basic_env": "PROM_LOGIN"}) == 3
        for auth in (None, {"basic_env": "PROM_WRONG"}):
            with pytest.raises(NoData, match=r"Status Code 401.*see its auth and headers in the target file") as refused:
                asked(url=url, ca_file=ca, auth=auth)
            assert "another word" not in str(refused.value)
        with pytest.raises(NoData, match=r"does not answer \(SSLError"):
            asked(url=url, auth={"basic_env": "PROM_LOGIN"})


@needs_prometheus
def test_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    mutual = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": str(certificates / "ca.pem")}
    with prometheus(tmp_path, certificates, tls=mutual) as url:
        ca, shown = str(certificates / "ca.pem"), {"cert": str(certificates / "client.pem"), "key": str(certificates / "client.key")}
        assert asked(url=url, ca_file=ca, auth={"client_cert": shown}) == 3
        with pytest.raises(NoData, match="does not answer"):
            asked(url=url, ca_file=ca)


class Gateway(ThreadingHTTPServer):
    """Answers every query with 3 if a request has the headers ``wanted``, else with 401; ``body`` instead, if it is set."""

    body = b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "3"]}]}}'

    def __init__(self) -> None:
        self.wanted: dict[str, str] = {}
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        known = all(self.headers.get(name) == value for name, value in self.server.wanted.items())
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url_of(gateway: Gateway) -> str:
    return f"http://127.0.0.1:{gateway.server_port}/base/"


def test_a_token_and_headers_are_sent_and_the_url_is_kept_as_it_is_written(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROM_TOKEN", "planted-token")
    monkeypatch.setenv("TENANT", "blue")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # what it says of this host must not take the token's place
    gateway.wanted = {"Authorization": "Bearer planted-token", "X-Scope-OrgID": "blue", "x-team": "ml"}
    headers = {"X-Scope-OrgID": {"env": "TENANT"}, "x-team": "ml"}
    assert asked(url=url_of(gateway), auth={"bearer_env": "PROM_TOKEN"}, headers=headers) == 3
    assert gateway.paths[0].startswith("/base/api/v1/query?")
    with pytest.raises(NoData, match="401"):
        asked(url=url_of(gateway), headers=headers)


def test_a_token_that_was_rotated_is_read_again(gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        gateway.wanted = {"Authorization": f"Bearer {token}"}
        assert asked(url=url_of(gateway), auth={"token_file": str(file)}) == 3
    file.unlink()
    with pytest.raises(NoData, match="FileNotFoundError"):
        asked(url=url_of(gateway), auth={"token_file": str(file)})


@pytest.mark.parametrize(
    "body",
    [b'{"message": "rate limit"}', b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "3"]}}', b"[]", b"<html>"],
    ids=["a proxy's own words", "a scalar", "a list", "a page"],
)
def test_an_answer_that_is_none_is_no_data(gateway: Gateway, body: bytes) -> None:
    gateway.body = body
    with pytest.raises(NoData, match=r"Prometheus at http"):
        asked(url=url_of(gateway))
