"""A node's power switch: how one goes on and off in a running cluster."""

from collections.abc import Collection

from cluster.config import ClusterConfig
from cluster.machines import image_files, machine, network, node
from cluster.state import State


def power_on(config: ClusterConfig, state: State, name: str, failed_gpus: Collection[int] = ()) -> None:
    """Boot the node with the disk that it had; nothing happens if it runs. Raise ClusterError if it can't be booted."""
    if machine.process_of(state, name):
        return
    control = machine.control_process(state)
    spec = node.render(config, state, config.node(name), image_files.node_shares(state.programs, state.files), failed_gpus)
    process = machine.boot(state, name, state.programs, spec)
    network.plug_node(config, name, process.pid, control.pid)


def power_off(config: ClusterConfig, state: State, name: str) -> None:
    """Cut the node's power; nothing happens if it is off."""
    control = machine.control_process(state)
    machine.cut_power(state, name, lambda: network.unplug_node(config, name, control.pid))
