"""What the control plane's machine consists of: etcd, the API server, the controller manager and the scheduler.

Kubernetes' own defaults nearly everywhere; what is given here is identity and addresses. So controllers elect a leader although there
is one of each: the Leases show whether they are at work, as on any cluster. Only how long a lead holds is twice the default (15 s, 10 s,
2 s): a controller that could not renew its Lease for the second of these times ends itself, and a small machine may stall for 10 s.
"""

from cluster.config import ClusterConfig
from cluster.machines.image_files import PROGRAMS, Share
from cluster.machines.spec import Spec, bind, common_mounts, service, spec
from cluster.state import State

PKI = "/etc/kubernetes/pki"
_ETCD = "http://127.0.0.1:2379"
API_SERVER, CONTROLLERS = "api-server", "controllers"
PARTS = {API_SERVER: ("kube-apiserver",), CONTROLLERS: ("kube-controller-manager", "kube-scheduler")}
"""What of a control plane can be stopped by itself, and which programs that is."""

_LEAD = ("--leader-elect-lease-duration=30s", "--leader-elect-renew-deadline=20s", "--leader-elect-retry-period=4s")


def render(config: ClusterConfig, state: State, shares: list[Share]) -> Spec:
    """Return the machine's spec for aftershock-node."""
    mounts = [
        *common_mounts(shares, state.logs("control")),
        bind(str(state.pki), PKI),
        bind(str(state.folder / "etcd"), "/var/lib/etcd", read_only=False),
    ]
    services = [
        service("etcd", f"{PROGRAMS}/etcd", *etcd("/var/lib/etcd", _ETCD)),
        service("kube-apiserver", f"{PROGRAMS}/kube-apiserver", *api_server(config, PKI, _ETCD)),
        service("kube-controller-manager", *_controller_manager()),
        service("kube-scheduler", f"{PROGRAMS}/kube-scheduler", f"--kubeconfig={PKI}/scheduler.kubeconfig", *_LEAD),
    ]
    return spec(mounts, services, wait_address=config.api_address, hostname="control")


def etcd(data: str, clients: str) -> list[str]:
    """Return what etcd is told: the folder of its ``data``, and under which URL the API server finds it."""
    return [
        f"--data-dir={data}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        # the control plane never loses power, and its disk is the host's: fsync would only wear it
        "--unsafe-no-fsync",
    ]


def api_server(config: ClusterConfig, pki: str, etcd_url: str) -> list[str]:
    """Return what the API server is told: the folder of its keys and certificates (``pki``), and where etcd is."""
    return [
        f"--etcd-servers={etcd_url}",
        f"--advertise-address={config.api_address}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        # node names are in no DNS
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={config.service_network}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # no kube-proxy runs beside it: webhooks that name a Service are reached at its endpoints
        "--enable-aggregator-routing=true",
    ]


def _controller_manager() -> list[str]:
    return [
        f"{PROGRAMS}/kube-controller-manager",
        f"--kubeconfig={PKI}/controller-manager.kubeconfig",
        *_LEAD,
        "--use-service-account-credentials",
        f"--service-account-private-key-file={PKI}/service-account.key",
        f"--root-ca-file={PKI}/ca.crt",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
    ]
