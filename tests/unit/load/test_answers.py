"""A streamed answer is read the same however its bytes are cut into pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.load.answers import BadAnswer, TokenStream, first_choice, first_line, parse, usage_tokens


def events(tokens: list[str], done: bool = True) -> bytes:
    lines = [f"data: {json.dumps({'choices': [{'index': 0, 'text': token}]})}\n\n" for token in tokens]
    return "".join([": a comment\n\n", *lines, "data: [DONE]\n\n" if done else ""]).encode()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(alphabet='ab :é中\n"{', min_size=1, max_size=4), max_size=12), st.booleans(), st.lists(st.integers(1, 40), min_size=1)
)
def test_any_cutting_gives_the_same_text(tokens: list[str], done: bool, cuts: list[int]) -> None:
    data, stream, at, turn = events(tokens, done), TokenStream(), 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        stream.feed(data[at : at + size], t_ns=turn)
        at, turn = at + size, turn + 1
    assert (stream.text, stream.chunks, stream.done_ns is not None) == ("".join(tokens), len(tokens), done)


def test_times_of_tokens() -> None:
    stream, (first, second, end) = TokenStream(), [part + b"\n\n" for part in events(["a", "b"]).split(b"\n\n")[1:4]]
    stream.feed(first, t_ns=100)
    stream.feed(second, t_ns=130)
    stream.feed(end, t_ns=230)
    stream.end(t_ns=900)  # after [DONE] nothing is waited for
    assert (stream.first_ns, stream.gap_ns) == (100, 100)


def test_silence_before_a_stream_broke_off_counts() -> None:
    stream = TokenStream()
    stream.feed(events(["a"], done=False), t_ns=100)
    stream.end(t_ns=900)
    assert stream.gap_ns == 800


def test_a_stream_without_tokens_has_no_first_byte() -> None:
    stream = TokenStream()
    stream.feed(events([]), t_ns=5)
    assert (stream.first_ns, stream.gap_ns, stream.done_ns) == (None, 0, 5)


def test_usage_wins_over_chunks() -> None:
    stream = TokenStream()
    stream.feed(b'data: {"choices":[{"text":"two tokens"}]}\n\ndata: {"choices":[],"usage":{"completion_tokens":2}}\n\n', t_ns=1)
    assert (stream.tokens, stream.chunks) == (2, 1)


def test_an_error_inside_the_stream_is_kept() -> None:
    stream = TokenStream()
    stream.feed(b'data: {"error":{"message":"device lost"}}\n\n', t_ns=1)
    assert stream.error == "device lost"


@pytest.mark.parametrize("body", [b"", b"oops", b"[1]", b'"x"'])
def test_not_an_object(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse(body)


@pytest.mark.parametrize("answer", [{}, {"choices": [{}]}, {"choices": [{"text": 5}]}, {"choices": 3}])
def test_not_a_completion(answer: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        first_choice(answer)


@pytest.mark.parametrize("answer", [{}, {"usage": None}, {"usage": {"completion_tokens": "many"}}, {"usage": {"completion_tokens": 2**31}}])
def test_no_usage(answer: dict[str, object]) -> None:
    assert usage_tokens(answer) is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error":{"message":"queue full"}}', "queue full"),
        (b'{"error":"plain"}', "plain"),
        (b'{"detail":"not ready"}', "not ready"),
        (b"<html>\n<b>503</b>", "<html>"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_first_line_of_an_error(body: bytes, says: str) -> None:
    assert first_line(body) == says
