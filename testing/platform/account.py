"""An account of a cluster that may do everything, until it is withdrawn: what a user's kubeconfig with a token is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from kube.objects import body


class Account:
    """A ServiceAccount in the suite's namespace; ``kubeconfig`` is a file that holds its ``token`` and nothing else to log in with."""

    def __init__(self, platform: Platform, name: str, folder: Path) -> None:
        self._core, self._rbac = platform.core, client.RbacAuthorizationV1Api(platform.api)
        self._name, self._namespace = name, platform.target.suite.namespace
        meta = {"metadata": {"name": name}}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self._namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        self._core.create_namespaced_service_account(self._namespace, body(client.V1ServiceAccount, meta))
        self._rbac.create_cluster_role_binding(body(client.V1ClusterRoleBinding, meta | {"subjects": [subject], "roleRef": role}))
        asked = body(client.AuthenticationV1TokenRequest, {"spec": {"expirationSeconds": 600}})
        issued = self._core.create_namespaced_service_account_token(name, self._namespace, asked)
        assert issued.status is not None
        self.token = issued.status.token
        config = yaml.safe_load(Path(platform.region.kubeconfig or "").read_text())
        config["users"][0]["user"] = {"token": self.token}
        file = folder / "kubeconfig-of-an-account"
        file.write_text(yaml.safe_dump(config))
        self.kubeconfig = str(file)

    def withdraw(self) -> None:
        """Remove the account; its token is worth nothing once the API server has taken notice."""
        with suppress(ApiException):
            self._core.delete_namespaced_service_account(self._name, self._namespace)

    def close(self) -> None:
        """Leave nothing of it."""
        self._rbac.delete_cluster_role_binding(self._name)
        self.withdraw()
