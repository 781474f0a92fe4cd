"""The webhook's message, sent to a server that demands what chats demand."""

from __future__ import annotations

import pytest

from reports import Report
from reports.past import Past
from runner.sending.settings import Webhook
from runner.sending.webhook import message, send
from testing.pages.receivers import chat, receiving

LINK = "https://ci.example/jobs/7"


def test_a_chat_takes_it_and_reads_sentence_counts_and_link(report: Report) -> None:
    with receiving(chat) as server:
        assert send(Webhook(f"{server.url}/hooks/x", {"X-Token": "t"}), report, LINK) == "webhook: told how the session ended"
    (asked,) = server.seen
    verdict, counts, link = asked.body["text"].splitlines()
    assert verdict == f"FAIL: {report.sentence}"
    assert counts.startswith("2 of 4 within budget, 1 failed, 1 inconclusive, 2 not tested")
    assert link == asked.body["link"] == LINK
    assert asked.body["counts"] == {"pass": 2, "inconclusive": 1, "fail": 1, "waived_runs": 0, "not_tested": 2}
    assert (asked.body["verdict"], asked.body["target"]) == ("FAIL", list(report.run.target))
    assert asked.headers["x-token"] == "t"


def test_what_changed_is_told_where_nights_are_kept(report: Report) -> None:
    past = Past(place="x", notes=("Not compared with earlier nights: no bucket",))
    told = message(report.model_copy(update={"past": past}), "")
    assert told["changed"] == "Not compared with earlier nights: no bucket"
    assert str(told["text"]).splitlines()[-1] == told["changed"]
    assert message(report, "")["changed"] == ""


@pytest.mark.parametrize("words", ["<!channel> come", "@all come", "[click](https://evil.example)", "<https://evil.example|x>"])
def test_words_of_others_call_nobody_and_link_to_nothing(report: Report, words: str) -> None:
    text = str(message(report.model_copy(update={"sentence": words}), "")["text"])
    assert not any(sign in text for sign in ("<!", "@all", "](", "<https"))
    assert text.replace("\u200b", "").startswith(f"FAIL: {words}")


def test_an_address_and_its_headers_are_not_shown() -> None:
    assert repr(Webhook("https://x/hooks/secret", {"X-Token": "t"})) == "Webhook()"
