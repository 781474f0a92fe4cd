"""One watch of the API server in a thread: lists once, in pages, follows the changes, and goes on where it was after a loss."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import urllib3
from kubernetes import watch
from kubernetes.client.exceptions import ApiException

from kube.lists.paging import GONE, PAGE, any_there, listed, version_now

STREAM_S = 20  # the API server ends a watch after this; a silent connection is noticed a little later
RETRY_S = 1.0
LOST = (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""How a watch ends against our will; ValueError is a line of JSON that was cut off."""

Lister = Callable[..., Any]
Selectors = Mapping[str, str]
Seen = TypeVar("Seen")


class Watcher(Protocol[Seen]):
    """What hears of the changes of a kind of objects."""

    def listed(self, items: list[Seen]) -> None:
        """All objects there are: at the begin, and where the server does not keep what changed since (410)."""

    def changed(self, item: Seen) -> None:
        """Take an object that was added or modified."""

    def deleted(self, item: Seen) -> None:
        """Take an object that is gone."""


def everything() -> Selectors:
    """Select all there is."""
    return {}


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched: a list function of the client, its arguments, and what it selects.

    ``selectors`` are asked for anew with each stream: what is worth watching may change. None: nothing is, for now. ``new_only``: what is
    there at the begin is of no interest, so it is not listed. ``stream_s``: how long one stream lasts.
    """

    name: str
    lister: Lister
    arguments: tuple[str, ...] = ()
    selectors: Callable[[], Selectors | None] = everything
    page: int = PAGE
    new_only: bool = False
    stream_s: int = STREAM_S


class Watch(threading.Thread):
    """Follows one subject. ``on_link(name, up)`` is called when the connection is lost and when it is back."""

    def __init__(self, subject: Subject, watcher: Watcher[Any], stop: threading.Event, on_link: Callable[[str, bool], None]) -> None:
        super().__init__(name=f"watch-{subject.name}", daemon=True)
        self._subject, self._watcher, self._halt, self._on_link = subject, watcher, stop, on_link
        self._stream: watch.Watch | None = None
        self._selected: Selectors | None = None  # of what the version is
        self._version = ""  # up to which all is known; empty: it must be listed
        self._lost = False
        self.listed = threading.Event()

    def run(self) -> None:
        """Follow until stopped."""
        while not self._halt.is_set():
            try:
                self._follow()
            except LOST as error:
                if self._halt.is_set():
                    return  # we ended the stream ourselves
                if isinstance(error, ApiException):
                    self._version = ""  # an API server that refuses to go on from there is asked for all there is
                    if error.status == GONE:
                        continue  # it does not keep what changed since: nothing was lost
                self._lost = True
                self._on_link(self._subject.name, False)
                self._halt.wait(RETRY_S)

    def interrupt(self) -> None:
        """End the current stream, so that the thread sees that it shall stop."""
        if self._stream is not None:
            self._stream.stop()

    def _follow(self) -> None:
        while not self._halt.is_set():
            selectors = self._subject.selectors()
            if selectors is None:
                self.listed.set()
                self._halt.wait(RETRY_S)
                continue
            if not self._version or selectors != self._selected:
                self._list(selectors)
            elif self._lost:
                any_there(self._subject.lister, *self._subject.arguments, **selectors)  # a stream is silent until something changes
                self._connected()
            self._hear(selectors)

    def _list(self, selectors: Selectors) -> None:
        subject = self._subject
        if subject.new_only and not self.listed.is_set():
            version = version_now(subject.lister, *subject.arguments, **selectors)
        else:
            items, version = listed(subject.lister, *subject.arguments, page=subject.page, **selectors)
            self._watcher.listed(items)
        self._connected()
        self._version, self._selected = version, selectors
        self.listed.set()

    def _connected(self) -> None:
        self._lost = False
        self._on_link(self._subject.name, True)

    def _hear(self, selectors: Selectors) -> None:
        """Hand over what changes while one stream lasts; bookmarks tell how far the server is where nothing does."""
        subject, self._stream = self._subject, watch.Watch()
        limits = {"timeout_seconds": subject.stream_s, "_request_timeout": (2, subject.stream_s + 5), "allow_watch_bookmarks": True}
        asked = {"resource_version": self._version, **selectors, **limits}
        for event in self._stream.stream(subject.lister, *subject.arguments, **asked):
            if self._halt.is_set():
                return
            thing = event["object"]
            if event["type"] == "BOOKMARK":
                self._version = str(thing["metadata"]["resourceVersion"])
                continue
            self._version = str(thing.metadata.resource_version)
            self._hand_over(event["type"], thing)

    def _hand_over(self, kind: str, item: object) -> None:
        if kind == "DELETED":
            self._watcher.deleted(item)
        elif kind in {"ADDED", "MODIFIED"}:
            self._watcher.changed(item)
