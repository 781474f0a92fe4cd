"""The reference platform's Alertmanager: manifests, rules and the target file name the same addresses, ports and rules."""

from __future__ import annotations

from typing import Any

import yaml

from cluster.config import default_config
from target.target import load_target
from testing.platform.fake_cluster import ROOT

BASE = ROOT / "workloads/manifests/base"
CLUSTER = default_config()


def parsed(name: str) -> Any:
    return yaml.safe_load((BASE / name).read_text())


def objects() -> dict[str, Any]:
    """Return the objects beside Prometheus, by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((BASE / "prometheus.yaml").read_text())}


def test_alertmanager_tells_the_address_at_which_the_suite_listens_and_that_is_the_hosts_in_the_nodes_network() -> None:
    alerts = load_target(ROOT / "targets/local.yaml").only_region().alerts
    assert alerts is not None
    assert alerts.receiver is not None
    (receiver,) = (one for one in parsed("alertmanager.yml")["receivers"] if one["name"] == alerts.receiver.name)
    assert [one["url"] for one in receiver["webhook_configs"]] == [f"http://{alerts.receiver.listen}/"]
    assert alerts.receiver.address[0] == CLUSTER.host_address


def test_the_target_file_asks_alertmanager_at_the_node_and_the_port_that_it_has() -> None:
    alerts, found = load_target(ROOT / "targets/local.yaml").only_region().alerts, objects()
    assert alerts is not None
    assert alerts.receiver is not None
    terms = found["Deployment"]["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (node,) = terms["nodeSelectorTerms"][0]["matchExpressions"][0]["values"]
    (port,) = (one["nodePort"] for one in found["Service"]["spec"]["ports"] if one["name"] == "alertmanager")
    assert alerts.receiver.alertmanager == f"http://{CLUSTER.node_address(node)}:{port}"


def test_prometheus_tells_the_alertmanager_of_its_own_pod() -> None:
    (container,) = (one for one in objects()["Deployment"]["spec"]["template"]["spec"]["containers"] if one["name"] == "alertmanager")
    (port,) = (one["containerPort"] for one in container["ports"])
    (named,) = parsed("prometheus.yml")["alerting"]["alertmanagers"]
    assert named["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]


def test_the_rules_that_the_target_file_judges_are_there_and_are_routed_to_the_suite() -> None:
    alerts = load_target(ROOT / "targets/local.yaml").only_region().alerts
    assert alerts is not None
    rules = {rule["alert"]: rule for group in parsed("rules.yml")["groups"] for rule in group["rules"]}
    (route,) = parsed("alertmanager.yml")["route"]["routes"]
    assert route["matchers"] == ['severity="page"']
    assert {rules[one.rule]["labels"]["severity"] for one in alerts.rules} == {"page"}
