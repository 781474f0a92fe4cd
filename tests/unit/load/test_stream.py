"""A streamed answer is read the same however its bytes are cut into pieces, and however its server writes events."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.load.answers import BadAnswer, paired
from workloads.load.stream import StreamError, TokenStream


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


ERRORS = {
    "openai": (b'data: {"error":{"message":"device lost"}}\n\n', "device lost"),
    "error with null choices": (b'data: {"error":"device lost","choices":null}\n\n', "device lost"),
    "named event": (b'event: error\ndata: {"message":"overloaded","http_status_code":429}\n\n', "overloaded"),
    "name after the data": (b'data: {"message":"overloaded"}\nevent: error\n\n', "overloaded"),
    "named event of plain text": (b"event: error\ndata: overloaded\n\n", "overloaded"),
    "old vLLM": (b'data: {"object":"error","message":"no such model","code":404}\n\n', "no such model"),
    "error field of llama.cpp": (b'error: {"code":500,"message":"context is full"}\n\n', "context is full"),
}


@pytest.mark.parametrize(("data", "says"), ERRORS.values(), ids=ERRORS)
def test_an_error_inside_the_stream_ends_it(data: bytes, says: str) -> None:
    stream = TokenStream()
    stream.feed(events(["a"], done=False), t_ns=1)
    with pytest.raises(StreamError, match=f"^{says}$"):
        stream.feed(data + b"data: [DONE]\n\n", t_ns=2)


@pytest.mark.parametrize(
    "data", [b"data: Number of choices must be greater than 0.\n\n", b'data: {"choices":[{"text":"a\n\n', b"data: 5\n\n"]
)
def test_a_message_that_is_no_chunk_is_quoted(data: bytes) -> None:
    with pytest.raises(BadAnswer, match=re.escape(data[6:20].decode().strip())):
        TokenStream().feed(data, t_ns=1)


def chunk(text: str | None, **more: object) -> str:
    return json.dumps({"choices": [{"index": 0, "text": text} | more]})


def pretty(text: str) -> str:
    return "".join(f"data: {line}\n" for line in json.dumps({"choices": [{"text": text}]}, indent=1).split("\n")) + "\n"


A, B, END = f"data: {chunk('a')}\n\n", f"data: {chunk('b')}\n\n", "data: [DONE]\n\n"
WRITTEN = {
    "comments": f": hello\n\n{A}: ping\n\n{B}{END}",
    "empty named events": f"{A}event: ping\ndata: \n\n{B}event: ping\ndata\n\n{END}",
    "named events that are not for us": f'{A}event: ping\ndata: now\n\nevent: ping\ndata: {{"message":"hi"}}\n\n{B}{END}',
    "named messages": f"event: message\n{A}event: message\n{B}{END}",
    "named chunks": f"event: token\n{A}event: token\n{B}{END}",
    "ids and retries": f"id: 1\nretry: 100\n{A}id: 2\n{B}{END}",
    "a name without its event": f"event: error\n\n{A}{B}{END}",
    "usage without choices": f'{A}{B}data: {{"id":"1","usage":{{"completion_tokens":2}}}}\n\n{END}',
    "empty and null choices": f'data: {{"choices":[],"prompt_filter_results":[]}}\n\n{A}data: {{"choices":null}}\n\n{B}{END}',
    "null text at the end": f"{A}{B}data: {chunk(None, finish_reason='stop')}\n\n{END}",
    "absent text at the end": f'{A}{B}data: {{"choices":[{{"index":0,"finish_reason":"stop"}}]}}\n\n{END}',
    "a null error": A.replace("{", '{"error": null, ', 1) + B.replace("{", '{"error": {}, ', 1) + END,
    "several data lines": pretty("a") + pretty("b") + END,
    "no space": (A + B + END).replace("data: ", "data:"),
    "CR LF": (A + B + END).replace("\n", "\r\n"),
    "bare CR": (A + B + END).replace("\n", "\r"),
    "no empty line at the end": A + B + "data: [DONE]\n",
    "no end of the last line": A + B + "data: [DONE]",
    "last event and no [DONE] line of its own": A + B + END.strip(),
    "byte order mark": f"\ufeff{A}{B}{END}",
    "NaN": A.replace('"text"', '"logprobs": NaN, "text"') + B + END,
    "another choice": f'{A}data: {{"choices":[{{"index":1,"text":"x","finish_reason":"abort"}}]}}\n\n{B}{END}',
    "events of which the last is named": f"event: done\n{A}event: message_stop\n{B}event: done\n{END}",
    "after the end": f"{A}{B}{END}data: oops\n\n{B}",
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_streams_as_servers_write_them(written: str, size: int) -> None:
    stream, data = TokenStream(), written.encode()
    for at in range(0, len(data), size):
        stream.feed(data[at : at + size], t_ns=at)
    stream.end(len(data))
    assert (stream.said().text, stream.said().tokens, stream.done_ns is not None) == ("ab", 2, True)


def test_what_is_no_utf8_is_replaced_as_the_standard_says() -> None:
    stream = TokenStream()
    stream.feed(b'data: {"choices":[{"text":"a\xe4\xbd"}]}\n\ndata: {"choices":[{"text":"\xa0b"}]}\n\n', t_ns=1)
    assert stream.text == "a\ufffd\ufffdb"


@pytest.mark.parametrize(
    ("reasons", "last"), [(["abort", "stop"], "abort"), (["stop", "abort"], "abort"), (["null", "none", "", "eos_token"], "stop")]
)
def test_a_reason_that_is_not_of_a_whole_answer_stays(reasons: list[str], last: str) -> None:
    stream = TokenStream()
    for reason in reasons:
        stream.feed(f"data: {chunk('a', finish_reason=reason)}\n\n".encode(), t_ns=1)
    assert stream.reason == last


def test_a_character_in_two_halves() -> None:
    stream = TokenStream()
    stream.feed(f"data: {chunk(chr(0xD83D))}\n\ndata: {chunk(chr(0xDE00))}\n\n{END}".encode(), t_ns=1)
    assert (paired(stream.said().text), stream.chunks) == ("😀", 2)


def test_chunks_without_text_are_progress() -> None:
    """A parser that hides 50 tokens: a chunk each 20 ms, text only in the first and the last."""
    stream = TokenStream()
    for number in range(52):
        stream.feed(f"data: {chunk('a' if number in (0, 51) else '')}\n\n".encode(), t_ns=number * 20_000_000)
    stream.feed(END.encode(), t_ns=51 * 20_000_000)
    assert (stream.gap_ns, stream.chunks, stream.text) == (20_000_000, 52, "aa")


def test_pings_are_no_progress() -> None:
    stream = TokenStream()
    stream.feed(A.encode(), t_ns=0)
    for number in range(1, 10):
        stream.feed(b': ping\n\nevent: ping\ndata: {}\n\ndata: {"choices":[]}\n\n', t_ns=number)
    stream.feed(B.encode(), t_ns=10)
    assert stream.gap_ns == 10


def test_the_first_token_is_the_first_that_is_seen() -> None:
    stream = TokenStream()
    stream.feed(f"data: {chunk('')}\n\n".encode(), t_ns=1)
    stream.feed(f"data: {chunk('', reasoning_content='hm')}\n\n".encode(), t_ns=5)
    assert (stream.first_ns, stream.chunks) == (5, 1)


def test_the_last_chunk_is_no_token_if_it_says_nothing_but_why() -> None:
    stream = TokenStream()
    stream.feed(f"{A}data: {chunk('', finish_reason='abort')}\n\n{END}".encode(), t_ns=1)
    assert (stream.chunks, stream.said().reason) == (1, "abort")


def test_what_is_no_event_is_kept() -> None:
    stream = TokenStream()
    stream.feed(b"<!doctype html>\n<title>Sign in</title>", t_ns=1)
    stream.end(2)
    assert stream.stray == b"<!doctype html>\n<title>Sign in</title>\n"


def test_tokens_held_back_are_progress_and_a_silence_that_a_reader_sees() -> None:
    stream = TokenStream()
    for t_ns, text in enumerate(["a", "", "", "", "b"]):
        stream.feed(events([text], done=False), t_ns=t_ns * 20)
    assert (stream.gap_ns, stream.gap_end_ns, stream.visible_gap_ns, stream.chunks) == (20, 20, 80, 5)


def test_a_silence_is_known_by_its_end() -> None:
    stream = TokenStream()
    for t_ns in (0, 20, 500, 520):
        stream.feed(events(["a"], done=False), t_ns=t_ns)
    assert (stream.gap_ns, stream.gap_end_ns, stream.visible_gap_ns) == (480, 500, 480)
