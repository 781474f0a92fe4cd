"""Annotations in Grafana, sent to a server that demands what its documented API demands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from reports import Report
from runner.sending.grafana import regions, send
from runner.sending.post import NotSent
from runner.sending.settings import Grafana
from testing.pages.receivers import Says, grafana, receiving

TOKEN = "glsa_0123456789"  # noqa: S105 - of the server that the test starts


def sent(report: Report, link: str = "", **place: Any) -> list[dict[str, Any]]:
    with receiving(grafana(TOKEN)) as server:
        assert send(Grafana(server.url, TOKEN, **place), report, link) == "Grafana: 3 annotations made"
    return [asked.body for asked in server.seen]


def test_each_fault_is_a_region_from_its_begin_to_its_end(report: Report) -> None:
    faults = [(one, trial) for one in report.experiments for trial in one.trials if trial.fault.started]
    told = sent(report)
    assert len(told) == len(faults) < len(report.experiments)
    for one, (experiment, trial) in zip(told, faults, strict=True):
        began, ended = (datetime.fromisoformat(str(moment)).timestamp() for moment in (trial.fault.started, trial.fault.ended))
        assert (one["time"], one["timeEnd"]) == (round(began * 1000), round(ended * 1000))
        assert one["time"] < one["timeEnd"]
        assert one["tags"] == ["aftershock", experiment.id, f"target:{report.run.target[0]}", f"verdict:{trial.verdict}"]
        assert one["text"].startswith(f"{experiment.title} (trial 1): {trial.verdict}: ")


def test_a_dashboard_and_its_panel_are_named_where_asked_for(report: Report) -> None:
    told = sent(report, dashboard="jcIIG-07z", panel=4)
    assert {(one["dashboardUID"], one["panelId"]) for one in told} == {("jcIIG-07z", 4)}
    assert not {"dashboardUID", "panelId"} & set(sent(report)[0])


def test_a_fault_whose_end_was_not_seen_is_a_point_and_says_so(report: Report) -> None:
    one = next(one for one in report.experiments if one.trials[0].fault.started)
    fault = one.trials[0].fault.model_copy(update={"ended": None})
    trial = one.trials[0].model_copy(update={"fault": fault})
    open_one = report.model_copy(update={"experiments": (one.model_copy(update={"trials": (trial,)}),)})
    (told,) = regions(Grafana("http://x", TOKEN), open_one, "")
    assert "timeEnd" not in told
    assert "The fault's end was not seen." in str(told["text"])


def test_words_of_others_are_text_and_the_link_is_one(report: Report) -> None:
    first = report.experiments[0].model_copy(update={"title": "<script>alert(1)</script>"})
    bad = report.model_copy(update={"experiments": (first, *report.experiments[1:])})
    told = sent(bad, link='https://ci.example/?a="b')
    assert told[0]["text"].startswith("&lt;script&gt;alert(1)&lt;/script&gt;")
    assert told[0]["text"].endswith('<a href="https://ci.example/?a=&quot;b">Report</a>')


def test_a_tag_is_no_longer_than_grafana_keeps(report: Report) -> None:
    first = report.experiments[0].model_copy(update={"id": "x" * 300})
    assert max(len(tag) for tag in sent(report.model_copy(update={"experiments": (first, *report.experiments[1:])}))[0]["tags"]) == 100


def test_a_wrong_token_is_said_once_and_not_shown(report: Report) -> None:
    with (
        receiving(grafana("another")) as server,
        pytest.raises(NotSent, match=r"0 of 3 annotations made: .* HTTP 401: .*Invalid API key"),
    ):
        send(Grafana(server.url, TOKEN), report, "")
    assert len(server.seen) == 1
    assert TOKEN not in repr(Grafana(server.url, TOKEN))


def test_a_prefix_of_its_path_stays_and_another_path_is_said(report: Report) -> None:
    with receiving(grafana(TOKEN)) as server, pytest.raises(NotSent, match="HTTP 404"):
        send(Grafana(f"{server.url}/prefix/", TOKEN), report, "")
    assert server.seen[0].path == "/prefix/api/annotations"


def test_how_many_were_accepted_is_said_where_it_breaks_off(report: Report) -> None:
    answers = iter([Says(200), Says(503)])
    with receiving(lambda _: next(answers)) as server, pytest.raises(NotSent, match=r"1 of 3 annotations made: .* HTTP 503"):
        send(Grafana(server.url, TOKEN), report, "")


def test_all_of_them_together_have_a_limit(report: Report) -> None:
    with receiving(grafana(TOKEN)) as server, pytest.raises(NotSent, match="0 of 3 annotations made: Grafana took longer than 0 s"):
        send(Grafana(server.url, TOKEN), report, "", whole_s=0)
    assert server.seen == []
