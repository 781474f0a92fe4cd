"""What a node's machine consists of: a disk, containerd, the kubelet and kube-proxy, and its GPUs."""

import json
import os
import uuid
from collections.abc import Collection

from cluster.config import ClusterConfig, NodeConfig
from cluster.host import cgroups
from cluster.machines import image_store
from cluster.machines.image import SANDBOX_IMAGE, may_lower_oom_score
from cluster.machines.image_files import PROGRAMS, Share
from cluster.machines.spec import Mount, Service, Spec, bind, common_mounts, fresh, one_shot, service, spec
from cluster.state import State

GPU_FOLDER = "/var/lib/aftershock-gpu"
GPU_OK = "ok\n"
_PKI = "/etc/kubernetes/pki"
_KUBELET_CONFIG = "/etc/kubernetes/kubelet.json"
_CONTAINERD_CONFIG = "/etc/containerd/config.toml"
_BASE_SPEC = "/etc/containerd/base-spec.json"
_IMAGES = "/etc/containerd/images.json"  # cluster/go/node/runtime.go reads it
_IMAGE_ARCHIVE = "/opt/cluster/image.tar"
_CNI_FOLDER = "/etc/cni/net.d"
_SOCKET = "/run/containerd/containerd.sock"
_KEPT_BACK_BYTES = 4 * 2**30  # for the control plane, the load and the suite
_LEAST_NODE_BYTES = 2**29


def render(config: ClusterConfig, state: State, node: NodeConfig, shares: list[Share], failed_gpus: Collection[int] = ()) -> Spec:
    """Return the node's spec for aftershock-node; GPUs whose number is in `failed_gpus` are there, but lost."""
    disk: Mount = {"kind": "loop", "source": str(state.disk(node.name)), "target": "/var", "data": "discard"}
    mounts = [
        *common_mounts(shares, state.logs(node.name), disk),
        *_credentials(state, node.name),
        bind(str(state.folder / "base-spec.json"), _BASE_SPEC),
        bind(str(state.folder / "images.json"), _IMAGES),
        bind(str(state.folder / "image.tar"), _IMAGE_ARCHIVE),
        *image_store.mounts(config.images),
        # devices are hardware: their health is not on the node's disk
        *([fresh("tmpfs", GPU_FOLDER, "mode=755,size=1m")] if node.gpus else []),
    ]
    files = {
        "/etc/machine-id": uuid.uuid5(uuid.NAMESPACE_DNS, f"{node.name}.{config.name}").hex + "\n",
        f"{_CNI_FOLDER}/10-pods.conflist": _cni(config, node.name),
        _CONTAINERD_CONFIG: _containerd(),
        _KUBELET_CONFIG: _kubelet(config, node),
        **gpu_files(node, failed_gpus),
    }
    return spec(mounts, _services(config, node), wait_address=config.node_address(node.name), hostname=node.name, files=files)


def gpu_files(node: NodeConfig, failed: Collection[int]) -> dict[str, str]:
    """Return the files of the node's devices: a lost one has a folder, but no status."""
    files = {f"{GPU_FOLDER}/GPU-{i}/index": f"{i}\n" for i in range(node.gpus)}
    return files | {f"{GPU_FOLDER}/GPU-{i}/status": GPU_OK for i in range(node.gpus) if i not in failed}


def _credentials(state: State, node: str) -> list[Mount]:
    pairs = {
        "ca.crt": "pki/ca.crt",
        f"{node}.crt": "pki/kubelet.crt",
        f"{node}.key": "pki/kubelet.key",
        f"{node}.kubeconfig": "kubelet.kubeconfig",
        "proxy.kubeconfig": "proxy.kubeconfig",
    }
    return [bind(str(state.pki / source), f"/etc/kubernetes/{target}") for source, target in pairs.items()]


def _services(config: ClusterConfig, node: NodeConfig) -> list[Service]:
    labels = {"topology.kubernetes.io/zone": node.zone, "topology.kubernetes.io/region": config.name}
    if node.gpus:
        labels["aftershock.dev/accelerator"] = "gpu"
    kubelet = [
        f"--config={_KUBELET_CONFIG}",
        "--kubeconfig=/etc/kubernetes/kubelet.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={config.node_address(node.name)}",
        "--node-labels=" + ",".join(f"{k}={v}" for k, v in labels.items()),
    ]
    proxy = [
        "--kubeconfig=/etc/kubernetes/proxy.kubeconfig",
        f"--hostname-override={node.name}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={config.pod_network}",
        # the size of the connection table is the host's to set
        "--conntrack-max-per-core=0",
    ]
    return [
        *image_store.services(config.images),
        service("containerd", f"{PROGRAMS}/containerd", "-c", _CONTAINERD_CONFIG, restart_after_s=5),
        one_shot("image", f"{PROGRAMS}/ctr", "-a", _SOCKET, "-n", "k8s.io", "images", "import", _IMAGE_ARCHIVE),
        # a real machine's image is on its disk long before a power cut
        one_shot("sync", "sync", "-f", "/var"),
        service("kube-proxy", f"{PROGRAMS}/kube-proxy", *proxy),
        service("kubelet", f"{PROGRAMS}/kubelet", *kubelet, restart_after_s=10),  # as kubeadm's unit does
    ]


def _cni(config: ClusterConfig, node: str) -> str:
    pods = config.node_pods(node)
    ipam = {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni-ipam"}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam}
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins})


def _containerd() -> str:
    return f"""version = 3
root = "{image_store.CONTAINERD}"
state = "/run/containerd"
disabled_plugins = {json.dumps(["io.containerd." + name for name in image_store.DISABLED])}
[grpc]
  address = "{_SOCKET}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{SANDBOX_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = {json.dumps(not may_lower_oom_score())}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{PROGRAMS}"]
    conf_dir = "{_CNI_FOLDER}"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      base_runtime_spec = "{_BASE_SPEC}"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{PROGRAMS}/aftershock-runc"
"""


def memory_bytes(config: ClusterConfig, node: NodeConfig, machine_bytes: int) -> int:
    """Return what ``node`` may give to pods: as configured, else its share of the machine less what others on it need.

    A node with GPUs has half as much again as one without: it must hold a model on each of its devices when another node is lost.
    """
    parts = sum(_parts(one) for one in config.nodes)
    return config.node_memory_bytes or max((machine_bytes - _KEPT_BACK_BYTES) * _parts(node) // parts, _LEAST_NODE_BYTES)


def _parts(node: NodeConfig) -> int:
    return 3 if node.gpus else 2


def _kubelet(config: ClusterConfig, node: NodeConfig) -> str:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # the kubelet sees the whole machine's memory: what is not this node's share is reserved
    reserved = max(machine - memory_bytes(config, node, machine), 0)
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": f"{_PKI}/ca.crt"}},
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{_PKI}/kubelet.crt",
            "tlsPrivateKeyFile": f"{_PKI}/kubelet.key",
            "containerRuntimeEndpoint": f"unix://{_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroups.node_group(config.name, node.name)}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDomain": "cluster.local",
            "clusterDNS": [config.dns_address],
            "resolvConf": "",
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "systemReserved": {"memory": str(reserved)},
            # the default, -999, needs a capability; without it the kubelet would complain every minute
            **({} if may_lower_oom_score() else {"oomScoreAdj": 0}),
        },
        indent=1,
    )
