"""The secret values that this process knows: whoever meets one says so here, and nothing that is written or said shows it.

They come from the environment, target file, kubeconfig and exec plugins. :mod:`target.secrets.hiding` and :mod:`runner.redact` hide them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST = 8  # a shorter value is no secret, and would be found in ordinary words
FRAME = "-----"  # how the first and last line of a PEM file begin: they are no secret
_known: set[str] = set()


def remember(secrets: Iterable[str]) -> None:
    """Hide these values from now on, also line by line, in a URL and in JSON; what is shorter than 8 characters is passed over."""
    _known.update(form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST)


def known() -> list[str]:
    """Return the values to hide, the longest first: one may hold another."""
    return sorted(_known, key=len, reverse=True)


def _forms(secret: str) -> Iterator[str]:
    bare = secret.strip()
    yield from (bare, quote(bare, safe=""), json.dumps(bare)[1:-1])
    if len(lines := bare.splitlines()) > 1:
        yield from (line.strip() for line in lines if not line.startswith(FRAME))
