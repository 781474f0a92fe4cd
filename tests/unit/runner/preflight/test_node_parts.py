"""What the nodes are: image and driver of those under the platform; what they do not say is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kube.node_state import DRIVER, OLDER_DRIVER, NodeState, node_state
from runner.preflight.node_parts import node_parts

INFO = SimpleNamespace(os_image="Debian 12", kernel_version="6.1", container_runtime_version="containerd://2.0")


def state(labels: dict[str, str] | None = None, info: Any = INFO) -> NodeState:
    node: Any = SimpleNamespace(
        status=SimpleNamespace(node_info=info, allocatable=None, capacity=None, conditions=[]),
        metadata=SimpleNamespace(labels=labels, deletion_timestamp=None),
        spec=SimpleNamespace(unschedulable=None),
    )
    return node_state(node, "nvidia.com/gpu")


def test_images_and_drivers_are_named_once_each() -> None:
    older = dict(zip(OLDER_DRIVER, ("570", "1", "2"), strict=True))
    nodes = {"a": state({DRIVER: "580.65"}), "b": state({DRIVER: "580.65"}), "c": state(older)}
    assert node_parts(nodes) == {"node image": "Debian 12, 6.1, containerd://2.0", "gpu driver": "570.1.2; 580.65"}


def test_what_is_not_known_is_left_out() -> None:
    assert node_parts({"a": state(info=None)}) == {}
    assert node_parts({}) == {}
