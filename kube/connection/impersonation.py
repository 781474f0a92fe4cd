"""Asking as somebody else: a kubeconfig's ``as``, ``as-uid``, ``as-groups`` and ``as-user-extra``, as headers.

What they mean: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation

kubernetes 37.0.1 passes them over, and would act with more rights than the kubeconfig gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from kube.connection.errors import KubeconfigRefused
from kube.connection.kubeconfig import Fields

Headers = tuple[tuple[str, str], ...]
"""Names and values; a name may stand more than once."""
KEYS = ("as", "as-uid", "as-groups", "as-user-extra")


def headers_of(user: Fields) -> Headers:
    """Return the headers that let a user ask as another. Raises KubeconfigRefused: the other has no name, or a list is none."""
    wanted = {key: user[key] for key in KEYS if user.get(key)}
    if wanted and "as" not in wanted:
        raise KubeconfigRefused(f"{', '.join(wanted)} of the user, but no as: only who asks as another user may have them; add as")
    found: tuple[tuple[str, Any], ...] = tuple(_headers(wanted))
    if not all(isinstance(value, str) and value.isprintable() for _, value in found):
        raise KubeconfigRefused(f"{', '.join(wanted)} of the user: names and lists of names are meant; correct them")
    return found


def _headers(wanted: Fields) -> Iterator[tuple[str, Any]]:
    if "as" in wanted:
        yield "Impersonate-User", wanted["as"]
    if "as-uid" in wanted:
        yield "Impersonate-Uid", wanted["as-uid"]
    yield from (("Impersonate-Group", group) for group in _list(wanted.get("as-groups")))
    extra = wanted.get("as-user-extra", {})
    for key, values in extra.items() if isinstance(extra, dict) else [("", extra)]:
        yield from ((f"Impersonate-Extra-{quote(str(key).lower(), safe='')}", value) for value in _list(values))


def _list(value: object) -> list[Any]:
    """Return a list as it is; what is none, as one that is refused."""
    return value if isinstance(value, list) else [] if value is None else [None]
