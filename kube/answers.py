"""What the API server's errors mean, and who can help, in one sentence."""

from __future__ import annotations

import re

import orjson
import urllib3
from kubernetes.client.exceptions import ApiException

from kube.connection.errors import NoCredentials
from target.secrets.hiding import excerpt

NEXT_STEP = {
    401: "renew the credentials of the target's context",
    403: "grant the permission to the account of the target's context",
    404: "check the name and that it was not removed meanwhile",
    409: "somebody else changed it at the same time: look at it, then try again",
    429: "the API server asks for patience: try again",
}
ADMISSION = {
    "exceeded quota": "raise that quota, or remove what uses it up",
    "failed quota": "let a LimitRange give what the quota asks for, or relax the quota",
    "violates PodSecurity": "see the namespace's label pod-security.kubernetes.io/enforce",
    "ValidatingAdmissionPolicy": "ask whoever wrote that policy",
    "admission webhook": "ask whoever runs that webhook",
    "failed calling webhook": "ask whoever runs that webhook",
    "HTTP request to an HTTPS server": "write https:// in server, in the kubeconfig and in the target file",
}
"""What admission says, or the way in, in the API server's words, and who can help: no permission does, although it may answer 403."""
HANDSHAKE = re.compile(r"Handshake status (\d+) (.*?) -\+-\+- .* -\+-\+- (.*)", re.DOTALL)
OURS_REFUSED = "it does not accept the client certificate of the kubeconfig's user, which may have expired: renew it"
IN_ITS_PLACE = "something answers in its place: see server, and what stands before it, such as a log-in"
ON_THE_WAY = (
    ("no answer of Kubernetes", IN_ITS_PLACE),
    ("certificate has expired", "its certificate has expired: whoever runs the API server, or what stands before it, renews it"),
    ("certificate is not yet valid", "its certificate is not valid yet: compare the clock of this machine with the API server's"),
    ("mismatch, certificate is not valid for", "its certificate names another host: correct server, or write tls-server-name"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not from the CA in the kubeconfig: correct it, or see who stands in between"),
    ("ALERT_CERTIFICATE", OURS_REFUSED),
    ("ALERT_BAD_CERTIFICATE", OURS_REFUSED),
    ("ALERT_UNKNOWN_CA", OURS_REFUSED),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS there: write http:// in server"),
    ("RECORD_LAYER_FAILURE", "it speaks no TLS there: write http:// in server"),
)
"""Words of an error on the way to the API server, most of them OpenSSL's -> what it means, the first that is there."""


def explained(error: ApiException | urllib3.exceptions.HTTPError) -> str:
    """Return what the API server answered, or that it did not, and what to do next."""
    if isinstance(error, NoCredentials):
        return str(error)
    if isinstance(error, ApiException) and (status := status_of(error)):
        said = message_of(error)
        by_status = IN_ITS_PLACE if _is_page(error) else NEXT_STEP.get(status, "see the API server's log")
        step = next((step for words, step in ADMISSION.items() if words in said), by_status)
        return f"the API server answered {status} {said}; {step}"
    step = next((step for words, step in ON_THE_WAY if words in str(error)), "check that it is up and reachable")
    said = excerpt(" ".join(str(error.reason).split()), 300) if isinstance(error, ApiException) else first_line(error)
    return f"no answer from the API server ({said}); {step}"


def status_of(error: ApiException) -> int:
    """Return the HTTP status of an answer, also of one that opens no WebSocket, which the library hides in a text; 0: there was none."""
    hidden = HANDSHAKE.match(str(error.reason))
    return int(error.status or (hidden[1] if hidden else 0))


def message_of(error: ApiException) -> str:
    """Return the API server's own words in an error."""
    hidden = HANDSHAKE.match(str(error.reason))
    body, otherwise = (hidden[3], hidden[2]) if hidden else (error.body, error.reason)
    try:
        return str(orjson.loads(body or b"{}").get("message") or otherwise)
    except (orjson.JSONDecodeError, AttributeError):
        return _text(body or "") or str(otherwise)


def _is_page(error: ApiException) -> bool:
    """Tell whether an answer is a page for people: no API server says a thing so."""
    body = error.body or b""
    return (body if isinstance(body, bytes) else str(body).encode()).lstrip()[:1] == b"<"


def _text(body: str | bytes) -> str:
    """Return an answer that is a text for people; empty: it is a page, or something else."""
    said = " ".join((body.decode(errors="replace") if isinstance(body, bytes) else body).split())
    return "" if said[:1] in {"<", "[", "{"} else excerpt(said, 300)


def first_line(error: BaseException) -> str:
    """Return the class and the first line of an error."""
    return excerpt(f"{type(error).__name__}: {error}".splitlines()[0], 300)
