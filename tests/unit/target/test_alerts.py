"""Which rules must tell of which failures: read as people write it, refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from target.alerts import classes_of
from target.target import load_target
from testing.platform.targets import without_alerts
from tests.unit.target.test_target import LOCAL, refusal

AT = '    prometheus: {url: "http://127.0.0.1:19090"}\n'
ONE = "    alerts: [{rule: InferenceUnavailable, roles: inference}]\n"


def with_alerts(text: str) -> str:
    """Return the local target file whose region has these alerts."""
    written = LOCAL.read_text()
    assert written.count(AT) == 1
    return without_alerts(written).replace(AT, AT + text)


def test_a_list_is_the_rules_alone_and_the_class_is_the_one_that_the_roles_serve(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text(with_alerts(ONE))
    target = load_target(file, {})
    alerts = target.only_region().alerts
    assert alerts is not None
    (rule,) = alerts.rules
    assert (rule.roles, alerts.scrape, classes_of(target, rule)) == (("inference",), None, ("realtime-inference",))


def test_rules_with_all_that_can_be_said(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text(
        with_alerts(
            "    alerts:\n      scrape: 15s\n      rules:\n"
            "        - {rule: GatewayErrors, roles: [gateway], group: gateway, workload: realtime-inference, within: 2m}\n"
        )
    )
    alerts = load_target(file, {}).only_region().alerts
    assert alerts is not None
    assert (alerts.scrape, alerts.rules[0].within, alerts.rules[0].workload) == (15, 120, "realtime-inference")


def test_a_receiver_listens_on_a_host_and_a_port(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    receiver = '      receiver: {listen: "[::1]:9094", alertmanager: "https://alerts.example.org/am"}\n'
    file.write_text(with_alerts(f"    alerts:\n{receiver}      rules:\n        - {{rule: X, roles: inference}}\n"))
    alerts = load_target(file, {}).only_region().alerts
    assert alerts is not None
    assert alerts.receiver is not None
    assert (alerts.receiver.address, alerts.receiver.name, alerts.receiver.group_wait) == (("::1", 9094), "aftershock", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("    alerts: [{rule: X, roles: [storage, nobody]}]\n", "'nobody' is not under roles"),
        ("    alerts: [{rule: X, roles: gateway}]\n", "these roles serve no class of workload, so it is not known whose users'"),
        (
            "    alerts: [{rule: X, roles: [inference, trainer]}]\n",
            "these roles serve realtime-inference, batch-training, so it is not known whose users' harm counts; write workload",
        ),
        ("    alerts: [{rule: X, roles: inference, workload: chat}]\n", "'chat' is not under workloads"),
        (
            "    alerts: [{rule: X, roles: inference}, {rule: X, roles: inference}]\n",
            "'X' is there twice; name all its roles in one entry, or tell two rules apart by group",
        ),
        ("    alerts: [{rule: X, roles: inference}, {rule: X, roles: inference, group: a}]\n", "'X' is there twice"),
        ("    alerts: [{roles: inference}]\n", "missing; it is required"),
        ("    alerts: [{rule: X, roles: []}]\n", "should have at least 1 item"),
        ("    alerts: [{rule: X, roles: inference, within: soon}]\n", "'soon' is not a duration"),
        ("    alerts: [{rule: X, roles: inference, severity: page}]\n", "unknown key; known here: group, roles, rule, within, workload"),
        ("    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: 9094, group_wait: 1s}}\n", "valid string"),
        ("    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: here, group_wait: 1s}}\n", "match pattern"),
        ('    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:70000", group_wait: 1s}}\n', "its port is none"),
        ('    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9094"}}\n', "write group_wait, or the URL of the"),
        (
            '    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9", group_wait: 1s, alertmanager: "http://a"}}\n',
            "one of them",
        ),
        ('    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9", alertmanager: a}}\n', "match pattern"),
        (
            '    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9", group_interval: 1m, alertmanager: "http://a"}}\n',
            "alertmanager is asked for group_interval, too; leave one of them out",
        ),
        (
            '    alerts: {receiver: {listen: "a:9", group_wait: 1s}, rules: [{rule: X, roles: inference, group: a}, '
            "{rule: X, roles: inference, group: b}]}\n",
            "no notification says its group: leave receiver out, or one of them",
        ),
        (
            '    alerts: {receiver: {listen: "a:9", group_wait: 1s}, silence: true, rules: [{rule: X, roles: inference}]}\n',
            "it is made in Alertmanager; write its URL as alertmanager of receiver, or leave silence out",
        ),
        (
            '    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9", alertmanager: "https://me:planted-pw@a"}}\n',
            "receiver.alertmanager: a URL must not hold credentials",
        ),
        (
            '    alerts: {rules: [{rule: X, roles: inference}], receiver: {listen: "a:9", alertmanager: "https://a/p?token=planted-pw"}}\n',
            "receiver.alertmanager: a URL must not hold credentials",
        ),
        ("    alerts: []\n", "should have at least 1 item"),
        ("    alerts: {scrape: 0s, rules: [{rule: X, roles: inference}]}\n", "greater than 0"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    lines = refusal(tmp_path, with_alerts(text))
    assert any(said in line for line in lines), lines
    at = next(number for number, line in enumerate(with_alerts(text).splitlines(), 1) if line.lstrip().startswith("alerts:"))
    assert all(line.startswith(f"{at}: regions.default.alerts") for line in lines), lines
    assert "planted-pw" not in "".join(lines)


def test_rules_without_a_prometheus_are_refused(tmp_path: Path) -> None:
    lines = refusal(tmp_path, with_alerts(ONE).replace(AT, ""))
    assert any("its rules are Prometheus'; write prometheus of this region, or leave alerts out" in line for line in lines), lines


@pytest.mark.parametrize("labels", ["{}", '{team: ""}'])
def test_a_silence_that_would_cover_everybody_is_refused(tmp_path: Path, labels: str) -> None:
    receiver = 'receiver: {listen: "a:9", alertmanager: "http://a"}'
    text = with_alerts(f"    alerts: {{{receiver}, silence: true, rules: [{{rule: X, roles: inference}}]}}\n")
    text = text.replace("    selector: app=gateway\n", f"    selector: app=gateway\n    metrics: {{labels: {labels}}}\n", 1)
    (line,) = refusal(tmp_path, text)
    assert "of role gateway no label is known, so a silence would cover everybody's alerts; write labels of its metrics" in line
