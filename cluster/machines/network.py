"""The wires: a bridge in the control plane's network namespace, a veth pair to every node and one to the host.

No tunnel and no address translation between pods: every node routes the other nodes' pod networks to their addresses.
The bridge is not in the host's namespace: the host's firewall rules do not see the nodes' traffic and need not allow it.
The host gets one interface and its routes, nothing else.
"""

from ipaddress import IPv4Network
from pathlib import Path

from cluster.config import ClusterConfig
from cluster.errors import ClusterError
from cluster.host.commands import run, succeeds

_BRIDGE = "br0"


def _ip(pid: int, *commands: str) -> None:
    run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-batch", "-", stdin="\n".join(commands) + "\n")


def _sysctl(pid: int, name: str, value: int) -> None:
    run("nsenter", f"--net=/proc/{pid}/ns/net", "sysctl", "-qw", f"{name}={value}")


def _hardware_address(config: ClusterConfig, host: int) -> str:
    """Return the Ethernet address (locally administered) that goes with an address of the node network."""
    octets = (IPv4Network(config.node_network)[host]).packed
    return "02:61:" + ":".join(f"{octet:02x}" for octet in octets)


def plug_control(config: ClusterConfig, control_pid: int) -> None:
    """Make the bridge in the control plane's namespace, connect the host to it, and route pods from both."""
    interface, length = config.interface, IPv4Network(config.node_network).prefixlen
    run("ip", "link", "add", interface, "type", "veth", "peer", "name", "host", "netns", str(control_pid))
    routes = [f"route add {config.node_pods(n.name)} via {config.node_address(n.name)}" for n in config.nodes]
    _ip(
        control_pid,
        "link set lo up",
        # without an address of its own, the bridge takes its ports' lowest: it would change when a node boots
        f"link add {_BRIDGE} address {_hardware_address(config, 1)} type bridge",
        f"link set {_BRIDGE} up",
        f"link set host master {_BRIDGE} up",
        f"addr add {config.api_address}/{length} dev {_BRIDGE}",
        *routes,
    )
    run(
        "ip",
        "-batch",
        "-",
        stdin="\n".join([f"addr add {config.host_address}/{length} dev {interface}", f"link set {interface} up", *routes]) + "\n",
    )


def plug_node(config: ClusterConfig, node: str, node_pid: int, control_pid: int) -> None:
    """Connect a node that has just booted; its init waits for the address."""
    port = _port(config, node)
    if succeeds("nsenter", f"--net=/proc/{control_pid}/ns/net", "ip", "link", "show", port):
        _ip(control_pid, f"link del {port}")  # the last boot's: its far end may linger for a moment
    # the same address after a reboot, as a network card has: others remember it for a minute
    address = _hardware_address(config, 10 + config.number(node))
    _ip(
        control_pid,
        f"link add {port} type veth peer name eth0 address {address} netns {node_pid}",
        f"link set {port} master {_BRIDGE} up",
    )
    _sysctl(node_pid, "net.ipv4.ip_forward", 1)
    others = [n.name for n in config.nodes if n.name != node]
    _ip(
        node_pid,
        "link set lo up",
        "link set eth0 up",
        f"addr add {config.node_address(node)}/{IPv4Network(config.node_network).prefixlen} dev eth0",
        f"route add default via {config.api_address}",
        *(f"route add {config.node_pods(n)} via {config.node_address(n)}" for n in others),
    )
    _spare_the_balancer(config, node_pid)


def _spare_the_balancer(config: ClusterConfig, node_pid: int) -> None:
    """Let a node drop, not refuse, what the host sends to a Service without endpoints: the host's checks then wait and cost nothing.

    kube-proxy refuses by an ICMP error (REJECT). Here that error arrives within the host's own connect(), where the kernel only notes it.
    The socket then reports an error without end, yet goes on connecting, and HAProxy spins until its timeout (a third of a processor).
    """
    rule = ("OUTPUT", "-p", "icmp", "--icmp-type", "port-unreachable", "-d", str(config.host_address), "-j", "DROP")
    run("nsenter", f"--net=/proc/{node_pid}/ns/net", "iptables", "-w", "5", "-A", *rule)


def unplug_node(config: ClusterConfig, node: str, control_pid: int) -> None:
    """Take a node's wire out at once: what its processes say while they die (FIN, RST) reaches nobody, as in a power cut."""
    _ip(control_pid, f"link set {_port(config, node)} down")


def _port(config: ClusterConfig, node: str) -> str:
    return f"node{config.number(node)}"


def unplug_host(config: ClusterConfig) -> bool:
    """Remove the cluster's interface from the host, if it is there; its routes go with it. Return whether it was."""
    device = Path("/sys/class/net") / config.interface
    if not device.exists():
        return False
    # its far end may be dying with the control plane and take this one along at any moment
    if not succeeds("ip", "link", "del", config.interface) and device.exists():
        raise ClusterError(f"the interface {config.interface} can't be removed: try `ip link del {config.interface}`.")
    return True
