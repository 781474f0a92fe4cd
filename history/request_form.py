"""How requests are written and their answers read: by an API that everybody knows, or by a template of the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from history.values import FrozenModel

PLACEHOLDERS = ("prompt", "model", "max_tokens", "stream")
_ALONE = re.compile(r"\{([A-Za-z_]+)\}")
Place = Annotated[str, Field(min_length=1)]  # outputs.0.text, or as a JSON pointer: /outputs/0/text


class HeaderFrom(FrozenModel):
    """A header whose value is in an environment variable, and written nowhere."""

    header: str = Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


class ClientCert(FrozenModel):
    """A certificate by which the suite shows who it is, and its key: PEM files."""

    cert: str
    key: str


class Places(FrozenModel):
    """Where an answer, or a chunk of a stream, says its text, why it ended, and how many tokens the server counted.

    Left out: it does not say it.
    """

    text: Place
    finish_reason: Place | None = None
    tokens: Place | None = None


class Template(FrozenModel):
    """An API of the user's own: what is sent, and where the answer is found.

    A value of ``body`` that is nothing but ``{prompt}``, ``{model}``, ``{max_tokens}`` or ``{stream}`` becomes that value; inside a longer
    text, its text. ``path`` is appended to the endpoint's and may hold ``{model}``.
    """

    method: Literal["POST", "PUT"] = "POST"
    path: str = Field(pattern=r"^/[^\s#]*$")
    stream_path: str | None = Field(default=None, pattern=r"^/[^\s#]*$")  # of streamed requests; left out: path
    body: dict[str, Any]
    answer: Places
    chunk: Places | None = None  # of an event of a stream; left out: as in answer
    stream_end: Literal["done", "close"] = "done"  # data: [DONE] ends a stream, or the end of the HTTP answer does

    @model_validator(mode="after")
    def _asks(self) -> Template:
        """Refuse a body that holds no prompt, and placeholders that nobody fills in."""
        texts = list(texts_of(self.body))
        if not any("{prompt}" in text for text in texts):
            raise ValueError('body holds no "{prompt}"')
        if unknown := [text for text in texts if (alone := _ALONE.fullmatch(text)) and alone[1] not in PLACEHOLDERS]:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"body holds {unknown[0]!r}, which nobody fills in; known are {known}")
        return self


def texts_of(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(part)


def _several(value: object) -> object:
    """Take one header as a list of one; none, as plans of before have it, as an empty list."""
    return [value] if isinstance(value, dict | HeaderFrom) else value or []


class RequestForm(FrozenModel):
    """Which API the requests speak, and how they are let in besides ``api_key_env``.

    ``ignore_eos``: ask for answers that end at ``max_tokens`` and not before, where the engine offers it (vLLM, SGLang, llama.cpp): their
    length is known, and a shorter one is not whole.
    """

    api: Literal["completions", "chat", "own"] = "completions"
    template: Template | None = None  # of api own
    ignore_eos: bool = False
    auth: Annotated[tuple[HeaderFrom, ...], BeforeValidator(_several)] = ()

    @model_validator(mode="after")
    def _fits(self) -> RequestForm:
        """Refuse what would be passed over in silence."""
        if (self.api == "own") != (self.template is not None):
            raise ValueError("a template belongs to api: own, and api: own needs one")
        if self.ignore_eos and self.template is not None:
            raise ValueError("ignore_eos belongs to completions and chat; write what your engine calls it into the template's body")
        return self
