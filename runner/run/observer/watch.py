"""One watch of the API server in a thread: lists, follows the changes, and begins anew when the connection or the version is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import urllib3
from kubernetes import watch
from kubernetes.client.exceptions import ApiException

STREAM_S = 20  # the API server ends a watch after this; a silent connection is noticed a little later
RETRY_S = 1.0
LOST = (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""How a watch ends against our will; ValueError is a line of JSON that was cut off."""

Lister = Callable[..., Any]


class Watcher(Protocol):
    """What hears of the changes of a kind of objects."""

    def listed(self, items: list[Any]) -> None:
        """All objects there are, at the begin and after each loss of the connection."""

    def changed(self, item: Any) -> None:  # noqa: ANN401 - an object of the untyped client
        """Take an object that was added or modified."""

    def deleted(self, item: Any) -> None:  # noqa: ANN401 - an object of the untyped client
        """Take an object that is gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched: a list function of the client and its arguments."""

    name: str
    lister: Lister
    arguments: tuple[str, ...] = ()
    selectors: dict[str, str] = field(default_factory=dict)


class Watch(threading.Thread):
    """Follows one subject. ``on_link(name, up)`` is called when the connection is lost and when it is back."""

    def __init__(self, subject: Subject, watcher: Watcher, stop: threading.Event, on_link: Callable[[str, bool], None]) -> None:
        super().__init__(name=f"watch-{subject.name}", daemon=True)
        self._subject, self._watcher, self._halt, self._on_link = subject, watcher, stop, on_link
        self._stream: watch.Watch | None = None
        self.listed = threading.Event()

    def run(self) -> None:
        """Follow until stopped."""
        while not self._halt.is_set():
            try:
                self._follow()
            except LOST as error:
                if self._halt.is_set():
                    return  # we ended the stream ourselves
                if isinstance(error, ApiException) and error.status == 410:
                    continue  # the version is too old: list again, nothing was lost
                self._on_link(self._subject.name, False)
                self._halt.wait(RETRY_S)

    def interrupt(self) -> None:
        """End the current stream, so that the thread sees that it shall stop."""
        if self._stream is not None:
            self._stream.stop()  # type: ignore[no-untyped-call]  # the library ships no types

    def _follow(self) -> None:
        subject = self._subject
        listed = subject.lister(*subject.arguments, **subject.selectors)
        self._on_link(subject.name, True)
        self._watcher.listed(listed.items)
        self.listed.set()
        version = listed.metadata.resource_version
        while not self._halt.is_set():
            self._stream = watch.Watch()  # type: ignore[no-untyped-call]  # the library ships no types
            limits = {"timeout_seconds": STREAM_S, "_request_timeout": (2, STREAM_S + 5)}
            events: Any = self._stream.stream  # the library ships no types
            for event in events(subject.lister, *subject.arguments, resource_version=version, **subject.selectors, **limits):
                if self._halt.is_set():
                    return
                version = event["object"].metadata.resource_version
                self._hand_over(event["type"], event["object"])

    def _hand_over(self, kind: str, item: Any) -> None:  # noqa: ANN401 - an object of the untyped client
        if kind == "DELETED":
            self._watcher.deleted(item)
        elif kind in {"ADDED", "MODIFIED"}:
            self._watcher.changed(item)
