"""The prompts file: what is asked and, where it is known, the right greedy answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from history.errors import ConfigError

WANTED = 'expected {"prompt": "text", "completion": "the right greedy answer", or absent or null where it is not known}'


class Prompt(NamedTuple):
    """One prompt; ``completion`` is the right greedy answer (one token a character), ``None`` if it is not known."""

    prompt: str
    completion: str | None

    def expected(self, max_tokens: int) -> str | None:
        """Return the right answer to a request for ``max_tokens`` tokens, ``None`` if it is not known."""
        return None if self.completion is None else self.completion[:max_tokens]


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read JSON lines ``{"prompt", "completion", …}``; a schedule's ``prompt_id`` is the line, counted from 0.

    Raises:
        ConfigError: the file cannot be read, a line is not such an object, or there is no line.

    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"prompts file {path} cannot be read ({error.strerror}); set load.prompts to a file of JSON lines") from error
    if not lines:
        raise ConfigError(f"{path} holds no prompt; {WANTED} a line")
    return tuple(_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1))


def _parse(line: str, where: str) -> Prompt:
    try:
        raw = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON ({error}); {WANTED}") from error
    prompt, completion = (raw.get("prompt"), raw.get("completion")) if isinstance(raw, dict) else (None, None)
    if not isinstance(prompt, str) or not isinstance(completion, str | None):
        raise ConfigError(f"{where}: not a prompt; {WANTED}")
    return Prompt(prompt, completion)
