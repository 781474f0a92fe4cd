"""The administrator's own requests to a large cluster: objects are made here, not measured."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import urllib3

AT_ONCE = 16
BUSY, TRIES, PAUSE_S = {429, 503, 504}, 10, 2.0
PATIENT = urllib3.Timeout(connect=5, read=60)


class Api:
    """An API server on loopback, as its administrator reaches it."""

    def __init__(self, port: int, keys: Path) -> None:
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            port,
            maxsize=AT_ONCE,
            block=True,
            timeout=PATIENT,
            retries=False,
            ca_certs=str(keys / "ca.crt"),
            cert_file=str(keys / "admin.crt"),
            key_file=str(keys / "admin.key"),
        )

    def ready(self) -> bool:
        """Tell whether it answers that it is ready."""
        try:
            return self._pool.request("GET", "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def create(self, path: str, manifests: Iterable[dict[str, Any]]) -> int:
        """Make objects at ``path``, several at a time; return how many. What is there already is left. Raises SystemExit."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(lambda manifest: self._send("POST", _at(path, manifest), manifest), manifests))

    def state(self, path: str, manifests: Iterable[dict[str, Any]]) -> int:
        """Write the status of objects that are there, as their controllers do; return how many. Raises SystemExit."""

        def write(manifest: dict[str, Any]) -> int:
            where = f"{_at(path, manifest)}/{manifest['metadata']['name']}/status"
            return self._send("PATCH", where, {"status": manifest["status"]})

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(write, manifests))

    def there(self, path: str, **query: str) -> bool:
        """Tell whether a list finds anything."""
        return bool(self.page(path, limit="1", **query)["items"])

    def count(self, path: str) -> int:
        """Return how many objects a list without selectors has."""
        found = self.page(path, limit="1")
        return len(found["items"]) + int(found["metadata"].get("remainingItemCount") or 0)

    def page(self, path: str, **query: str) -> dict[str, Any]:
        """Return one page of a list."""
        answer = self._pool.request("GET", f"{path}?{urlencode(query)}")
        found: dict[str, Any] = orjson.loads(answer.data)
        return found

    def _send(self, method: str, path: str, body: dict[str, Any]) -> int:
        """Send one object, again while the server of a busy machine asks for patience; what it made the first time is there then (409)."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        for _ in range(TRIES):
            answer = self._pool.request(method, path, body=orjson.dumps(body), headers={"Content-Type": kind})
            if answer.status not in BUSY:
                break
            time.sleep(PAUSE_S)
        if answer.status not in {200, 201, 409}:
            raise SystemExit(f"{method} {path} was answered {answer.status}: {answer.data[:500].decode(errors='replace')}")
        return 1


def _at(path: str, manifest: dict[str, Any]) -> str:
    return path.format(namespace=manifest["metadata"].get("namespace", ""), plural=f"{manifest['kind'].lower()}s")
