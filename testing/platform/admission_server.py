"""A validating webhook that denies whatever it is asked about, served over TLS from this machine."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from testing.answering import answering
from testing.platform.certificates import self_signed

REASON = "privileged pods need a ticket"


class Denial(BaseHTTPRequestHandler):
    """Answers every AdmissionReview with no."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": REASON}}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def denying(folder: Path, address: str) -> Iterator[tuple[str, bytes]]:
    """Serve at ``address`` for the length of the block, with a certificate of its own in ``folder``; return URL and CA (PEM)."""
    key, certificate = self_signed(folder, "webhook", address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer((address, 0), Denial)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with answering(server):
        yield f"https://{address}:{server.server_port}/", certificate.read_bytes()


def address_towards(host: str, port: int) -> str:
    """Return the address at which ``host`` sees this machine."""
    with socket.create_connection((host, port), timeout=5) as connection:
        return str(connection.getsockname()[0])


def configuration(name: str, namespace: str, client: dict[str, object]) -> dict[str, object]:
    """Return a ValidatingWebhookConfiguration that asks ``client`` about every pod that is made in ``namespace``."""
    webhook = {
        "name": "guard.acme.example",
        "clientConfig": client,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 2,
    }
    meta = {"name": name}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": meta, "webhooks": [webhook],
    }  # fmt: skip


def asked_at(url: str, ca: bytes) -> dict[str, object]:
    """Return the client part of a webhook that is served at ``url``."""
    return {"url": url, "caBundle": base64.b64encode(ca).decode()}
