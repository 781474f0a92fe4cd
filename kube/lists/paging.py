"""Lists of the API server in pages: no answer is larger than the pages of its kind, however large the cluster is.

A page is counted in objects, as the API does. A node with its images, or a pod with its history of changes, has up to 40 kB of JSON, its
metadata up to 8 kB: a page of either stays below 2 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kubernetes.client.exceptions import ApiException

PAGE = 50  # whole objects
METADATA_PAGE = 250  # metadata only, and small objects such as Events
GONE, TRIES = 410, 3
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Ask for nothing but metadata; what does not know that answers with whole objects (Kubernetes' API concepts, "Metadata-only fetches")."""

Lister = Callable[..., Any]


class Listed(NamedTuple):
    """All objects of a list, as they were at one moment, and the resource version of it, from which a watch goes on."""

    items: list[Any]
    version: str


def listed(lister: Lister, *arguments: str, page: int = PAGE, **options: object) -> Listed:
    """Return all that a list function of the client finds, ``page`` objects at a time.

    A list whose pages expired (410: a server keeps them for some minutes) is begun anew. ``options``: selectors and time-outs of the
    function. Raises ApiException.
    """
    for left in reversed(range(TRIES)):
        try:
            return _whole(pages(lister, *arguments, page=page, **options))
        except ApiException as error:
            if error.status != GONE or not left:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def metadata(lister: Lister, *arguments: str, **options: object) -> list[Any]:
    """Return what a list function of pods or nodes finds with nothing but its metadata filled in: a tenth of the bytes.

    The client cannot read other kinds so: an Event without its object, an EndpointSlice without its endpoints. Raises ApiException.
    """
    return listed(lister, *arguments, page=METADATA_PAGE, _headers={"Accept": METADATA_ONLY}, **options).items


def any_there(lister: Lister, *arguments: str, **options: object) -> bool:
    """Tell whether a list function finds anything; asks for one object. Raises ApiException."""
    return any(_items(page) for page in pages(lister, *arguments, page=1, **options))


def version_now(lister: Lister, *arguments: str, **options: object) -> str:
    """Return the resource version of a list as it is now, without the list: from there a watch sees what is new. Raises ApiException."""
    return _version(next(pages(lister, *arguments, page=1, **options)))


def pages(lister: Lister, *arguments: str, page: int, **options: object) -> Iterator[Any]:
    """Yield the pages of a list as the client returns them. Raises ApiException, 410 where the next page is not kept any more."""
    headers = options.pop("_headers", None)
    further: dict[str, object] = {}
    while True:
        asked = {**options, **further, **({"_headers": dict(headers)} if isinstance(headers, dict) else {})}  # the client changes headers
        answer = lister(*arguments, limit=page, **asked)
        yield answer
        token = _continue(answer)
        if not token:
            return
        further = {"_continue": token}


def _whole(asked: Iterator[Any]) -> Listed:
    items: list[Any] = []
    version = ""
    for page in asked:
        items += _items(page)
        version = version or _version(page)  # all pages are of one moment, and say so
    return Listed(items, version)


def _items(answer: Any) -> list[Any]:  # noqa: ANN401 - a list of the client's, or a mapping: it has no class for custom resources
    return list((answer["items"] if isinstance(answer, dict) else answer.items) or [])


def _continue(answer: Any) -> str:  # noqa: ANN401 - as above
    if isinstance(answer, dict):
        return str((answer.get("metadata") or {}).get("continue") or "")
    return str(getattr(getattr(answer, "metadata", None), "var_continue", None) or "")


def _version(answer: Any) -> str:  # noqa: ANN401 - as above
    return str(getattr(getattr(answer, "metadata", None), "resource_version", None) or "")
