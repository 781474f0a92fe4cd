"""Requests and answers of POST /v1/completions, as OpenAI's API has them, as far as this model can honour them."""

import time
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from workloads.inference import tokens


class RequestRefused(ValueError):
    """The request can't be answered as asked; carries the HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class CompletionRequest(BaseModel):
    """Body of a request. Unknown fields are refused: silently ignoring one would answer another question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    prompt: str = Field(min_length=1)
    max_tokens: int = Field(default=16, ge=1)
    temperature: Literal[0] = 0
    """Greedy only."""
    stream: bool = False
    user: str | None = None

    def prompt_ids(self, model_name: str, context: int) -> list[int]:
        """Token ids of the prompt; raises RequestRefused when model, characters or length don't fit."""
        if self.model != model_name:
            raise RequestRefused(404, f"model {self.model!r} is not served here, expected {model_name!r}")
        if len(self.prompt) + self.max_tokens > context:
            raise RequestRefused(
                400, f"prompt ({len(self.prompt)} tokens) and max_tokens ({self.max_tokens}) exceed the context of {context} tokens"
            )
        try:
            return tokens.encode(self.prompt)
        except ValueError as error:
            raise RequestRefused(400, str(error)) from error


class Answer:
    """Builds the JSON of one request's answer, whole or in chunks."""

    def __init__(self, request: CompletionRequest, request_id: str) -> None:
        self._prompt_tokens = len(request.prompt)
        self._head = {"id": f"cmpl-{request_id}", "object": "text_completion", "created": int(time.time()), "model": request.model}
        self._produced = 0

    def whole(self, text: str) -> bytes:
        """Write the answer to a plain request."""
        self._produced = len(text)
        return orjson.dumps(self._body(text, "length") | {"usage": self._usage()})

    def chunk(self, text: str, last: bool) -> bytes:
        """Write one server-sent event; the last carries the finish reason and the usage."""
        self._produced += len(text)
        body = self._body(text, "length" if last else None)
        return b"data: " + orjson.dumps(body | {"usage": self._usage()} if last else body) + b"\n\n"

    def _body(self, text: str, finish_reason: str | None) -> dict[str, object]:
        return self._head | {"choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}]}

    def _usage(self) -> dict[str, int]:
        total = self._prompt_tokens + self._produced
        return {"prompt_tokens": self._prompt_tokens, "completion_tokens": self._produced, "total_tokens": total}


def error_body(status: int, sentence: str) -> bytes:
    """Write an error as OpenAI's API words it."""
    kind = "invalid_request_error" if status in (400, 404) else "server_error"
    return orjson.dumps({"error": {"message": sentence, "type": kind, "code": status}})
