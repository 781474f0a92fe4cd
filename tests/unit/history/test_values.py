"""A copy of a model has the fields of the model: pydantic alone takes any key and keeps it silently."""

from __future__ import annotations

import pytest

from history.answers import AnswerRule
from history.values import Written


class Small(Written):
    """A model of a file."""

    size: int = 1


@pytest.mark.parametrize("model", [AnswerRule(), Small()])
def test_a_copy_with_a_field_that_is_not_there_is_refused(model: AnswerRule | Small) -> None:
    with pytest.raises(TypeError, match=f"{type(model).__name__} has no field colour; it has "):
        model.model_copy(update={"colour": "red"})


def test_a_copy_is_changed_where_it_should_be() -> None:
    assert Small().model_copy(update={"size": 2}) == Small(size=2)
    assert Small(size=3).model_copy() == Small(size=3)
