"""What a cluster looks like: its name, nodes, address ranges and ports.

Every cluster of a machine has an index of its own; ranges and ports follow from it, so that several stand side by side.
"""

import json
import re
from collections.abc import Hashable
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from cluster.errors import ClusterError

KUBERNETES_VERSION = "v1.36.3"
DEFAULT_NAME = "local"
ZONES = ("zone-a", "zone-b", "zone-c")
MAX_INDEX = 9


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One machine: its name, its zone and how many GPUs it holds."""

    name: str
    zone: str
    gpus: int


@dataclass(frozen=True, slots=True)
class Frontend:
    """One port of the cloud load balancer: `port` on 127.0.0.1 leads to `node_port` of the nodes whose `check_path` answers 2xx or 3xx."""

    name: str
    port: int
    node_port: int
    check_path: str
    nodes: tuple[str, ...] = ()  # all nodes if empty


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """All parameters of one cluster. Networks are CIDRs; sizes are bytes."""

    name: str
    index: int
    nodes: tuple[NodeConfig, ...]
    node_network: str
    pod_network: str
    service_network: str
    frontends: tuple[Frontend, ...]
    reserved_cpus: float = 0.6  # of the machine's CPUs, kept from the nodes for load and measurement
    disk_bytes: int = 10 * 2**30
    node_memory_bytes: int | None = None  # None: a share of the machine's memory
    parts: tuple[str, ...] = ()  # what it has besides what each has: cluster/parts.py
    images: str = ""  # a folder that cluster/images/store.py made, whose images pods then see; empty: pods see this machine's files

    def __post_init__(self) -> None:
        _check(self)

    def node(self, name: str) -> NodeConfig:
        """Return the node of that name; raise ClusterError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise ClusterError(f"cluster {self.name} has no node {name!r}; it has {', '.join(n.name for n in self.nodes)}.")

    def number(self, name: str) -> int:
        """Return the node's place in the list, from 1."""
        return self.nodes.index(self.node(name)) + 1

    def node_address(self, name: str) -> str:
        """Return the node's address: .11 for the first one."""
        return str(IPv4Network(self.node_network)[10 + self.number(name)])

    def node_pods(self, name: str) -> str:
        """Return the node's /24 of the pod network."""
        return str(list(IPv4Network(self.pod_network).subnets(new_prefix=24))[self.number(name)])

    @property
    def api_address(self) -> str:
        """The control plane's address: the first of the node network."""
        return str(IPv4Network(self.node_network)[1])

    @property
    def host_address(self) -> str:
        """The host's own address in the node network: the last one."""
        return str(IPv4Network(self.node_network)[-2])

    @property
    def server(self) -> str:
        """The address of the Kubernetes API."""
        return f"https://{self.api_address}:6443"

    @property
    def dns_address(self) -> str:
        """The cluster address of the DNS service."""
        return str(IPv4Network(self.service_network)[10])

    @property
    def interface(self) -> str:
        """The one network interface that the cluster adds to the host."""
        return f"aftershock{self.index}"


def _check(config: ClusterConfig) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", config.name):
        raise ClusterError(f"{config.name!r} can't be a cluster's name: use up to 20 lower-case letters, digits and dashes.")
    if not 0 <= config.index <= MAX_INDEX:
        raise ClusterError(f"index {config.index} is out of range: use 0 to {MAX_INDEX}.")
    if not config.nodes or len({n.name for n in config.nodes}) != len(config.nodes):
        raise ClusterError(f"cluster {config.name} needs at least one node, each with a name of its own.")
    for frontend in config.frontends:
        for node in frontend.nodes:
            config.node(node)


def default_nodes(count: int) -> tuple[NodeConfig, ...]:
    """Return `count` nodes, a CPU node and a GPU node a zone in turn: cpu-a, gpu-a, cpu-b …; a second round gets a number."""
    nodes = []
    for i in range(count):
        zone, again = ZONES[i // 2 % len(ZONES)], i // (2 * len(ZONES))
        kind = ("cpu", "gpu")[i % 2]
        name = f"{kind}-{zone[-1]}" + (str(again + 1) if again else "")
        nodes.append(NodeConfig(name, zone, gpus=2 if kind == "gpu" else 0))
    return tuple(nodes)


def default_config(name: str = DEFAULT_NAME, index: int = 0, node_count: int = 6) -> ClusterConfig:
    """Return the parameters of the index-th cluster of a machine."""
    shift = 100 * index
    return ClusterConfig(
        name=name,
        index=index,
        nodes=default_nodes(node_count),
        node_network=f"10.89.{index}.0/24",
        pod_network=f"10.{244 + index}.0.0/16",
        service_network=f"10.{96 + index}.0.0/16",
        frontends=(
            Frontend("inference", 18080 + shift, 30080, "/gateway-health"),
            Frontend("async", 18081 + shift, 30081, "/ready"),
            Frontend("prometheus", 19090 + shift, 30090, "/-/ready"),
        ),
    )


class _Loader(yaml.SafeLoader):
    """Safe YAML in which no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping; raise MarkedYAMLError for a key whose first value would be lost."""
        names = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in names[:number]:
                raise yaml.MarkedYAMLError(problem=f"found duplicate key {key.value!r}", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def load_file(config: ClusterConfig, path: Path) -> ClusterConfig:
    """Return `config` with the values of a YAML file in their place; raise ClusterError for an unknown key or a wrong shape."""
    try:
        values = yaml.load(path.read_text(), _Loader) or {}  # noqa: S506 - a safe loader
        return replace(config, **_typed(values))
    except (OSError, yaml.YAMLError, TypeError, LookupError, ValueError, AttributeError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ClusterError(f"{path} is not a cluster file: {said}; see cluster/README.md for its keys.") from error


def to_json(config: ClusterConfig) -> str:
    """Return the parameters as JSON text."""
    return json.dumps(asdict(config), indent=1)


def from_json(text: str) -> ClusterConfig:
    """Return the parameters that `to_json` wrote."""
    return ClusterConfig(**_typed(json.loads(text)))


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    typed = dict(values)
    if "nodes" in typed:
        typed["nodes"] = tuple(NodeConfig(**n) for n in typed["nodes"])
    if "frontends" in typed:
        typed["frontends"] = tuple(Frontend(**{**f, "nodes": tuple(f.get("nodes", ()))}) for f in typed["frontends"])
    if "parts" in typed:
        typed["parts"] = tuple(typed["parts"])
    for key in ("node_network", "pod_network", "service_network"):
        if key in typed:
            typed[key] = str(IPv4Network(typed[key]))
    return typed
