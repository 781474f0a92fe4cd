"""The platform's alerting rules, by Prometheus' own test program: they fire for what they are meant for, and after their time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

RULES = Path(__file__).parents[3] / "workloads/manifests/base/rules.yml"
pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed: make setup names its package")
ANSWERED = 'haproxy_frontend_http_responses_total{{proxy="users",code="{code}",pod="gateway-{pod}"}}'
SUMMARIES = {
    "InferenceUnavailable": "no replica of the inference service answers",
    "GatewayErrors": "more than 5 % of the users' requests are answered by an error",
}


def fires(name: str, at_s: int, *, expected: bool) -> dict[str, Any]:
    """Return what is expected of a rule so long after the beginning."""
    alert = {"exp_labels": {"severity": "page"}, "exp_annotations": {"summary": SUMMARIES[name]}}
    return {"eval_time": f"{at_s}s", "alertname": name, "exp_alerts": [alert] if expected else []}


def tried(folder: Path, series: dict[str, str], *expected: dict[str, Any]) -> None:
    """Let promtool try the rules on these series, a value a second."""
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": "1s", "input_series": inputs, "alert_rule_test": list(expected)}
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5s", "tests": [case]}))
    done = subprocess.run(["promtool", "test", "rules", str(folder / "test.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("gone", ["0+0x60", "stale"])
def test_no_replica_left_is_told_whether_prometheus_still_knows_them_or_not(tmp_path: Path, gone: str) -> None:
    name, lost = "InferenceUnavailable", f"1+0x20 {gone}"
    both = {f'up{{job="inference",pod="{pod}"}}': lost for pod in "ab"}
    times = [(20, False), (25, False), (40, True)]
    tried(tmp_path, both, *(fires(name, at_s, expected=expected) for at_s, expected in times))


def test_one_replica_of_two_is_enough_and_others_do_not_count(tmp_path: Path) -> None:
    series = {'up{job="inference",pod="a"}': "1+0x20 0+0x60", 'up{job="inference",pod="b"}': "1+0x80", 'up{job="gateway"}': "0+0x80"}
    tried(tmp_path, series, fires("InferenceUnavailable", 70, expected=False))


def test_errors_at_the_gateway_are_told_above_their_share(tmp_path: Path) -> None:
    good = {ANSWERED.format(code="2xx", pod=pod): "0+10x80" for pod in "ab"}
    for errors, expected in (("0+0x20 0+5x60", True), ("0+0x80", False)):
        series = good | {ANSWERED.format(code="5xx", pod="a"): errors}
        tried(tmp_path, series, fires("GatewayErrors", 20, expected=False), fires("GatewayErrors", 45, expected=expected))
