"""What a container's log says, line by line."""

from __future__ import annotations

import pytest

from kube.containers import objects_in


@pytest.mark.parametrize(
    ("log", "objects"),
    [
        (None, []),
        ("", []),
        ('{"armed": true}\nWarning: slow\n{"did": "cut"}\n', [{"armed": True}, {"did": "cut"}]),
        ('{"did": "cut"}\n{"did": "und', [{"did": "cut"}]),  # the last line is being written
        ("{not JSON}\n[1]\n7\n", []),
    ],
)
def test_lines_that_are_no_objects_are_left_out(log: str | None, objects: list[dict[str, object]]) -> None:
    assert objects_in(log) == objects
