from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest

from cluster.config import MAX_INDEX, NodeConfig, default_config, default_nodes, from_json, load_file, to_json
from cluster.durations import seconds
from cluster.errors import ClusterError


def test_the_default_cluster_has_six_nodes_in_three_zones_and_two_gpus_on_every_second() -> None:
    nodes = default_config().nodes
    assert [n.name for n in nodes] == ["cpu-a", "gpu-a", "cpu-b", "gpu-b", "cpu-c", "gpu-c"]
    assert [n.zone for n in nodes] == ["zone-a", "zone-a", "zone-b", "zone-b", "zone-c", "zone-c"]
    assert [n.gpus for n in nodes] == [0, 2, 0, 2, 0, 2]


def test_the_default_cluster_has_the_addresses_that_the_target_file_names() -> None:
    config = default_config()
    assert config.server == "https://10.89.0.1:6443"
    assert config.node_address("cpu-a") == "10.89.0.11"
    assert config.node_address("gpu-c") == "10.89.0.16"
    assert config.node_pods("cpu-a") == "10.244.1.0/24"
    assert config.dns_address == "10.96.0.10"
    assert config.host_address == "10.89.0.254"
    assert {f.name: (f.port, f.node_port) for f in config.frontends} == {
        "inference": (18080, 30080),
        "async": (18081, 30081),
        "prometheus": (19090, 30090),
    }


def test_more_nodes_than_zones_get_names_of_their_own() -> None:
    names = [n.name for n in default_nodes(14)]
    assert len(set(names)) == 14
    assert names[6:8] == ["cpu-a2", "gpu-a2"]
    assert names[12] == "cpu-a3"


def test_clusters_of_different_index_share_no_address_and_no_port() -> None:
    configs = [default_config(f"c{i}", i) for i in range(MAX_INDEX + 1)]
    networks = [IPv4Network(n) for c in configs for n in (c.node_network, c.pod_network, c.service_network)]
    assert not any(a.overlaps(b) for a, b in combinations(networks, 2))
    ports = [f.port for c in configs for f in c.frontends]
    assert len(set(ports)) == len(ports)
    assert len({c.interface for c in configs}) == len(configs)


def test_interface_names_fit_the_kernels_limit() -> None:
    assert len(default_config(index=MAX_INDEX).interface) <= 15


def test_parameters_survive_being_written_and_read() -> None:
    config = default_config("staging", 3, node_count=2)
    assert from_json(to_json(config)) == config


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "node_network: 10.50.0.0/24\nnodes: [{name: solo, zone: zone-z, gpus: 4}]\n"
        "frontends: [{name: web, port: 8088, node_port: 30088, check_path: /ok, nodes: [solo]}]\n"
    )
    config = load_file(default_config(), file)
    assert config.nodes == (NodeConfig("solo", "zone-z", 4),)
    assert config.server == "https://10.50.0.1:6443"
    assert config.frontends[0].nodes == ("solo",)
    assert config.pod_network == default_config().pod_network


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nodez: []", "nodez"),
        ("nodes: [{name: a}]", "zone"),
        ("node_network: here", "here"),
        ("nodes: 3", "int"),
        (": : :", "mapping"),
        ("frontends: [{name: w, port: 1, node_port: 2, check_path: /, nodes: [nowhere]}]", "nowhere"),
        ("nodes: []", "at least one node"),
        ("index: 1\nname: a\nindex: 2", "found duplicate key 'index' in .*line 3"),
        ("nodes: [{name: a, zone: b, gpus: 1, gpus: 2}]", "found duplicate key 'gpus' in .*line 1"),
        ("name: 2026-02-31", "day is out of range"),
        ("name: !!bool x", "not a cluster file: 'x'"),
        ("name: !!timestamp x", "not a cluster file: 'NoneType'"),
        ("name:\n\t- a", "found character .* that cannot start any token in .*line 2"),
        ("nodes: " + "[" * 3000, "recursion"),
        ("name: caf\udce9", "can't decode byte 0xe9"),
    ],
)
def test_a_file_with_a_mistake_is_refused_and_the_mistake_named(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(ClusterError, match=word):
        load_file(default_config(), file)


@pytest.mark.parametrize("name", ["", "Local", "a b", "-x", "x" * 21, "../etc"])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="name"):
        default_config(name)


def test_an_unknown_node_is_named_beside_the_known() -> None:
    with pytest.raises(ClusterError, match=r"no node 'gpu-z'; it has cpu-a, gpu-a"):
        default_config(node_count=2).node("gpu-z")


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("2m", 120), ("1h", 3600), ("500ms", 0.5), ("1.5s", 1.5), (" 5s ", 5)])
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90", "s", "-5s", "1m30s", "0s", "ninety", "5 s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ClusterError, match="not a duration"):
        seconds(text)
