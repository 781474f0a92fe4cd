"""Names that people chose, as parts of paths and headers."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 150  # of 255 bytes that a file's name may have: endings come behind
DIGEST = 8  # digits


def plain_name(text: str) -> str:
    """Return ``text`` as a name that no path leaves its folder by and no header breaks at.

    It has ASCII letters, digits, ``_``, ``.`` and ``-``, does not begin with a dot, and has at most 150 characters. If anything had to
    change, a digest of ``text`` stands at its end, so that two texts never have one name.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", text).lstrip(".")
    if plain == text and 0 < len(plain) <= LONGEST:
        return plain
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST]
    return f"{plain[: LONGEST - DIGEST - 1]}-{digest}"
