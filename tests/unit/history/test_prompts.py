"""The prompts file: lines end with newlines alone, in UTF-8, and what is wrong is one sentence with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from history.answers import AnswerRule
from history.errors import ConfigError
from history.prompts import Prompt, compared, knows_answers, read_prompts

PARIS = (" Paris", " is", " the")
TEXT = "".join(PARIS)


def written(folder: Path, data: str | bytes) -> Path:
    path = folder / "prompts.jsonl"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\u0085four\x1efive"
    rows = [json.dumps({"prompt": text, "completion": text}, ensure_ascii=False), '{"prompt": "last"}']
    assert read_prompts(written(tmp_path, "\n".join(rows))) == (Prompt(text, text), Prompt("last", None))


def test_lines_may_end_as_windows_ends_them_after_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_prompts(written(tmp_path, b'\xef\xbb\xbf{"prompt": "a"}\r\n{"prompt": "b"}\r\n')) == (Prompt("a", None), Prompt("b", None))


def test_what_is_known_of_an_answer(tmp_path: Path) -> None:
    row = {"prompt": "p", "completion": TEXT, "tokens": PARIS, "finish_reason": "stop", "anything": 1}
    assert read_prompts(written(tmp_path, json.dumps(row))) == (Prompt("p", TEXT, PARIS, ends=True),)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('{"prompt": "déjà"}'.encode("latin-1"), "prompts.jsonl:1: not UTF-8, byte 14 of the line is 0xe9; save the file as UTF-8"),
        (b'{"prompt": "a"}\n\n{"prompt": "b"}', "prompts.jsonl:2: not JSON"),
        (b"[" * 100_000, "prompts.jsonl:1: not JSON"),
        (b"[1]", "prompts.jsonl:1: not a prompt: there is no prompt"),
        (b'{"prompt": null}', "prompts.jsonl:1: not a prompt: there is no prompt"),
        (b'{"prompt": [{"role": "user"}]}', "prompts.jsonl:1: not a prompt: prompt is no text"),
        (b'{"prompt": "a", "completion": 5}', "prompts.jsonl:1: not a prompt: completion is no text"),
        (b'{"prompt": "\\ud83d"}', "prompts.jsonl:1: not a prompt: prompt holds half a surrogate pair"),
        (b'{"prompt": "a", "completion": "\\ud83d"}', "prompts.jsonl:1: not a prompt: completion holds half a surrogate pair"),
        (b'{"prompt": "a", "completion": "ab", "tokens": "ab"}', "tokens is no list of texts"),
        (b'{"prompt": "a", "completion": "ab", "tokens": ["a", "c"]}', "its tokens, joined, are not its completion"),
        (b'{"prompt": "a", "tokens": ["a"]}', "its tokens, joined, are not its completion"),
        (b"", "holds no prompt"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_prompts(written(tmp_path, data))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prompts(tmp_path / "prompts.jsonl")


def test_what_is_compared_follows_from_the_rule() -> None:
    prompts = (Prompt("p", TEXT, PARIS), Prompt("q", None))
    assert compared(prompts, AnswerRule()) == compared(prompts, AnswerRule(mode="exact")) == prompts
    assert [prompt.prefix for prompt in compared(prompts, AnswerRule(mode="prefix"))] == [True, True]
    assert compared(prompts, AnswerRule(mode="unknown")) == (Prompt("p", None), Prompt("q", None))
    assert (knows_answers(prompts), knows_answers(prompts[1:])) == (True, False)


@pytest.mark.parametrize(
    ("prompt", "most"),
    [
        (Prompt("p", None), None),
        (Prompt("p", TEXT, PARIS), 3),
        (Prompt("p", "é" * 4), 8),
        (Prompt("p", TEXT, PARIS, ends=True), None),
        (Prompt("p", TEXT, prefix=True), None),
    ],
)
def test_how_many_tokens_can_be_compared(prompt: Prompt, most: int | None) -> None:
    assert prompt.most_tokens == most
