"""Labels of samples: small JSON objects that repeat, parsed once each."""

from __future__ import annotations

import json
from functools import lru_cache


@lru_cache(maxsize=4096)
def label_of(labels: str | None, key: str) -> str | None:
    """Return label ``key`` of a sample, ``None`` if it is missing or the labels are damaged."""
    try:
        parsed = json.loads(labels or "{}")
    except ValueError:
        return None
    value = parsed.get(key) if isinstance(parsed, dict) else None
    return value if isinstance(value, str) else None
