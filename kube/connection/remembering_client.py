"""One look at a cluster for many questions: what was asked once is answered from memory, and nothing is ever changed."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTResponse

from kube.connection.bounded_client import BoundedClient
from kube.connection.configuration import Configured

REVIEWS = "/selfsubjectaccessreviews"


class RememberingClient(BoundedClient):
    """Sends each reading, each question about a right and each dry run once, and refuses to send whatever would change something.

    Who waits for a state must use another client: here nothing ever becomes otherwise.
    """

    def __init__(self, configuration: Configured | None = None) -> None:
        super().__init__(configuration)
        self.sent = 0
        self._answers: dict[tuple[str, ...], RESTResponse] = {}
        self._asking: defaultdict[tuple[str, ...], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def call_api(  # the library's signature
        self,
        method: str,
        url: str,
        header_params: dict[str, str] | None = None,
        body: object = None,
        post_params: object = None,
        _request_timeout: object = None,
    ) -> RESTResponse:
        """Return the first answer to this question, sending it if nobody has. Raises ApiException: it is none, or as BoundedClient."""
        if not asks_only(method, url):
            raise ApiException(status=0, reason=f"{method} {urlsplit(url).path} would change the cluster, so it was not sent")
        accept = (header_params or {}).get("Accept", "")
        key = (method, url, accept, json.dumps(body, sort_keys=True, default=str))
        with self._lock:
            asking = self._asking[key]
        with asking:  # who asks the same at the same time waits for the one answer
            if key not in self._answers:
                self.sent += 1
                answer = super().call_api(method, url, header_params, body, post_params, _request_timeout)
                answer.read()
                self._answers[key] = answer
            return self._answers[key]


def asks_only(method: str, url: str) -> bool:
    """Tell whether a request changes nothing: a reading, a question about a right, a dry run."""
    parts = urlsplit(url)
    return method == "GET" or parts.path.endswith(REVIEWS) or parse_qs(parts.query).get("dryRun") == ["All"]
