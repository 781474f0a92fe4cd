"""An API server on loopback whose pods are programs of this machine, and whose ways to them work or fail as those of real clusters.

A pod's address is loopback, a container's port is a real port, a command in a container is a process of this machine. So what is asked
through ``pods/proxy``, ``pods/portforward`` and ``pods/exec`` really arrives.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kubernetes import client
from websocket import ABNF
from websocket._abnf import frame_buffer

from kube.client import Platform, platform_over
from kube.connection.bounded_client import BoundedClient
from testing.answering import answering
from testing.platform.fake_cluster import local_target

POD = re.compile(r"/api/v1/namespaces/[^/]+/pods/([^/]+)/(proxy|portforward|exec)(/.*)?")
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
NO_ROUTE = "error trying to reach service: dial tcp 10.0.0.9:8000: i/o timeout"
HIS_OWN = {"host", "authorization", "accept-encoding", "connection"}


@dataclass
class Cluster:
    """``fails``: way (proxy, portforward, exec) -> how: ``no route``, ``hangs`` or ``forbidden``; and what was asked through each."""

    fails: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def cluster_of(**fails: str) -> Iterator[tuple[Cluster, Platform]]:
    """Run the API server; yield it with a platform that is connected to it."""
    made = Cluster(fails)

    class Handler(ApiServer):
        cluster = made

    with serving(Handler) as port:
        target = local_target(server=f"http://127.0.0.1:{port}")
        api = BoundedClient(client.Configuration(host=f"http://127.0.0.1:{port}"))
        try:
            yield made, platform_over(target, api)
        finally:
            made.over.set()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server on loopback and yield its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with answering(server):
        yield server.server_port


def app(answer: Callable[[str, dict[str, str]], int]) -> type[BaseHTTPRequestHandler]:
    """Return a program in a container: a server that answers by ``answer(path, headers)``, a status; 302 leads to /elsewhere."""

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return App


class ApiServer(BaseHTTPRequestHandler):
    """Answers one connection; ``cluster`` says how."""

    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["spec"]["resourceAttributes"]
        allowed = self.cluster.fails.get(str(asked.get("subresource"))) != "forbidden"
        body = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}, "status": {"allowed": allowed}}
        self._send(201, body)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        match = POD.fullmatch(url.path)
        if match is None:
            self._send(404, status(404, f"the double has no {self.path}"))
            return
        name, way, path = match[1], match[2], f"{match[3] or '/'}{'?' + url.query if url.query else ''}"
        self.cluster.asked.append(way)
        if not self._fails(self.cluster.fails.get(way, "")):
            query = parse_qsl(url.query)
            {"proxy": lambda: self._proxy(name, path), "portforward": lambda: self._forward(query), "exec": lambda: self._exec(query)}[
                way
            ]()

    def _fails(self, how: str) -> bool:
        if how == "hangs":
            self.cluster.over.wait()
            self.close_connection = True
        elif how:
            self._send(*((403, status(403, "no")) if how == "forbidden" else (503, status(503, NO_ROUTE))))
        return bool(how)

    def _proxy(self, name: str, path: str) -> None:
        scheme, port = name.split(":", maxsplit=1)[0], int(name.rsplit(":", maxsplit=1)[-1])
        headers = {key: value for key, value in self.headers.items() if key.lower() not in HIS_OWN}
        connection = (
            http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())  # noqa: S323
            if scheme == "https"
            else http.client.HTTPConnection("127.0.0.1", port)
        )
        try:
            connection.request("GET", path, headers=headers)
            self._send(connection.getresponse().status, None)
        except OSError as error:
            self._send(503, status(503, f"error trying to reach service: {error}"))

    def _forward(self, query: list[tuple[str, str]]) -> None:
        port = int(dict(query)["ports"])
        self._upgrade()
        for channel in (0, 1):
            self._say(channel, port.to_bytes(2, "little"))
        try:
            pod = socket.create_connection(("127.0.0.1", port))
        except OSError as error:
            self._say(1, str(error).encode())
            return
        threading.Thread(target=self._back, args=(pod,), daemon=True).start()
        for message in self._heard():
            pod.sendall(message[1:])
        pod.close()

    def _back(self, pod: socket.socket) -> None:
        with suppress(OSError):
            while data := pod.recv(65536):
                self._say(0, data)
            self._frame(b"", ABNF.OPCODE_CLOSE)

    def _exec(self, query: list[tuple[str, str]]) -> None:
        self._upgrade()
        ended = subprocess.run([value for key, value in query if key == "command"], capture_output=True, check=False)
        said = {"status": "Success"}
        if ended.returncode:
            words = f"command terminated with non-zero exit code: exit code {ended.returncode}"
            said = {"status": "Failure", "reason": "NonZeroExitCode", "message": words}
        for channel, data in ((1, ended.stdout), (2, ended.stderr), (3, json.dumps(said).encode())):
            self._say(channel, data)
        self._frame(b"", ABNF.OPCODE_CLOSE)

    def _upgrade(self) -> None:
        key = b64encode(sha1((self.headers["sec-websocket-key"] + GUID).encode()).digest()).decode()  # noqa: S324 - as RFC 6455 says
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", key)):
            self.send_header(name, value)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True

    def _heard(self) -> Iterator[bytes]:
        frames = frame_buffer(lambda size: self.rfile.read(size) or _left(), skip_utf8_validation=True)
        with suppress(OSError):
            while (frame := frames.recv_frame()).opcode != ABNF.OPCODE_CLOSE:
                yield frame.data if isinstance(frame.data, bytes) else frame.data.encode()

    def _say(self, channel: int, data: bytes) -> None:
        self._frame(bytes((channel,)) + data, ABNF.OPCODE_BINARY)

    def _frame(self, data: bytes, opcode: int) -> None:
        frame = ABNF.create_frame(data, opcode)
        frame.mask_value = 0
        self.wfile.write(frame.format())

    def _send(self, code: int, body: object) -> None:
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def _left() -> bytes:
    raise ConnectionAbortedError("the client left")


def status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
