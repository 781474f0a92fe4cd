"""Whether an answer is the right one, by the server's own tokens and never by characters."""

from __future__ import annotations

import pytest

from history.prompts import Prompt
from workloads.load.answers import Said
from workloads.load.exchange import Call, judge_said
from workloads.load.right import BEYOND, EARLY, OTHER, RIGHT, TOO_MANY, TOO_SHORT, is_all, wrong_in

TOKENS = (" Paris", " is", " the", " capital")
TEXT = "".join(TOKENS)
KNOWN = Prompt("p", TEXT)
ENDS = Prompt("p", TEXT, ends=True)
BY_TOKENS = Prompt("p", TEXT, TOKENS)
PREFIX = Prompt("p", TEXT, prefix=True)


def counted(text: str, tokens: int, reason: str | None = "length") -> Said:
    """Return an answer whose tokens the server counted."""
    return Said(text, bool(text), reason, tokens, counted=True)


def seen(text: str, chunks: int, reason: str | None = "length") -> Said:
    """Return a streamed answer of so many chunks."""
    return Said(text, bool(text), reason, chunks)


CASES: dict[str, tuple[Prompt, Said, int, str | None]] = {
    "nothing is known": (Prompt("p", None), counted("x", 1), 1, None),
    "two tokens of text": (KNOWN, counted(" Paris is", 2), 2, RIGHT),
    "two chunks without a reason": (KNOWN, seen(" Paris is", 2, None), 2, RIGHT),
    "several tokens in a chunk": (KNOWN, seen(" Paris is the", 1), 3, RIGHT),
    "all that is known": (KNOWN, counted(TEXT, 5, "stop"), 8, RIGHT),
    "all that is known, of nobody's count": (KNOWN, Said(TEXT, True, "", None), 8, RIGHT),
    "another text": (KNOWN, counted(" London is", 2), 2, OTHER),
    "another request's answer that begins alike": (KNOWN, counted(" Paris in", 2), 2, OTHER),
    "nothing": (KNOWN, Said("", False, "tool_calls", None), 2, OTHER),
    "nothing but reasoning": (KNOWN, Said("", True, "length", 8, counted=True), 8, None),
    "fewer bytes than tokens": (KNOWN, counted(" Pa", 4), 4, TOO_SHORT),
    "as many bytes as tokens": (KNOWN, counted(" Par", 4), 4, RIGHT),
    "more tokens than asked for": (KNOWN, counted(" Paris is", 3), 2, TOO_MANY),
    "ended by length before that": (KNOWN, counted(" Paris is", 2), 4, EARLY),
    "stopped early": (KNOWN, counted(" Paris is", 3, "stop"), 4, EARLY),
    "stopped early, by its chunks": (KNOWN, seen(" Paris is", 2, "stop"), 4, EARLY),
    "stopped, of nobody's count": (KNOWN, Said(" Paris is", True, "stop", None), 4, EARLY),
    "no reason and nobody's count": (KNOWN, Said(" Paris is", True, "", None), 2, None),
    "beyond what is known": (KNOWN, counted(TEXT + " of", 5), 5, None),
    "beyond its end": (ENDS, counted(TEXT + " of", 5), 5, BEYOND),
    "an empty answer beyond": (Prompt("p", "", ends=True), counted("x", 1), 1, OTHER),
    "half a character at the end": (Prompt("p", "a😀b"), counted("a\ufffd", 3), 3, RIGHT),
    "half a character, no sign of it": (Prompt("p", "a😀b"), counted("a", 4), 4, RIGHT),
    "half a character is no three of them": (Prompt("p", "a😀b"), counted("a", 5), 5, TOO_SHORT),
    "half a character where there is none": (KNOWN, counted(" Paris\ufffd", 2), 2, OTHER),
    "halves of a surrogate pair": (Prompt("p", "ab😀"), counted("ab\ud83d\ude00", 3), 3, RIGHT),
    "by tokens: as many": (BY_TOKENS, counted(" Paris is", 2), 2, RIGHT),
    "by tokens: one is lost": (BY_TOKENS, counted(" Paris", 2), 2, EARLY),
    "by tokens: half of one is lost": (BY_TOKENS, counted(" Paris i", 2), 2, EARLY),
    "by tokens: one too many": (BY_TOKENS, counted(" Paris is the", 2), 2, TOO_MANY),
    "by tokens: stopped early": (BY_TOKENS, counted(" Paris is", 3, "stop"), 4, EARLY),
    "by tokens: more than are known": (BY_TOKENS, counted(TEXT + " of", 5), 5, None),
    "prefix: stopped early": (PREFIX, counted(" Paris is", 3, "stop"), 4, RIGHT),
    "prefix: beyond what is known": (PREFIX, counted(TEXT + " of", 5), 5, RIGHT),
    "prefix: another text": (PREFIX, counted(" London", 2, "stop"), 4, OTHER),
    "prefix: fewer bytes than tokens": (PREFIX, counted(" Pa", 5, "stop"), 8, TOO_SHORT),
    "prefix: nothing": (PREFIX, Said("", False, "tool_calls", None), 8, OTHER),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong(case: str) -> None:
    prompt, said, asked, wanted = CASES[case]
    assert wrong_in(prompt, said, asked) == wanted


@pytest.mark.parametrize(("text", "asked", "whole"), [(TEXT, 8, True), (" Paris is", 2, True), (" Paris is", 3, False), (TEXT, 2, False)])
def test_all_tokens_are_known_to_be_there(text: str, asked: int, whole: bool) -> None:
    assert is_all(BY_TOKENS, seen(text, 1, None), asked) is whole


@pytest.mark.parametrize("lost", range(1, 9))
def test_of_one_character_a_token_no_loss_goes_unseen(lost: int) -> None:
    """As the reference engine answers: any token that is lost, in a whole answer by the server's word, is found."""
    answer = "antern hi"[:8]
    prompt = Prompt("p", "antern hides", tuple("antern hides"))
    for known in (prompt, prompt._replace(tokens=None)):
        assert wrong_in(known, counted(answer[: lost - 1] + answer[lost:], 8), 8)


def test_the_row_says_what_is_wrong() -> None:
    ending = judge_said(Call(0, 0, False, KNOWN, 4), counted(" Paris is", 3, "stop"))
    assert (ending.outcome.value, ending.complete, ending.valid) == ("ok", True, False)
    assert ending.error == "WrongAnswer: it ended before the expected completion does"
    unsure = judge_said(Call(0, 0, False, KNOWN, 5), counted(TEXT + " of", 5))
    assert (unsure.complete, unsure.valid, unsure.error) == (True, None, None)
