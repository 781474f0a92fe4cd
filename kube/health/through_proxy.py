"""Asking through ``pods/proxy``: the API server itself goes to the pod's address. A control plane may have no route there.

It passes headers on, except those that it needs itself: who asks with Host or Authorization is not heard as the kubelet is.
"""

from __future__ import annotations

from urllib.parse import quote

import orjson
import urllib3

from kube.client import Platform
from kube.connection.bounded_client import CONNECT_S
from kube.health.answer import Answer
from kube.health.questions import HttpQuestion, Question
from kube.objects import Pod
from target.secrets.hiding import excerpt

ITS_OWN = {"host", "authorization"}  # headers of the API server's
STATUS = (b'"kind":"Status"', b'"apiVersion":"v1"')
FAILED = b"error trying to reach service"  # in its words, whatever their case
SAFE = "/?&=%:@!$'()*+,;~"  # of a path with its query


def can_ask(question: Question) -> bool:
    """Tell whether the kubelet's question would arrive as it is."""
    return isinstance(question, HttpQuestion) and not question.host and not any(name.lower() in ITS_OWN for name, _ in question.headers)


def ask(platform: Platform, pod: Pod, question: HttpQuestion) -> Answer:
    """Ask a pod; what the API server says in its own name is no answer of the pod's."""
    thing = f"{'https:' if question.secure else ''}{pod.metadata.name}:{question.port}"
    where = f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{thing}/proxy{quote(question.path, safe=SAFE)}"
    method, url, headers, body, form = platform.api.param_serialize("GET", where, auth_settings=["BearerToken"])
    try:
        response = platform.api.call_api(
            method, url, {**headers, **dict(question.headers)}, body, form, _request_timeout=(CONNECT_S, question.limit_s)
        )
        said: bytes = response.read()
    except urllib3.exceptions.HTTPError:
        return Answer(None, f"nothing within {question.limit_s:g} s")
    if not own(response.status, said):
        return Answer(question.answered(response.status), str(response.status))
    return Answer(None, f"nothing: the API server says {response.status} {words(said)}")


def own(status: int, said: bytes) -> bool:
    """Tell whether an answer is the API server's own: a Status object, or that it could not reach the pod."""
    compact = said[:2000].replace(b" ", b"").replace(b"\n", b"")
    return status >= 400 and (FAILED in said.lower() or all(part in compact for part in STATUS))


def words(said: bytes) -> str:
    """Return what the API server says, for people."""
    try:
        return excerpt(str(orjson.loads(said)["message"]), 300)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return excerpt(said.decode(errors="replace").strip(), 300)
