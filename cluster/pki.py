"""Keys, certificates and kubeconfig files. Everything is signed by one authority that lives as long as the cluster."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster.config import ClusterConfig
from cluster.host.commands import run
from cluster.state import State, write_atomic

VALID_DAYS = 365
ADMIN = "admin"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(VALID_DAYS))


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate's file name, its subject (user name and groups in Kubernetes' eyes) and the addresses it serves under."""

    name: str
    subject: str
    serves: str = ""


def identities(config: ClusterConfig) -> list[Identity]:
    """Return every certificate that the cluster needs."""
    service = config.service_network.rsplit(".", 1)[0] + ".1"
    names = ",".join(
        f"DNS:{n}" for n in ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    )
    nodes = [
        Identity(n.name, f"/O=system:nodes/CN=system:node:{n.name}", f"IP:{config.node_address(n.name)},DNS:{n.name}") for n in config.nodes
    ]
    return [
        Identity("apiserver", "/CN=kube-apiserver", f"IP:{config.api_address},IP:{service},IP:127.0.0.1,{names}"),
        Identity("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        Identity(ADMIN, "/O=system:masters/CN=kubernetes-admin"),
        Identity("controller-manager", "/CN=system:kube-controller-manager"),
        Identity("scheduler", "/CN=system:kube-scheduler"),
        Identity("proxy", "/CN=system:kube-proxy"),
        *nodes,
    ]


def create(config: ClusterConfig, state: State) -> None:
    """Write all keys and certificates below the state's pki folder, and the administrator's kubeconfig."""
    create_in(state.pki, config)
    write_atomic(state.kubeconfig, kubeconfig(config, state.pki, ADMIN))


def create_in(folder: Path, config: ClusterConfig) -> None:
    """Write all keys and certificates of a cluster into ``folder``, with a kubeconfig for each identity."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = (str(folder / "ca.key"), str(folder / "ca.crt"))
    run("openssl", "req", "-x509", *_KEY, "-subj", f"/CN=aftershock-{config.name}", "-keyout", authority[0], "-out", authority[1])
    account = str(folder / "service-account.key")
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", account)
    run("openssl", "pkey", "-in", account, "-pubout", "-out", str(folder / "service-account.pub"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda identity: _sign(folder, identity), identities(config)))
    for identity in identities(config):
        write_atomic(folder / f"{identity.name}.kubeconfig", kubeconfig(config, folder, identity.name))


def _sign(folder: Path, identity: Identity) -> None:
    extensions = ["-addext", "basicConstraints=critical,CA:false", "-addext", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.serves:
        extensions += ["-addext", f"subjectAltName={identity.serves}"]
    authority = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"))
    files = ("-keyout", str(folder / f"{identity.name}.key"), "-out", str(folder / f"{identity.name}.crt"))
    run("openssl", "req", "-x509", *_KEY, *authority, "-subj", identity.subject, *extensions, *files)


def kubeconfig(config: ClusterConfig, folder: Path, user: str) -> str:
    """Return a kubeconfig for one identity with its key and certificates inside, so that the file alone is enough."""
    context = f"aftershock-{config.name}"
    data = {suffix: base64.b64encode((folder / file).read_bytes()).decode() for suffix, file in _files(user).items()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": config.server, "certificate-authority-data": data["ca"]}}],
            "users": [{"name": user, "user": {"client-certificate-data": data["crt"], "client-key-data": data["key"]}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        },
        indent=1,
    )


def _files(user: str) -> dict[str, str]:
    return {"ca": "ca.crt", "crt": f"{user}.crt", "key": f"{user}.key"}
