"""An API server on loopback that answers as little as a connection needs, and programs in an exec plugin's place."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from history.errors import TargetRefused
from kube.client import Platform, connect
from target.target import Target
from testing.answering import answering
from testing.platform.fake_cluster import local_target
from testing.platform.targets import in_region

CONTEXT = "staging"
API_VERSION = "client.authentication.k8s.io/v1"


class Asked(NamedTuple):
    """One request; a header may stand more than once."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Answer(NamedTuple):
    """What is said to a request."""

    status: int
    body: dict[str, Any] | bytes
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


def failure(status: int, message: str, **headers: str) -> Answer:
    return Answer(
        status, {"kind": "Status", "message": message, "code": status}, {name.replace("_", "-"): text for name, text in headers.items()}
    )


@dataclass
class KubeApi:
    """What was asked, and ``answer``: what is said to it; None: what an empty cluster says. ``date``: its header Date, if not the time."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer | None] = lambda _: None
    date: str = ""

    def sent(self, name: str) -> list[str]:
        """Return the values of a header of the last request."""
        return self.asked[-1].values(name)


def _empty(asked: Asked) -> Answer:
    if "/version" in asked.path:
        words = ("major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
        return Answer(200, dict.fromkeys(words, "1"))
    return Answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})


@contextmanager
def kube_api(certificate: tuple[Path, Path] | None = None) -> Iterator[KubeApi]:
    """Serve until the block ends; with a key and a certificate over TLS."""
    api = KubeApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def date_time_string(self, timestamp: float | None = None) -> str:
            return api.date or super().date_time_string(timestamp)

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, list(self.headers.items()), body)
            api.asked.append(asked)
            status, said, headers = api.answer(asked) or _empty(asked)
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(data))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1], certificate[0])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    api.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    with answering(server):
        yield api


def kubeconfig(server: str, user: dict[str, Any] | None = None, context: str = CONTEXT, **cluster: object) -> dict[str, Any]:
    """Return a kubeconfig of one context, whose user has a token unless ``user`` says otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": f"of-{context}", "cluster": {"server": server} | {key.replace("_", "-"): value for key, value in cluster.items()}}
        ],
        "users": [{"name": f"of-{context}", "user": {"token": "an-opaque-token"} if user is None else user}],
        "contexts": [{"name": context, "context": {"cluster": f"of-{context}", "user": f"of-{context}"}}],
        "current-context": context,
    }


def write_target(folder: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Target:
    """Write a kubeconfig into ``folder`` and return a target that leads to it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig(server, user, CONTEXT, **cluster)))
    return in_region(local_target(kubeconfig=str(file), context=CONTEXT), server=server)


@dataclass(frozen=True)
class Plugin:
    """An exec plugin: a program that counts its runs in a file beside it, then does what ``body`` says (Python)."""

    folder: Path
    body: str

    @property
    def user(self) -> dict[str, Any]:
        """Write it; return a user of a kubeconfig that has it."""
        file = self.folder / "plugin"
        begin = f"#!{sys.executable} -S\nimport json, os, sys, time\nopen({str(self.folder / 'runs')!r}, 'a').write('x')\n"
        file.write_text(begin + self.body)
        file.chmod(0o755)
        return {"exec": {"apiVersion": API_VERSION, "command": "./plugin", "interactiveMode": "Never"}}

    @property
    def runs(self) -> int:
        file = self.folder / "runs"
        return len(file.read_text()) if file.exists() else 0


def hands_over(token: str = "", **status: str) -> str:
    """Return the body of a plugin that works."""
    said = {"apiVersion": API_VERSION, "kind": "ExecCredential", "status": ({"token": token} if token else {}) | status}
    return f"print(json.dumps({said!r}))\n"


FAILS = "sys.exit('SSO session has expired or is invalid; run aws sso login')\n"


def ask(platform: Platform) -> None:
    """Send a request."""
    platform.pods_in("llm")


def refused(folder: Path, api: KubeApi, user: dict[str, Any] | None, **cluster: Any) -> str:
    """Return in what words a target that leads to ``api`` is refused, in one line."""
    with pytest.raises(TargetRefused) as error:
        connect(write_target(folder, api.url, user, **cluster))
    assert "\n" not in str(error.value)
    return str(error.value)
