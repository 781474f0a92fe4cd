"""How the Prometheus of a region is asked (by prometheus-api-client): a question each, at most 3 s."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase, HTTPBasicAuth

from history.errors import NoData
from target import engines
from target.prometheus import Auth, Prometheus, value_of
from target.region import Region

TIMEOUT_S = 3
REFUSED = re.compile(r"Status Code 40[13]")


def query(region: Region, promql: str) -> float | None:
    """Return the one value of an instant query; None if it is empty or not a number. Raises NoData as :func:`_vector` does."""
    found = _vector(region, promql)
    value = found[0][1] if found else math.nan
    return value if math.isfinite(value) else None


def engine_gauges(region: Region) -> list[str]:
    """Return the gauges of known model servers that Prometheus has by now (target/engines.py). Raises NoData as :func:`_vector` does."""
    known = "|".join(name for gauge in engines.GAUGES for name in engines.names(gauge))
    of_region = f",{matchers}" if region.prometheus and (matchers := region.prometheus.matchers()) else ""
    found = _vector(region, f'count by (__name__) ({{__name__=~"{known}"{of_region}}})')
    return list(engines.recognised({str(labels.get("__name__")) for labels, _ in found}))


def _vector(region: Region, promql: str) -> list[tuple[dict[str, Any], float]]:
    """Return labels and value of each series of an instant query.

    Raises:
        NoData: the target names no Prometheus, it does not let us in, or gives no answer to the question within 3 s.

    """
    declared = region.prometheus
    if declared is None:
        raise NoData("Prometheus: the target file names none; add prometheus to the region")
    try:
        with _connected(declared) as prometheus:
            found: list[dict[str, Any]] = prometheus.custom_query(promql)
        return [(one["metric"], float(one["value"][1])) for one in found]
    except requests.exceptions.InvalidHeader:  # its text shows the value
        said = "a header has a value that no header may have, such as a line break; correct its headers in the target file"
        raise NoData(f"Prometheus at {declared.url} was not asked: {said}") from None
    except (requests.RequestException, PrometheusApiClientException, OSError) as error:
        what = f"{type(error).__name__}: {str(error)[:200]}"
        advice = "see its auth and headers in the target file" if REFUSED.search(what) else "is it up?"
        raise NoData(f"Prometheus at {declared.url} does not answer ({what}); {advice}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise NoData(f"Prometheus at {declared.url}: the answer to {promql} is no vector of an instant query; correct the query") from error


def _connected(declared: Prometheus) -> PrometheusConnect:
    """Return the client for one question. Raises OSError: a file that it needs cannot be read."""
    session = requests.Session()
    session.verify = declared.ca_file or True
    if declared.auth is not None and (shown := declared.auth.client_cert):
        session.cert = (shown.cert, shown.key)
    headers = {name: header.value or value_of(header.env or "", os.environ) for name, header in declared.headers.items()}
    once = urllib3.Retry(total=0)  # the client's own three retries would outlast what they measure
    url = declared.url.rstrip("/")
    return PrometheusConnect(url, headers=headers, session=session, auth=_auth(declared.auth), retry=once, timeout=TIMEOUT_S)


class Bearer(AuthBase):
    """Sends a token. As the request's auth, no ~/.netrc overrides it, and it is not sent on to another host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _auth(declared: Auth | None) -> AuthBase | None:
    if declared is None:
        return None
    if declared.basic_env is not None:
        user, _, password = value_of(declared.basic_env, os.environ).partition(":")
        return HTTPBasicAuth(user, password)
    if declared.token_file is not None:
        return Bearer(Path(declared.token_file).read_text().strip())  # each time anew: it may have been rotated
    return Bearer(value_of(declared.bearer_env, os.environ)) if declared.bearer_env is not None else None
