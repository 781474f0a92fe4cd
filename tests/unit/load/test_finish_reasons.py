"""Why an answer ended is understood in every engine's words."""

from __future__ import annotations

import pytest

from workloads.load.finish_reasons import WHOLE, reason_of

MEANT = {
    "stop": [
        "stop",
        "eos_token",
        "stop_sequence",
        "STOP",
        "end_turn",
        "COMPLETE",
        "completed",
        "eos",
        "word",
        {"type": "stop", "matched": 2},
        True,
    ],
    "length": ["length", "MAX_TOKENS", "max_tokens", "incomplete", "model_length", "limit", {"type": "length", "length": 8}],
    "tool_calls": ["tool_calls", "tool_use"],
    "content_filter": ["content_filter", "SAFETY", "refusal"],
}


@pytest.mark.parametrize(("word", "said"), [(word, said) for word, all_of_it in MEANT.items() for said in all_of_it], ids=str)
def test_the_same_by_another_name(word: str, said: object) -> None:
    assert reason_of(said) == word
    assert word in WHOLE


@pytest.mark.parametrize("said", [None, "", "null", "none", "in_progress", False, {}], ids=str)
def test_not_ended_yet(said: object) -> None:
    assert reason_of(said) is None


@pytest.mark.parametrize("said", ["abort", "error", "timeout", "cancelled", "insufficient_system_resource", {"type": "abort"}], ids=str)
def test_given_up_is_not_whole(said: object) -> None:
    assert reason_of(said) not in WHOLE
