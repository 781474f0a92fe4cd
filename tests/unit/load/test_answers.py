"""A plain completion is read, and what is none is refused in its own words."""

from __future__ import annotations

import json
import re

import pytest

from workloads.load.answers import CHAT, BadAnswer, ErrorAnswer, first_line, paired, parse, read_plain, usage_tokens


@pytest.mark.parametrize("body", [b"", b"oops", b"[1]", b'"x"'])
def test_not_an_object(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse(body)


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": "\\ud83d"}', b'\xef\xbb\xbf{"a": 1}'], ids=repr)
def test_what_servers_write_beside_strict_json_is_read(body: bytes) -> None:
    assert list(parse(body)) == ["a"]


def test_halves_of_a_character_are_joined() -> None:
    assert paired("a\ud83d" + "\ude00b") == "a😀b"
    assert paired("lost \ud83d half") == "lost \ufffd half"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", "no answer in it: {}"),
        (b'{"choices": []}', "no answer in it"),
        (b'{"choices": 3}', "no list"),
        (b'{"choices": ["a"]}', "no list of objects"),
        (b'{"choices": [{"text": 5}]}', "no string"),
        (b'{"choices": [{"message": {"content": "a"}}]}', "of the chat API"),
        (b"<!doctype html>", "not JSON: <!doctype html>"),
        (b"", "not JSON: nothing"),
        (b"[" * 100_000, "not JSON"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_not_a_completion(body: bytes, says: str) -> None:
    with pytest.raises(BadAnswer, match=re.escape(says)):
        read_plain(body)


def test_an_error_with_a_status_of_success_is_quoted() -> None:
    with pytest.raises(ErrorAnswer, match=r"^EngineCore encountered an issue$"):
        read_plain(b'{"error": {"message": "EngineCore encountered an issue", "code": 500}}')


@pytest.mark.parametrize("empty", [b"null", b'""', b"{}", b"false"])
def test_an_error_field_that_says_nothing_is_no_error(empty: bytes) -> None:
    said = read_plain(b'{"error": ' + empty + b', "choices": [{"text": "a", "finish_reason": "stop"}]}')
    assert (said.text, said.reason) == ("a", "stop")


@pytest.mark.parametrize("choice", [b"{}", b'{"text": null}', b'{"text": ""}'])
def test_a_choice_without_text_shows_nothing(choice: bytes) -> None:
    assert not read_plain(b'{"choices": [' + choice + b"]}").visible


@pytest.mark.parametrize("name", [b"reasoning", b"reasoning_content", b"reasoning_details", b"thinking", b"audio", b"token_ids"])
def test_reasoning_is_visible(name: bytes) -> None:
    assert read_plain(b'{"choices": [{"text": "", "' + name + b'": "hm"}]}').visible


def test_content_in_parts_is_read_and_thinking_is_visible_without_being_text() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]

    def said(content: object) -> tuple[str, bool]:
        answer = read_plain(json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).encode(), CHAT)
        return answer.text, answer.visible

    assert (said(parts), said(parts[:1]), said([])) == (("ab", True), ("", True), ("", False))


def test_an_error_of_the_choice_is_quoted() -> None:
    with pytest.raises(ErrorAnswer, match=r"^Provider disconnected$"):
        read_plain(b'{"choices": [{"text": "a", "finish_reason": "error", "error": {"code": 502, "message": "Provider disconnected"}}]}')


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"usage": None},
        {"usage": {"completion_tokens": "many"}},
        {"usage": {"completion_tokens": 2**31}},
        {"usage": {"completion_tokens": True}},
    ],
)
def test_no_usage(answer: dict[str, object]) -> None:
    assert usage_tokens(answer) is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error":{"message":"queue full"}}', "queue full"),
        (b'{"error":"plain"}', "plain"),
        (b'{"detail":"not ready"}', "not ready"),
        (b"<html>\n<b>503</b>", "<html>"),
        (b'{"object":"error","message":"no such model"}', "no such model"),
        (b'{"errors":["no such shape"]}', "['no such shape']"),
        (b'{"errorMessage":"task timed out"}', "task timed out"),
        (b'{"code":404}', '{"code":404}'),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_first_line_of_an_error(body: bytes, says: str) -> None:
    assert first_line(body) == says
