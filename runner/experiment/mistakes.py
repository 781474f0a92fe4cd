"""Mistakes that pydantic found in a file, as sentences with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from history.errors import ConfigError
from runner.experiment.yaml_source import Keys, Located

Model = TypeVar("Model", bound=BaseModel)


def parse(located: Located, model: type[Model], data: object, at: Keys = ()) -> Model:
    """Return ``data`` (which stands at ``at`` in the file) as ``model``.

    Raises:
        ConfigError: every mistake on a line of its own, as ``file:line: key: what``.

    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_sentence(located, model, item, at) for item in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from error


def _sentence(located: Located, model: type[BaseModel], item: ErrorDetails, at: Keys) -> str:
    loc: tuple[str | int, ...] = item["loc"]
    where = ".".join(str(part) for part in (*at, *loc)) or "file"
    return f"{located.path}:{located.line((*at, *loc))}: {where}: {_what(model, item)}"


def _what(model: type[BaseModel], item: ErrorDetails) -> str:
    kind, loc = item["type"], item["loc"]
    if kind == "extra_forbidden":
        known = sorted(_known(model, loc[:-1]))
        if "rto" in known:
            return f"no measurement exists for this budget; measured are {', '.join(known)}"
        return f"unknown key; known here: {', '.join(known)}"
    if kind == "missing":
        return "missing; it is required"
    return f"{item['msg']} (got {item['input']!r})"


def _known(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    for key in loc:
        if isinstance(key, str):
            model = next(_models(_fields(model)[key]), model)
    return set(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
