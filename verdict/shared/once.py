"""What many measurements ask of one case is found once: without this, two thirds of a judgement is spent on finding the same again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Remembering(Protocol):
    """A case: it never changes, so neither does what follows from it."""

    @property
    def known(self) -> dict[tuple[object, ...], object]:
        """The results so far."""


C = TypeVar("C", bound=Remembering)


def once(find: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Return ``find``, which is then carried out once for each case and its other arguments. Callers must not change what they get."""

    @wraps(find)
    def remembered(case: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (find, *args, *sorted(kwargs.items()))
        if key not in case.known:
            case.known[key] = find(case, *args, **kwargs)
        return cast("R", case.known[key])

    return remembered
