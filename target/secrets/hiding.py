"""Takes secrets out of a text: by shape, and by the values that this process knows (:mod:`target.secrets.known`)."""

from __future__ import annotations

from target.secrets import credentials
from target.secrets.known import known

HIDDEN = "[redacted]"


def redact_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Hide what looks like a credential, every one of ``secrets``, and what this process knows."""
    for secret in (*secrets, *known()):
        text = text.replace(secret, HIDDEN) if secret else text
    for shape in credentials.SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text


def excerpt(text: str, most: int) -> str:
    """Return the first ``most`` characters of somebody else's words, redacted first: a secret that is cut in two is not found again."""
    return redact_text(text)[:most]
