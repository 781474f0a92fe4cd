"""The prompts file: what is asked and, where it is known, the right greedy answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from history.errors import ConfigError


class Prompt(NamedTuple):
    """One prompt; ``completion`` is the right greedy answer (one token a character), ``None`` if it is not known."""

    prompt_id: int
    prompt: str
    completion: str | None

    def expected(self, max_tokens: int) -> str | None:
        """Return the right answer to a request for ``max_tokens`` tokens, ``None`` if it is not known."""
        return None if self.completion is None else self.completion[:max_tokens]


def read_prompts(path: Path) -> dict[int, Prompt]:
    """Read JSON lines ``{"prompt_id", "prompt", "completion"}``; prompts by id.

    Raises:
        ConfigError: the file cannot be read, a line is not such an object, an id occurs twice, or there is no line.

    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"prompts file {path} cannot be read ({error.strerror}); set load.prompts to a file of JSON lines") from error
    prompts: dict[int, Prompt] = {}
    for number, line in enumerate(lines, 1):
        prompt = _parse(line, f"{path}:{number}")
        if prompt.prompt_id in prompts:
            raise ConfigError(f"{path}:{number}: prompt_id {prompt.prompt_id} occurs twice; give every prompt an id of its own")
        prompts[prompt.prompt_id] = prompt
    if not prompts:
        raise ConfigError(f"{path} holds no prompt; expected one JSON object a line")
    return prompts


def _parse(line: str, where: str) -> Prompt:
    wanted = '{"prompt_id": int, "prompt": str, "completion": str or null}'
    try:
        raw = json.loads(line)
        prompt = Prompt(raw["prompt_id"], raw["prompt"], raw["completion"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{where}: not a prompt ({error!r}); expected {wanted}") from error
    if not isinstance(prompt.prompt_id, int) or not isinstance(prompt.prompt, str) or not isinstance(prompt.completion, str | None):
        raise ConfigError(f"{where}: a prompt's fields have wrong types; expected {wanted}")
    return prompt
