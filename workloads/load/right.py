"""Whether an answer is the right one: the known completion, by the server's own count of tokens.

A token is a text of any length, so characters say nothing of how many there are. Where the prompts file has the tokens of a completion, an
answer must be as many of them as were asked for. Where it has only the text, an answer must be the beginning of that text, have as many
tokens as were asked for by the server's own account, and no fewer bytes than tokens.
"""

from __future__ import annotations

from history.prompts import Prompt
from workloads.load.answers import Said, paired
from workloads.load.finish_reasons import UNNAMED

HALF = "\ufffd"
"""What a server shows of a character of which not every token came."""
RIGHT = ""
OTHER = "not the expected completion"
BEYOND = "it goes on where the expected completion ends"
EARLY = "it ended before the expected completion does"
TOO_SHORT = "shorter than its own count of tokens says"
TOO_MANY = "more tokens than were asked for"


def is_all(prompt: Prompt, said: Said, max_tokens: int) -> bool:
    """Tell whether an answer is all that was to come, by what is known of it: then nothing is missing, whatever was said of its end."""
    return paired(said.text) == prompt.known(max_tokens)


def wrong_in(prompt: Prompt, said: Said, max_tokens: int) -> str | None:
    """Return what is wrong in a whole answer; empty if it is the right one, ``None`` if that cannot be told."""
    known, text = prompt.known(max_tokens), paired(said.text)
    if known is None:
        return None
    if known in {text, text.rstrip(HALF)}:
        return RIGHT
    if known and text.startswith(known):
        return _beyond(prompt, max_tokens)
    most_bytes = _bytes_begun(known, text)
    return OTHER if most_bytes is None else _begun(prompt, said, max_tokens, most_bytes)


def _beyond(prompt: Prompt, max_tokens: int) -> str | None:
    """Judge an answer that goes on behind what is known."""
    if prompt.ends:
        return BEYOND
    if prompt.tokens is not None and len(prompt.tokens) >= max_tokens:
        return TOO_MANY
    return RIGHT if prompt.prefix else None


def _bytes_begun(known: str, text: str) -> int | None:
    """Return how many bytes of ``known`` its beginning ``text`` stands for at most, with a character begun; ``None``: it is none."""
    whole = text.rstrip(HALF)
    following = known[len(whole) : len(whole) + 1]
    if not known.startswith(whole) or (whole != text and following.isascii()):
        return None
    begun = 0 if following.isascii() else len(following.encode()) - 1
    return len(whole.encode()) + begun


def _begun(prompt: Prompt, said: Said, max_tokens: int, most_bytes: int) -> str | None:
    """Judge an answer that is the beginning of what is known."""
    counted = said.tokens if said.counted else None
    by_itself = said.reason not in {None, UNNAMED, "length"}  # an unseen token says so, and servers count it
    if counted is not None and most_bytes < counted - by_itself:
        return TOO_SHORT if said.text or not said.visible else None  # reasoning is counted, too
    if not said.text:
        return None if said.visible else OTHER
    if prompt.prefix:
        return RIGHT
    return EARLY if prompt.tokens is not None else _by_count(said, counted, max_tokens)


def _by_count(said: Said, counted: int | None, max_tokens: int) -> str | None:
    """Judge the beginning of a completion, of which only the text is known, by how many tokens it has."""
    if counted is not None and counted > max_tokens:
        return TOO_MANY
    if counted is None and said.reason == "length":  # several tokens may come in one chunk
        return RIGHT
    if said.tokens is None:
        return None if said.reason == UNNAMED else EARLY
    return RIGHT if said.tokens >= max_tokens else EARLY
