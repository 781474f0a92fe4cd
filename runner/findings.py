"""What is found before a run: each check has a name, and what it refuses is kept, so that a run refuses with all of it at once.

``python -m runner doctor`` asks the same checks and shows what stands for and against every chosen experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from kubernetes.client.exceptions import ApiException

from history.errors import AftershockError, TargetRefused
from kube.answers import ADMISSION, message_of, status_of
from kube.client import Platform
from kube.permissions import NotGranted

Read = TypeVar("Read")
NOTHING = "; nothing was injected"
BESIDES = "; besides: "


class Kind(StrEnum):
    """What a finding means."""

    WORKS = "works"
    LEFT_OUT = "left out"  # a run goes on without it, and says so
    TO_DECIDE = "to decide"  # a run goes on; a person should know, or say what is meant
    REFUSED = "refused"  # a run does not begin


class About(StrEnum):
    """What a finding is about, in the order in which people mend things."""

    CLUSTER = "cluster"
    RIGHTS = "rights"
    ROLES = "roles"
    LOAD = "load"
    PROMETHEUS = "Prometheus"
    INSTRUMENTS = "instruments"
    EXPERIMENTS = "experiments"


class Check(NamedTuple):
    """A check of the target: ``works`` is what can be said where nothing stands against it; ``ask`` raises AftershockError otherwise."""

    about: About
    works: str
    ask: Callable[[Platform], object]


class Finding(NamedTuple):
    """One finding. ``do``: the next step, where the text does not end with one."""

    about: About
    kind: Kind
    text: str
    do: str = ""


class Refusal(NamedTuple):
    """What a check refused."""

    about: About
    error: AftershockError

    @property
    def parts(self) -> tuple[str, ...]:
        """Its sentences, one a finding."""
        parts = self.error.parts if isinstance(self.error, TargetRefused) else ()
        return parts or (str(self.error).replace(NOTHING, ""),)

    @property
    def forbidden(self) -> bool:
        """Whether a right is all that is missing: what admission turns away has the same status."""
        cause = self.error.__cause__
        if isinstance(self.error, NotGranted):
            return True
        return isinstance(cause, ApiException) and status_of(cause) == 403 and not any(words in message_of(cause) for words in ADMISSION)


class Findings:
    """What checks found: ``refusals``, and what is worth ``notes`` although it refuses nothing."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.notes: list[Finding] = []

    def ask(self, about: About, check: Callable[[], Read]) -> Read | None:
        """Return what a check returns; None: it refuses, which is kept."""
        try:
            return check()
        except AftershockError as error:
            self.refusals.append(Refusal(about, error))
            return None

    def note(self, about: About, texts: Iterable[str], kind: Kind = Kind.TO_DECIDE) -> None:
        """Keep remarks."""
        self.notes += [Finding(about, kind, text) for text in texts]

    def refuse(self) -> None:
        """Refuse if anything was refused.

        Raises:
            AftershockError: the one refusal as it is; of several one TargetRefused with all of them.

        """
        errors = list({str(refusal.error): refusal.error for refusal in self.refusals}.values())
        if len(errors) > 1:
            risks = [risk for error in errors if isinstance(error, TargetRefused) for risk in error.risks]
            raise TargetRefused(BESIDES.join(map(str, errors)), tuple(dict.fromkeys(risks))) from errors[0]
        for error in errors:
            raise error
