"""What identifies the load reaches the server and no file; TLS is checked against the CA that the plan names."""

from __future__ import annotations

import http.server
import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from history.reader import read_run
from testing.answering import answering
from testing.load.load_runs import finish, start_load, write_load_plan
from testing.platform.certificates import self_signed

SECRET = "s3cret-of-the-load"  # noqa: S105 - made up
PADDING = "x" * 177  # so that a line of 200 characters ends within the key


class Quoting(http.server.BaseHTTPRequestHandler):
    """Refuses every request and quotes the key that it came with, as careless servers do."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(dict(self.headers.items()))
        body = json.dumps({"error": {"message": f"{PADDING} {self.headers['authorization']}"}}).encode()
        self.send_response_only(103)  # an interim answer is not the answer
        self.end_headers()
        self.send_response(401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@contextmanager
def quoting_server(certificate: Path) -> Iterator[tuple[int, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Quoting,), {"seen": seen}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that do not trust it hang up, as they should
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("localhost-key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with answering(server):
        yield server.server_address[1], seen


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate for 127.0.0.1; its key is beside it."""
    return self_signed(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")[1]


def test_the_key_is_sent_over_checked_tls_and_written_nowhere(tmp_path: Path, certificate: Path) -> None:
    identity = {"api_key_env": "LOAD_KEY", "headers": {"X-Team": "red"}}
    environment = os.environ | {"LOAD_KEY": SECRET + "\n"}
    known, unknown = tmp_path / "known-ca", tmp_path / "unknown-ca"
    with quoting_server(certificate) as (port, seen):
        for run_dir, ca_file in ((known, str(certificate)), (unknown, None)):
            write_load_plan(run_dir, f"https://127.0.0.1:{port}/prefix", horizon_s=0.3, ca_file=ca_file, **identity)
        loads = [start_load(run_dir, env=environment) for run_dir in (known, unknown)]
        assert [code for code, _, _ in map(finish, loads)] == [0, 0]
    requests = read_run(known).requests
    assert requests.height == len(seen) > 10
    assert {(headers["authorization"], headers["x-team"]) for headers in seen} == {(f"Bearer {SECRET}", "red")}
    assert "run-under-test-0-0" in {headers["x-request-id"] for headers in seen}
    assert requests["error"].unique().to_list() == [f"HTTP 401: {PADDING} Bearer ***"[:200]]
    assert [file for file in tmp_path.rglob("*") if file.is_file() and SECRET[:6].encode() in file.read_bytes()] == []
    refused = read_run(unknown).requests
    assert refused["outcome"].unique().to_list() == ["fail"]
    assert refused["error"].str.starts_with("SSLCertVerificationError: ").all()
