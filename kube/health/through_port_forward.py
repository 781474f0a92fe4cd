"""Asking through ``pods/portforward``: the pod's kubelet connects to the port on its own node. It works wherever logs and exec do.

The kubelet connects to the pod's loopback, so what a server does with its pod's own address is not seen.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import PortForward
from websocket import WebSocketException

from kube.answers import message_of
from kube.channels import open_channels
from kube.client import Platform
from kube.health.answer import Answer
from kube.health.questions import HttpQuestion, Question, TcpQuestion
from kube.objects import Pod
from kube.wait import until

OPEN_S = 2.0  # for API server and kubelet to agree, before the pod is asked
REDIRECTS = 10  # that a kubelet follows
STAYS_S = 1.0  # a connection that was refused is gone by then; nobody says so of one that opened
POLL_S = 0.02
LOOPBACK = {"", "localhost", "127.0.0.1", "::1"}
AGENT = {"User-Agent": "kube-probe/aftershock", "Accept": "*/*", "Connection": "close"}


class Forward(PortForward):
    """A forwarded port; an error on the way ends it like the other side's goodbye, and nobody hears a traceback of its thread."""

    def _proxy(self) -> None:
        with suppress(WebSocketException, OSError, RuntimeError, ValueError):
            super()._proxy()  # type: ignore[no-untyped-call]  # the library's own has no types
        for port in self.local_ports.values():
            port.python.close()
        self.websocket.shutdown()


def can_ask(question: Question) -> bool:
    """Tell whether the kubelet's question would arrive as it is."""
    return isinstance(question, HttpQuestion | TcpQuestion) and question.host in LOOPBACK


def ask(platform: Platform, pod: Pod, question: HttpQuestion | TcpQuestion) -> Answer:
    """Ask a pod; who does not speak within the limit, or does not listen, has not answered."""
    try:
        if isinstance(question, TcpQuestion):
            return _connects(platform, pod, question)
        return _get(platform, pod, question)
    except ApiException as error:
        return Answer(None, f"nothing: {message_of(error)}")


def _connects(platform: Platform, pod: Pod, question: TcpQuestion) -> Answer:
    with forwarded(platform, pod, question.port, question.limit_s) as (forward, _):
        gone = until(lambda: forward.error(question.port) or not forward.connected, min(STAYS_S, question.limit_s), POLL_S)
    return Answer(None, f"no connection: {gone}") if gone else Answer(True, "a connection")


def _get(platform: Platform, pod: Pod, question: HttpQuestion) -> Answer:
    path, end_s = question.path, time.monotonic() + OPEN_S + question.limit_s
    for _ in range(REDIRECTS):
        answer, path = _get_once(platform, pod, question._replace(path=path))
        if not path or time.monotonic() > end_s:
            break
    return answer


def _get_once(platform: Platform, pod: Pod, question: HttpQuestion) -> tuple[Answer, str]:
    """Ask once; return the answer, and to which path of the same host it leads on (empty: to none)."""
    with forwarded(platform, pod, question.port, question.limit_s) as (forward, plain):
        try:
            with closing(_unchecked().wrap_socket(plain) if question.secure else plain) as sock:
                sock.sendall(request(pod, question))
                response = http.client.HTTPResponse(sock, method="GET")
                response.begin()
        except TimeoutError:
            return Answer(None, f"nothing within {question.limit_s:g} s"), ""
        except (OSError, http.client.HTTPException) as error:
            return Answer(None, f"nothing: {forward.error(question.port) or type(error).__name__}"), ""
    with closing(response):
        return Answer(question.answered(response.status), str(response.status)), _leads_to(question, response)


@contextmanager
def forwarded(platform: Platform, pod: Pod, port: int, limit_s: float) -> Iterator[tuple[Any, Any]]:
    """Forward a port of a pod; yield it with the socket that leads there. Raises ApiException: no kubelet forwards it within 2 s."""
    path = f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}/portforward"
    opened: Any = Forward
    forward = opened(open_channels(platform, path, [("ports", str(port))], OPEN_S), [port])
    sock = forward.socket(port)
    sock.settimeout(limit_s)
    try:
        yield forward, sock
    finally:
        sock.close()


def request(pod: Pod, question: HttpQuestion) -> bytes:
    """Return the request as a kubelet would write it: its headers win, Host is the pod's address unless they say otherwise."""
    named = {"Host": f"{question.host or pod.status.pod_ip}:{question.port}"} | AGENT
    given = {name.title(): value for name, value in question.headers}
    lines = [f"GET {question.path} HTTP/1.1", *(f"{name}: {value}" for name, value in (named | given).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _unchecked() -> ssl.SSLContext:
    """Return TLS without a look at certificates: a kubelet has none to compare with, and this one is asked on its pod's own loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _leads_to(question: HttpQuestion, response: http.client.HTTPResponse) -> str:
    where = response.getheader("Location", "")
    if not (300 <= response.status < question.below and where):
        return ""
    here = urlsplit(urljoin("//pod" + question.path, where))
    return (here.path or "/") + (f"?{here.query}" if here.query else "") if here.netloc == "pod" else ""
