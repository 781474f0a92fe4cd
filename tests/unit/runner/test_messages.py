"""What child and parent say to each other."""

from __future__ import annotations

import json
import os

from runner.messages import Kind, Pipe, read_message


def test_only_messages_are_messages() -> None:
    message = read_message('{"kind": "note", "text": "x"}')
    assert message is not None
    assert (message.kind, message.text()) == (Kind.NOTE, "x")
    for line in ("a library prints", '{"kind": "nothing known"}', "[1]", '"note"', ""):
        assert read_message(line) is None


def test_a_parent_that_is_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)
    pipe(Kind.NOTE, text="heard")
    assert json.loads(os.read(reading, 1000)) == {"kind": "note", "text": "heard"}
    os.close(reading)
    pipe(Kind.NOTE, text="nobody listens")
    pipe(Kind.NOTE, text="still nobody")
    os.close(writing)
