"""The words of the fault pod's program: each effect registers its own, with bounded arguments. Standard library only."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass

from faults.node_agent.node import UID, Effect

CONTAINER = re.compile(r"[0-9a-f]{32,64}")
Read = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Command:
    """A word: in words, its arguments by name with what reads them, and how its effect is prepared from what was read.

    ``prepare`` raises Refused, OSError or SubprocessError: nothing was set.
    """

    says: str
    arguments: dict[str, Read]
    prepare: Callable[[argparse.Namespace], Effect]


COMMANDS: dict[str, Command] = {}


def command(word: str, says: str, **arguments: Read) -> Callable[[Callable[[argparse.Namespace], Effect]], Callable[..., Effect]]:
    """Register what prepares an effect under ``word``. Each argument is required; ``latency_ms`` is written ``--latency-ms``."""

    def register(prepare: Callable[[argparse.Namespace], Effect]) -> Callable[..., Effect]:
        COMMANDS[word] = Command(says, arguments, prepare)
        return prepare

    return register


def whole(most: int) -> Read:
    """Return what reads a whole number from 1 to ``most``, and raises ValueError for any other."""

    def number(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise ValueError(f"{text} is not from 1 to {most}")
        return value

    return number


def seconds(most: float) -> Callable[[str], float]:
    """Return what reads seconds, above 0 and at most ``most``, and raises ValueError for any other."""

    def bounded_s(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise ValueError(f"{text} is not above 0 and at most {most:g}")
        return value

    return bounded_s


def container_id(text: str) -> str:
    """Return a container's id as its runtime has it. Raises ValueError: it is none."""
    if not CONTAINER.fullmatch(text):
        raise ValueError(f"{text!r} is not a container's id")
    return text


def pod_uid(text: str) -> str:
    """Return a pod's uid. Raises ValueError: it is none."""
    if not UID.fullmatch(text):
        raise ValueError(f"{text!r} is not a uid")
    return text
