"""What parent and child say to each other: the child sends these as JSON lines, the parent shows them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Kinds of messages."""

    PHASE = "phase"  # a phase begins: name
    SEEN = "seen"  # what is seen now: text
    DONE = "done"  # a phase ended: name, seconds, text
    NOTE = "note"  # a sentence worth showing at once: text
    RESOLVED = "resolved"  # preflight passed: targets, permissions, forecast (shown by a dry run)
    REFUSED = "refused"  # preflight refused; nothing was injected: text
    VERDICT = "verdict"  # the run was judged: verdict, sentence


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: Kind
    fields: dict[str, Any] = field(default_factory=dict)

    def text(self, key: str = "text") -> str:
        """Return a field as text."""
        return str(self.fields.get(key, ""))


def read_message(line: str) -> Message | None:
    """Return the message in ``line``, or None if it is none (a library printed past the child's own log)."""
    try:
        raw = json.loads(line)
        return Message(Kind(raw.pop("kind")), raw)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
