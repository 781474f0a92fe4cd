"""Why an answer ended: what each engine calls it, in the words of the OpenAI API."""

from __future__ import annotations

from typing import Final

UNNAMED: Final = ""
"""The finish reason of a plain answer that has no such field: the end of its JSON says that it is whole."""
WITHOUT_TEXT: Final = frozenset({"tool_calls", "function_call"})
WHOLE: Final = WITHOUT_TEXT | {"stop", "length", "content_filter", UNNAMED}
"""Finish reasons of whole answers."""
GIVEN_UP: Final = frozenset({"abort", "aborted", "cancelled", "canceled", "error", "failed", "timeout"})
"""Finish reasons that nothing which is said later makes good: the engine gave the answer up."""
NOT_YET: Final = frozenset({"", "null", "none", "in_progress", "queued"})
"""What some servers say in each chunk but the last: llama.cpp, DashScope, OpenAI's responses."""
_SAME: Final = {
    "stop": ("eos_token", "stop_sequence", "eos", "word", "end_turn", "complete", "completed", "finish"),
    "length": ("max_tokens", "max_output_tokens", "model_length", "limit", "incomplete"),
    "tool_calls": ("tool_use",),
    "content_filter": ("content_filtered", "guardrail_intervened", "refusal", "safety"),
}
"""Text Generation Inference, Together, llama.cpp, Anthropic, Cohere, OpenAI's responses, Titan; Gemini, Mistral; Bedrock. In any case."""
_OPENAI: Final = {name: word for word, names in _SAME.items() for name in (word, *names)} | {"function_call": "function_call"}


def reason_of(value: object) -> str | None:
    """Return a finish reason in OpenAI's words, one that has none there in the server's own; ``None``: the answer has not ended.

    SGLang's engine gives an object with its ``type``. ``true`` says that it ended, and not why.
    """
    if value is None or value is False:
        return None
    if value is True:
        return "stop"
    if isinstance(value, dict):
        return reason_of(value.get("type"))
    word = str(value).strip()
    return None if word.lower() in NOT_YET else _OPENAI.get(word.lower(), word)
