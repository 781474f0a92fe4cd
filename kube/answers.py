"""What the API server's errors mean, and who can help, in one sentence."""

from __future__ import annotations

import orjson
import urllib3
from kubernetes.client.exceptions import ApiException

from kube.connection.errors import NoCredentials

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
}
"""What admission says, in words of the API server, and who can help: no permission does, although it may answer 403."""
OTHER_CA = "its certificate is not from the CA in the kubeconfig: correct certificate-authority, or see who stands in between"


def explained(error: ApiException | urllib3.exceptions.HTTPError) -> str:
    """Return what the API server answered, or that it did not, and what to do next."""
    if isinstance(error, NoCredentials):
        return str(error)
    if isinstance(error, ApiException) and error.status:
        said = message_of(error)
        by_status = NEXT_STEP.get(error.status, "see the API server's log")
        step = next((step for words, step in ADMISSION.items() if words in said), by_status)
        return f"the API server answered {error.status} {said}; {step}"
    step = OTHER_CA if "CERTIFICATE_VERIFY_FAILED" in str(error) else "check that it is up and reachable"
    said = " ".join(str(error.reason).split())[:300] if isinstance(error, ApiException) else first_line(error)
    return f"no answer from the API server ({said}); {step}"


def message_of(error: ApiException) -> str:
    """Return the API server's own words in an error."""
    try:
        return str(orjson.loads(error.body or b"{}").get("message") or error.reason)
    except (orjson.JSONDecodeError, AttributeError):
        return str(error.reason)


def first_line(error: BaseException) -> str:
    """Return the class and the first line of an error."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
