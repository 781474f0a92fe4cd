"""Classes of workload as a target file writes them: one model for each kind, with what drives a run of that kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, SerializeAsAny

from history.budgets import Bounds
from history.values import Seconds, Written
from target.mistakes import MISSING, OfKinds, Refusal, keys_of, refuse

if TYPE_CHECKING:
    from target.target import Target

Positive = Annotated[Seconds, Field(gt=0)]
CLASSES: dict[str, type[WorkloadClass]] = {}
"""The kinds of workload that target files may have; defining a subclass of :class:`WorkloadClass` adds its own."""


class SteadyState(Written):
    """What must hold while all is well. A kind's own subclass says more."""

    window: Positive | None = None  # what is judged over the latest seconds; left out: as long as is usual for the kind


class WorkloadClass(OfKinds):
    """A class of workload. A kind's own subclass says what drives it; its ``kind`` is a literal with a default."""

    kind: str
    role: str  # the role that serves it
    steady_state: SteadyState = SteadyState()
    budgets: Bounds = Bounds()
    budgets_in: dict[str, Bounds] = Field(
        default_factory=dict
    )  # experiment -> budgets in the place of its own: what only this platform knows

    @classmethod
    def model_for(cls, data: object) -> type[WorkloadClass]:
        """Return the model of the kind that ``data`` of a file name; this one if nobody knows it."""
        kind = data.get("kind") if isinstance(data, Mapping) else None
        return CLASSES.get(kind, cls) if isinstance(kind, str) else cls

    def refusals(self, target: Target) -> Iterator[Refusal]:
        """Yield what this class of ``target`` must not ask for: keys, and a sentence.

        Names that lead nowhere, credentials, and what can be said and is not built yet.
        """
        if self.role not in target.roles:
            yield ("role",), f"{self.role!r} is not under roles"
        yield from ((("budgets", name), sentence) for name, sentence in self.budgets.misplaced(self.kind))
        for experiment, budgets in self.budgets_in.items():
            yield from ((("budgets_in", experiment, name), sentence) for name, sentence in budgets.misplaced(self.kind))

    def secrets(self, environment: Mapping[str, str]) -> list[str]:  # noqa: ARG002 - a kind's own subclass reads it
        """Return the secret values of ``environment`` that it sends: no message may show them."""
        return []

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        """Let target files have this kind."""
        super().__pydantic_init_subclass__(**kwargs)
        CLASSES[cls.model_fields["kind"].default] = cls


def _of_its_kind(value: object) -> object:
    """Read a mapping as the kind of workload that it says it is. Raises ValidationError."""
    if not isinstance(value, Mapping):
        return value
    model, kind = WorkloadClass.model_for(value), value.get("kind")
    if model is WorkloadClass:
        built = f"no driver for {kind} is built yet; built are {', '.join(CLASSES)}"
        refuse(model.__name__, [(("kind",), MISSING if kind is None else built)])
    refuse(model.__name__, _of_another_kind(model, value))
    return model.model_validate(value, by_alias=True, by_name=False)  # a file spells each key in one way


def _of_another_kind(model: type[WorkloadClass], value: Mapping[str, object]) -> Iterator[Refusal]:
    """Yield what means something, but for another kind: told by its name, not as a key that nobody knows."""
    sentence, others = f"it means nothing for kind {value['kind']}; leave it out", CLASSES.values()
    yield from (((key,), sentence) for key in _foreign(value, model, others))
    steady = value.get("steady_state")
    if isinstance(steady, Mapping):
        of_steady = [_steady_state(one) for one in others]
        yield from ((("steady_state", key), sentence) for key in _foreign(steady, _steady_state(model), of_steady))


def _foreign(value: Iterable[str], model: type[Written], others: Iterable[type[Written]]) -> list[str]:
    known = set().union(*(keys_of(other) for other in others))
    return [key for key in value if key in known and key not in keys_of(model)]


def _steady_state(model: type[WorkloadClass]) -> type[Written]:
    declared = model.model_fields["steady_state"].annotation
    return declared if isinstance(declared, type) and issubclass(declared, Written) else SteadyState


AnyClass = Annotated[SerializeAsAny[WorkloadClass], BeforeValidator(_of_its_kind)]
