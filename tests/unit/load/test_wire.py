"""What goes over the wire for each API: the path beneath the endpoint, the body, the headers, and how the answer is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from history.errors import ConfigError
from history.prompts import Prompt
from history.request_form import RequestForm
from history.workloads import Load, Mix
from testing.load.api_server import KEY, Asked, api_server
from workloads.load.answers import BadAnswer, ErrorAnswer, read_plain
from workloads.load.client import Client, Row
from workloads.load.exchange import Call
from workloads.load.stream import TokenStream
from workloads.load.wire.body import Body
from workloads.load.wire.endpoint import Endpoint, request_target
from workloads.load.wire.template import at, reader_of

MIX = (Mix(weight=1, max_tokens=(1, 4)), Mix(weight=1, stream=True, max_tokens=(1, 4)))
TRITON: dict[str, Any] = {
    "api": "own",
    "template": {
        "path": "/v2/models/{model}/generate",
        "stream_path": "/v2/models/{model}/generate_stream",
        "body": {"text_input": "{prompt}", "parameters": {"max_tokens": "{max_tokens}", "stream": "{stream}"}},
        "answer": {"text": "text_output"},
        "stream_end": "close",
    },
}


def load_for(url: str, **fields: Any) -> Load:
    usual = {"model": "m", "rate_rps": 1, "mix": MIX, "prompts": "none", "in_flight_cap": 4, "timeout_s": 2, "horizon_s": 1, "seed": 0}
    return Load.model_validate(usual | {"url": url} | fields)


def asked_for(load: Load, *, stream: bool = False) -> Row:
    return Client(load, "run", "w").attempt(Call(0, 0, stream, Prompt('say "ü"', None), 4), 0)


@pytest.mark.parametrize(
    ("url", "api", "target"),
    [
        ("http://h", "completions", "/v1/completions"),
        ("http://h/", "chat", "/v1/chat/completions"),
        ("http://h/base", "completions", "/base/v1/completions"),
        ("http://h/v1", "completions", "/v1/completions"),
        ("http://h/openai/v1/", "chat", "/openai/v1/chat/completions"),
        ("http://h/?api-version=1", "chat", "/v1/chat/completions?api-version=1"),
        ("http://h/v1?api-version=1&a=%20b", "completions", "/v1/completions?api-version=1&a=%20b"),
        (
            "https://h/openai/deployments/gpt/chat/completions?api-version=1",
            "chat",
            "/openai/deployments/gpt/chat/completions?api-version=1",
        ),
        ("http://h/generate/completions", "completions", "/generate/completions"),
        ("http://h/a b", "completions", "/a%20b/v1/completions"),
    ],
)
def test_an_endpoint_keeps_its_path_and_query(url: str, api: str, target: str) -> None:
    assert request_target(Endpoint.of(url), load_for(url, request={"api": api}), stream=False) == target


def test_an_endpoint_of_the_other_api_is_refused() -> None:
    load = load_for("http://h/v1/chat/completions")
    with pytest.raises(ConfigError, match=r"is one of api chat, load\.request\.api is completions"):
        request_target(Endpoint.of(load.url), load, stream=False)


def test_an_own_path_is_appended_as_it_is() -> None:
    load = load_for("http://h/x/?v=1", model="org/m 1", request=TRITON)
    endpoint = Endpoint.of(load.url)
    assert request_target(endpoint, load, stream=False) == "/x/v2/models/org%2Fm%201/generate?v=1"
    assert request_target(endpoint, load, stream=True).endswith("/generate_stream?v=1")


def test_an_endpoint_with_a_fragment_is_none() -> None:
    with pytest.raises(ConfigError, match="names no HTTP endpoint"):
        Endpoint.of("http://h/#here")


@pytest.mark.parametrize("prompt", ["", 'q"\\\n', "ü😀", "{max_tokens}", "\0prompt\0"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_is_the_json_that_it_would_be_written_as_at_once(prompt: str, stream: bool) -> None:
    chat = Body(load_for("http://h", request={"api": "chat", "ignore_eos": True}), stream=stream).encode(prompt, 17)
    same = {"model": "m", "temperature": 0, "ignore_eos": True}
    assert orjson.loads(chat) == same | {"messages": [{"role": "user", "content": prompt}], "max_tokens": 17, "stream": stream}
    plain = Body(load_for("http://h"), stream=stream).encode(prompt, 17)
    assert orjson.loads(plain) == {"model": "m", "temperature": 0, "prompt": prompt, "max_tokens": 17, "stream": stream}


def test_placeholders_inside_a_text_become_text() -> None:
    body = {"ask": "<s>{prompt}</s> ({max_tokens} tokens, {model}, {stream})", "n": "{max_tokens}", "keep": ["{stream}", 1.5, None]}
    form = {"api": "own", "template": {"path": "/p", "body": body, "answer": {"text": "t"}}}
    made = Body(load_for("http://h", request=form), stream=True).encode('a"b', 3)
    assert json.loads(made) == {"ask": '<s>a"b</s> (3 tokens, m, true)', "n": 3, "keep": [True, 1.5, None]}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"api": "own"}, "api: own needs one"),
        ({"template": TRITON["template"]}, "a template belongs to api: own"),
        (TRITON | {"ignore_eos": True}, "write what your engine calls it"),
        ({"api": "own", "template": TRITON["template"] | {"body": {"a": "b"}}}, 'body holds no "{prompt}"'),
        (
            {"api": "own", "template": TRITON["template"] | {"body": {"a": "{prompt}", "b": "{tokens}"}}},
            "'{tokens}', which nobody fills in",
        ),
        ({"api": "own", "template": TRITON["template"] | {"path": "v2"}}, "template.path"),
        ({"auth": {"header": "a b", "env": "KEY"}}, "auth.0.header"),
    ],
)
def test_a_form_that_cannot_be_sent_is_refused(form: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RequestForm.model_validate(form)
    assert said in str(refused.value)


def test_plans_of_before_are_read() -> None:
    assert RequestForm.model_validate({"api": "completions", "ignore_eos": False, "auth": None}) == RequestForm()


@pytest.mark.parametrize(("place", "found"), [("a.0.b", "x"), ("/a/0/b", "x"), ("/c~1d/e~0", 1)])
def test_a_place_is_dotted_or_a_json_pointer(place: str, found: object) -> None:
    assert at({"a": [{"b": "x"}], "c/d": {"e~": 1}}, place) == found


TGI = RequestForm.model_validate(
    {
        "api": "own",
        "template": {
            "path": "/generate",
            "body": {"inputs": "{prompt}"},
            "answer": {"text": "generated_text", "finish_reason": "details.finish_reason", "tokens": "details.generated_tokens"},
            "chunk": {"text": "token.text", "finish_reason": "details.finish_reason", "tokens": "details.generated_tokens"},
            "stream_end": "close",
        },
    }
)


def test_an_own_answer_is_read_where_the_template_says() -> None:
    said = read_plain(b'{"generated_text": "ab", "details": {"finish_reason": "length", "generated_tokens": 2}}', reader_of(TGI))
    assert said == ("ab", True, "length", 2, True)
    with pytest.raises(ErrorAnswer, match="overloaded"):
        read_plain(b'{"error": "overloaded", "error_type": "overloaded"}', reader_of(TGI))
    with pytest.raises(BadAnswer, match=r"no answer in it: \{\"other\": 1\}"):
        read_plain(b'{"other": 1}', reader_of(TGI))
    with pytest.raises(BadAnswer, match="generated_text is no string"):
        read_plain(b'{"generated_text": 5}', reader_of(TGI))


def test_an_own_stream_ends_with_its_answer() -> None:
    stream = TokenStream(reader_of(TGI))
    for number, token in enumerate(({"text": "a"}, {"text": "b"}), 1):
        details = {"finish_reason": "length", "generated_tokens": 2} if number == 2 else None
        stream.feed(b"data:" + json.dumps({"token": token, "generated_text": None, "details": details}).encode() + b"\n\n", t_ns=number)
    assert stream.done_ns is None
    stream.end(3)
    stream.close(3)
    assert (stream.done_ns, stream.said()) == (3, ("ab", True, "length", 2, True))


def test_a_stream_with_done_is_cut_without_it() -> None:
    stream = TokenStream()
    stream.close(1)
    assert stream.done_ns is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("form", "path"), [({}, "/v1/completions"), ({"api": "chat"}, "/v1/chat/completions"), (TRITON, "/v2/models/m/generate")]
)
def test_each_api_is_answered_whole(form: dict[str, Any], path: str, stream: bool) -> None:
    with api_server() as server:
        row = asked_for(load_for(f"{server.url}/ok", request=form), stream=stream)
        (asked,) = server.asked
    assert (row["outcome"], row["complete"], row["error"], row["status"]) == ("ok", True, None, 200)
    assert asked.path == (f"{path}_stream" if stream and form is TRITON else path)
    assert 'say "ü"' in json.dumps(asked.body, ensure_ascii=False).replace('\\"', '"')


def test_reasoning_and_calls_of_tools_are_progress_in_a_chat() -> None:
    stream = TokenStream(reader_of(RequestForm(api="chat")))
    for t_ns, delta in enumerate(({"role": "assistant", "content": ""}, {"reasoning": "hm"}, {"tool_calls": [{"index": 0}]}, {}), 1):
        stream.feed(b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n", t_ns)
    assert (stream.first_ns, stream.text, stream.chunks) == (2, "", 3)


@pytest.mark.parametrize(
    ("api", "choice", "said"),
    [
        ("chat", {"text": "a"}, "of the completions API, a chat was asked for"),
        ("chat", {"message": "a"}, "holds no message"),
        ("chat", {"message": {"content": ["a"]}}, "content of choices"),
        ("completions", {"delta": {"content": "a"}}, "of the chat API, a completion was asked for"),
    ],
)
def test_an_answer_of_the_other_api_is_named(api: Any, choice: dict[str, Any], said: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        read_plain(json.dumps({"choices": [choice]}).encode(), reader_of(RequestForm(api=api)))


def headers_sent(load: Load) -> Asked:
    with api_server() as server:
        asked_for(load.model_copy(update={"url": f"{server.url}/ok"}))
        return server.asked[0]


def test_any_header_comes_from_the_environment_and_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "from-a\n")
    monkeypatch.setenv("B", "Basic from-b")
    monkeypatch.setenv("C", "from-c")
    auth = [{"header": "API-Key", "env": "A"}, {"header": "x-tenant-key", "env": "C"}]
    sent = headers_sent(load_for("http://h", headers={"api-key": "no", "X-Team": "red"}, api_key_env="B", request={"auth": auth})).headers
    assert (sent["api-key"], sent["x-tenant-key"], sent["x-team"]) == ("from-a", "from-c", "red")
    assert sent["authorization"] == "Bearer Basic from-b"
    assert sent["accept-encoding"] == "identity"


def test_what_a_server_quotes_of_a_credential_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG", "Basic wr0ng-secret")
    with api_server() as server:
        load = load_for(f"{server.url}/locked", request={"auth": {"header": "authorization", "env": "WRONG"}})
        assert asked_for(load)["error"] == "HTTP 401: Access denied due to invalid subscription key: Basic ***"
        monkeypatch.setenv("WRONG", KEY)
        row = asked_for(load_for(f"{server.url}/locked", request={"auth": {"header": "api-key", "env": "WRONG"}}))
    assert row["outcome"] == "ok"


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"environment variable NOBODY_SET_IT \(load\.request\.auth\) is not set"):
        Client(load_for("http://h", request={"auth": {"header": "api-key", "env": "NOBODY_SET_IT"}}), "run", "w")


def test_a_template_reads_every_engines_reason() -> None:
    places = {"text": "text", "finish_reason": "meta.finish_reason"}
    template = {"path": "/generate", "body": {"text": "{prompt}"}, "answer": places, "stream_end": "close"}
    reader = reader_of(RequestForm.model_validate({"api": "own", "template": template}))
    reasons = [None, {"type": "length", "length": 8}, "MAX_TOKENS", "eos", "none", True, {"type": "abort"}]
    read = [reader.chunk({"text": "a", "meta": {"finish_reason": reason}}) for reason in reasons]
    assert [part and part.reason for part in read] == [None, "length", "length", "stop", None, "stop", "abort"]
    assert reader.chunk({"meta": {"finish_reason": None}}) is None


APIS: dict[str, tuple[dict[str, Any], str, tuple[str, str, int]]] = {
    "Anthropic's messages": (
        {"text": "delta.text", "finish_reason": "delta.stop_reason", "tokens": "usage.output_tokens"},
        'event: message_start\ndata: {"type":"message_start","message":{"usage":{"output_tokens":1}}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'
        'event: ping\ndata: {"type":"ping"}\n\n'
        'event: message_delta\ndata: {"delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":7}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        ("a", "length", 7),
    ),
    "OpenAI's responses": (
        {"text": "delta", "finish_reason": "response.status", "tokens": "response.usage.output_tokens"},
        'event: response.created\ndata: {"response":{"status":"in_progress","usage":null}}\n\n'
        'event: response.output_text.delta\ndata: {"delta":"a"}\n\n'
        'event: response.completed\ndata: {"response":{"status":"completed","usage":{"output_tokens":7}}}\n\n',
        ("a", "stop", 7),
    ),
    "llama.cpp's completion": (
        {"text": "content", "finish_reason": "stop_type", "tokens": "tokens_predicted"},
        'data: {"content":"a","stop":false,"stop_type":"none"}\n\ndata: {"content":"","stop_type":"limit","tokens_predicted":7}\n\n',
        ("a", "length", 7),
    ),
}


@pytest.mark.parametrize(("places", "written", "wanted"), APIS.values(), ids=APIS)
def test_streams_of_other_apis_are_read_by_a_template(places: dict[str, Any], written: str, wanted: tuple[str, str, int]) -> None:
    template = {"path": "/", "body": {"text": "{prompt}"}, "answer": places, "stream_end": "close"}
    stream = TokenStream(reader_of(RequestForm.model_validate({"api": "own", "template": template})))
    stream.feed(written.encode(), 1)
    stream.end(2)
    stream.close(2)
    said = stream.said()
    assert (said.text, said.reason, said.tokens) == wanted
