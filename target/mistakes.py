"""Mistakes that pydantic found in a file, as sentences with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from history.budgets import BUDGETS
from history.errors import ConfigError
from history.values import Written
from target.secrets import credentials
from target.yaml_source import Keys, Located

Model = TypeVar("Model", bound=BaseModel)
Refusal = tuple[Keys, str]
"""What a model refuses: the keys of the place, and a sentence."""
MISSING = "missing; it is required"
REFUSED = "refused"  # a mistake that a model's own validator found, at a place and in a sentence


class OfKinds(Written):
    """Base of models of which there is one for each kind: the data say which."""

    @classmethod
    def model_for(cls, data: object) -> type[BaseModel]:
        """Return the model that ``data`` of a file are read as."""
        raise NotImplementedError


def parse(located: Located, model: type[Model], data: object, at: Keys = (), known: Iterable[str] = ()) -> Model:
    """Return ``data`` (which stands at ``at`` in the file) as ``model``; ``known`` are sentences on mistakes that were found before.

    Raises:
        ConfigError: every mistake on a line of its own, as ``file:line: key: what``.

    """
    lines = list(known)
    try:
        parsed = model.model_validate(data, by_alias=True, by_name=False)  # a file spells each key in one way
    except ValidationError as error:
        lines += [_of_pydantic(located, model, data, item, at) for item in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error
    if lines:
        raise ConfigError("\n".join(lines))
    return parsed


def refuse(title: str, wrong: Iterable[Refusal]) -> None:
    """Refuse the model ``title`` for each mistake (keys, sentence), if there is one.

    Raises:
        ValidationError: with a place each, also within a model that has this one as a part.

    """
    details = [
        InitErrorDetails(type=PydanticCustomError(REFUSED, "{sentence}", {"sentence": sentence}), loc=tuple(keys), input=None)
        for keys, sentence in wrong
    ]
    if details:
        raise ValidationError.from_exception_data(title, details)


def sentence(located: Located, keys: Keys, what: str) -> str:
    """Return ``file:line: key: what``, with the key as the file spells it."""
    written = located.written(keys)
    return f"{located.path}:{located.line(written)}: {'.'.join(map(str, written)) or 'file'}: {what}"


def _of_pydantic(located: Located, model: type[BaseModel], data: object, item: ErrorDetails, at: Keys) -> str:
    keys = (*at, *item["loc"])
    return sentence(located, keys, _what(model, data, item, ".".join(map(str, located.written(keys)))))


def _what(model: type[BaseModel], data: object, item: ErrorDetails, where: str) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        known = sorted(_known(model, data, item["loc"][:-1]))
        budgets = sorted(budget.written for budget in BUDGETS.values())
        if set(budgets) <= set(known):
            return f"no measurement exists for this budget; measured are {', '.join(budgets)}"
        return unknown(known)
    if kind == "missing":
        return MISSING
    said = item["msg"].removeprefix("Value error, ")
    if kind == "tuple_type":
        said = "a list is needed, such as [a, b]"
    if kind == "string_type" and isinstance(item["input"], bool | int | float | date):
        said += f", YAML reads this as a {type(item['input']).__name__}; put it in quotes"
    return said if kind == REFUSED or credentials.may_hold(where, item["input"]) else f"{said} (got {item['input']!r})"


def unknown(known: Iterable[str]) -> str:
    """Return what is said of a key that is none of ``known``."""
    return f"unknown key; known here: {', '.join(sorted(known))}"


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return the keys that ``model`` knows, as files spell them."""
    return set(_fields(model))


def _known(annotation: object, data: object, loc: Keys) -> set[str]:
    """Return the keys that the model at ``loc`` of ``data`` knows."""
    for key in loc:
        annotation = next(_inside(annotation, data, key), annotation)  # what leads nowhere is pydantic's word for one type of a union
        data = _at(data, key)
    return {name for part in _parts(annotation, data) for name in _fields(part)}


def _at(data: object, key: str | int) -> object:
    if isinstance(data, dict):
        return data.get(key)
    return data[key] if isinstance(data, list) and isinstance(key, int) and key < len(data) else None


def _inside(annotation: object, data: object, key: str | int) -> Iterator[object]:
    for part in _parts(annotation, data):
        if key in (fields := _fields(part)):
            yield fields[str(key)]
        elif get_origin(part) is dict:
            yield get_args(part)[1]
        elif get_origin(part) is tuple:
            yield get_args(part)[0]


def _parts(annotation: object, data: object) -> Iterator[object]:
    """Yield a type and, of a union or an annotated type, what it is made of; of models for each kind, that of ``data``."""
    yield annotation.model_for(data) if isinstance(annotation, type) and issubclass(annotation, OfKinds) else annotation
    if get_origin(annotation) not in {dict, tuple}:
        for part in get_args(annotation):
            yield from _parts(part, data)


def _fields(part: object) -> dict[str, object]:
    known = part.model_fields if isinstance(part, type) and issubclass(part, BaseModel) else {}
    return {str(field.validation_alias or name): field.annotation for name, field in known.items()}
