"""How the answers of an API of the user's own are read: what they say stands where the template says."""

from __future__ import annotations

from typing import Any, Final

from history.request_form import Places, RequestForm
from workloads.load.answers import CHAT, COMPLETIONS, BadAnswer, Part, Reader, count_of
from workloads.load.finish_reasons import UNNAMED, reason_of


class _Missing:
    """Nothing is there, not even null."""


MISSING: Final = _Missing()


class Placed:
    """Reads answers whose places a template names."""

    def __init__(self, answer: Places, chunk: Places, *, says_done: bool) -> None:
        self._answer, self._chunk = answer, chunk
        self.says_done, self.says_reason = says_done, chunk.finish_reason is not None

    def served(self, answer: dict[str, Any]) -> bool:
        """Tell whether something stands where the text or the finish reason should."""
        places = (self._answer.text, self._chunk.text, self._answer.finish_reason, self._chunk.finish_reason)
        return any(at(answer, place) is not MISSING for place in places if place is not None)

    def plain(self, answer: dict[str, Any]) -> Part | None:
        """Read the places of a plain answer."""
        part = _part(answer, self._answer)
        return part._replace(reason=UNNAMED) if part and self._answer.finish_reason is None else part

    def chunk(self, chunk: dict[str, Any]) -> Part | None:
        """Read the places of an event."""
        return _part(chunk, self._chunk)

    def tokens(self, answer: dict[str, Any]) -> int | None:
        """Return the server's count, of the answer's place or of the event's."""
        for places in (self._answer, self._chunk):
            count = count_of(at(answer, places.tokens)) if places.tokens is not None else None
            if count is not None:
                return count
        return None


def reader_of(form: RequestForm) -> Reader:
    """Return the reader of an API's answers."""
    if form.template is None:
        return CHAT if form.api == "chat" else COMPLETIONS
    template = form.template
    return Placed(template.answer, template.chunk or template.answer, says_done=template.stream_end == "done")


def _part(answer: dict[str, Any], places: Places) -> Part | None:
    text = at(answer, places.text)
    found = at(answer, places.finish_reason) if places.finish_reason is not None else MISSING
    reason = None if found is MISSING else reason_of(found)
    if text is MISSING and reason is None:
        return None
    if not isinstance(text, str | None | _Missing):
        raise BadAnswer(f"{places.text} is no string")
    said = text if isinstance(text, str) else ""
    return Part(said, bool(said), reason)


def at(value: Any, place: str) -> Any:  # noqa: ANN401 - JSON
    """Return what stands in a JSON value at a place, ``MISSING`` if there is nothing."""
    for name in steps(place):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


def steps(place: str) -> list[str]:
    """Return the keys of a place: ``a.0.b``, or the JSON pointer ``/a/0/b`` (RFC 6901)."""
    if place.startswith("/"):
        return [name.replace("~1", "/").replace("~0", "~") for name in place[1:].split("/")]
    return place.split(".")
