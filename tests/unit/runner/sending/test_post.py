"""One POST: bounded in time as a whole, and what goes wrong is a sentence that shows no secret."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runner.sending.post import NotSent, post
from target.secrets.known import remember
from testing.pages.receivers import Says, receiving

PATH = "/hooks/aaaa-very-secret"


def test_a_body_arrives_as_json_with_its_headers() -> None:
    with receiving(lambda _: Says(204)) as server:
        post("the webhook", server.url + PATH, {"text": "ü"}, {"X-Token": "t"})
    (asked,) = server.seen
    assert (asked.path, asked.body) == (PATH, {"text": "ü"})
    assert (asked.headers["x-token"], asked.headers["content-type"]) == ("t", "application/json")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (Says(403, b"no\n::error::entry"), r"answers HTTP 403: no ::error::entry; see its address"),
        (Says(500), r"answers HTTP 500; see its address"),
        (Says(302, headers={"location": "https://login.example/x"}), r"HTTP 302, which leads to login\.example and is not followed"),
        (Says(413, b"x" * 100_000), "answers HTTP 413: x{200};"),
        (Says(401, b"wrong token: sesame-sesame"), r"wrong token: \[redacted\];"),
    ],
)
def test_what_is_not_accepted_is_said_in_one_line(says: Says, words: str) -> None:
    remember(["sesame-sesame"])
    with receiving(lambda _: says) as server, pytest.raises(NotSent, match=words) as raised:
        post("the webhook", server.url + PATH, {}, {})
    assert len(server.seen) == 1
    assert str(raised.value).startswith(f"the webhook at {server.url.removeprefix('http://')} ")
    assert PATH not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_answers_byte_by_byte_ends_at_the_limit_all_the_same() -> None:
    with receiving(None) as server, pytest.raises(NotSent, match=r"did not answer within 0\.3 s"):
        post("the webhook", server.url + PATH, {}, {}, limit_s=0.3)


def test_nobody_there_is_said_without_the_address() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        with pytest.raises(NotSent, match="is not reached: Connection refused") as raised:
            post("the webhook", f"http://127.0.0.1:{held.getsockname()[1]}{PATH}", {}, {})
    assert PATH not in str(raised.value)


@pytest.mark.parametrize("value", ["a\nb", "ключ"])
def test_a_header_that_cannot_be_sent_is_not_shown(value: str) -> None:
    with receiving(lambda _: Says(200)) as server, pytest.raises(NotSent, match="a character that none may have") as raised:
        post("the webhook", server.url, {}, {"X-Token": value})
    assert value not in str(raised.value)


def test_no_netrc_takes_the_place_of_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with receiving(lambda _: Says(200)) as server:
        post("Grafana", server.url, {}, {"Authorization": "Bearer t"})
    assert server.seen[0].headers["authorization"] == "Bearer t"
