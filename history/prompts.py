"""The prompts file of a load: what is asked and, as far as it is known, the right greedy answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from history.answers import AnswerRule
from history.errors import ConfigError

WANTED = (
    'expected {"prompt": "text"} and, where the right greedy answer is known, "completion": "text"; beside it, as far as they are known, '
    '"tokens": ["its", " tokens"] and "finish_reason": "stop", if it ends there by itself'
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WHOLE = "stop"  # the finish reason of a completion that is the whole answer


class Prompt(NamedTuple):
    """One prompt.

    ``completion`` is the right greedy answer or its beginning, ``None`` if it is not known; ``tokens`` are its tokens, ``None`` if only
    their text is known. ``ends``: nothing follows it. ``prefix``: an answer is right if both agree as far as both go.
    """

    prompt: str
    completion: str | None
    tokens: tuple[str, ...] | None = None
    ends: bool = False
    prefix: bool = False

    def known(self, max_tokens: int) -> str | None:
        """Return the right answer to a request for ``max_tokens``, as far as it is known: without its tokens, all of the completion."""
        return self.completion if self.tokens is None else "".join(self.tokens[:max_tokens])

    @property
    def most_tokens(self) -> int | None:
        """Return how many tokens of an answer can be compared at most, ``None`` if any number: a token is at least a byte."""
        if self.completion is None or self.ends or self.prefix:
            return None
        return len(self.completion.encode()) if self.tokens is None else len(self.tokens)


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Read JSON lines ``{"prompt", …}``, in UTF-8 and ended by newlines alone; a schedule's ``prompt_id`` is the line, counted from 0.

    Raises:
        ConfigError: the file cannot be read, a line is not such an object, or there is no line.

    """
    try:
        data = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise ConfigError(f"prompts file {path} cannot be read ({error.strerror}); set load.prompts to a file of JSON lines") from error
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    if not lines:
        raise ConfigError(f"{path} holds no prompt; {WANTED} a line")
    return tuple(_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1))


def compared(prompts: Sequence[Prompt], answers: AnswerRule) -> tuple[Prompt, ...]:
    """Return ``prompts`` as ``answers`` lets their answers be compared; ``unknown``: with none."""
    if answers.unknown:
        return tuple(Prompt(prompt.prompt, None) for prompt in prompts)
    return tuple(prompt._replace(prefix=answers.mode == "prefix") for prompt in prompts)


def knows_answers(prompts: Sequence[Prompt]) -> bool:
    """Tell whether the right answer to any of ``prompts`` is known."""
    return any(prompt.completion is not None for prompt in prompts)


def fitting_prompts(prompts: Sequence[Prompt], chars: tuple[int, int], mix: str, file: str) -> list[int]:
    """Return which prompts are so long (characters, from and to). ``mix``: who asks for that. Raises ConfigError: none of ``file`` is."""
    shortest, longest = chars
    fitting = [number for number, prompt in enumerate(prompts) if shortest <= len(prompt.prompt) <= longest]
    if not fitting:
        sizes = [len(prompt.prompt) for prompt in prompts]
        raise ConfigError(
            f"{mix}: no prompt of {shortest} to {longest} characters in {file} (it holds {min(sizes)} to {max(sizes)}); "
            "widen prompt_chars or add prompts"
        )
    return fitting


def _parse(line: bytes, where: str) -> Prompt:
    try:
        raw = json.loads(line.decode())
    except UnicodeDecodeError as error:
        at = f"byte {error.start + 1} of the line is {line[error.start]:#04x}"
        raise ConfigError(f"{where}: not UTF-8, {at}; save the file as UTF-8 (iconv -f latin1 -t utf8 …)") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: not JSON ({error}); {WANTED}") from error
    if wrong := next(_mistakes(raw if isinstance(raw, dict) else {}), ""):
        raise ConfigError(f"{where}: not a prompt: {wrong}; {WANTED}")
    tokens = raw.get("tokens")
    return Prompt(raw["prompt"], raw.get("completion"), None if tokens is None else tuple(tokens), raw.get("finish_reason") == WHOLE)


def _mistakes(raw: dict[str, Any]) -> Iterator[str]:
    completion, tokens = raw.get("completion"), raw.get("tokens")
    if raw.get("prompt") is None:
        yield "there is no prompt"
    for name in ("prompt", "completion"):
        if not isinstance(raw.get(name), str | None):
            yield f"{name} is no text"
        elif not _writable(raw.get(name) or ""):
            yield f"{name} holds half a surrogate pair, which is no character"
    if tokens is None:
        return
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        yield "tokens is no list of texts"
    elif "".join(tokens) != completion:
        yield "its tokens, joined, are not its completion"


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
