"""``--chaos-waivers``: read before anything runs, so that a wrong file ends the session in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from history.errors import ConfigError

if TYPE_CHECKING:
    from nights.waivers import Waivers


def read_waivers(path: Path | None) -> Waivers | None:
    """Return the waivers of a file. Raises pytest.UsageError: it is wrong; every mistake has file and line."""
    if path is None:
        return None
    from nights.waivers_file import read_waivers as read  # noqa: PLC0415 - judging's libraries are loaded only where they are needed

    try:
        return read(path)
    except ConfigError as error:
        raise pytest.UsageError(f"--chaos-waivers: {error}") from error
