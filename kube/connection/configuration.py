"""From a context of a kubeconfig to the client library's configuration, whose credential is made anew when it is due."""

from __future__ import annotations

import os
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.configuration import AuthSettings

from kube.connection.credentials import Credentials, Fixed, credentials_of
from kube.connection.errors import KubeconfigRefused, NoCredentials
from kube.connection.impersonation import Headers, headers_of
from kube.connection.kubeconfig import Entry, read_entry
from kube.connection.proxies import set_proxy

POOL = 32
OURS = ("exec", "token", "tokenFile", "username", "password", "auth-provider")  # of a user: the library sends what is left


class Configured(client.Configuration):
    """The library's configuration, and what it lacks: who asks, as whom, and that this may change."""

    credentials: Credentials = Fixed()
    impersonation: Headers = ()

    def auth_settings(self) -> AuthSettings:
        """Return what a request is sent with; the library asks for each. Raises NoCredentials."""
        if value := self.credentials.header():
            self.api_key["BearerToken"] = value
        return super().auth_settings()


def configuration_of(kubeconfig: str | None, context: str) -> Configured:
    """Return the configuration of ``context``; an exec plugin is run once, so that what is wrong with it is known at once.

    Raises:
        KubeconfigRefused: it cannot be read, or what stands in it cannot be used.

    """
    entry = read_entry(kubeconfig, context)
    made = Configured()
    try:
        config.load_kube_config_from_dict(_without_credentials(entry), context, client_configuration=made, persist_config=False)
    except (config.ConfigException, OSError, ValueError, LookupError, TypeError) as error:
        raise KubeconfigRefused(f"{type(error).__name__}: {error}; correct the kubeconfig") from error
    set_proxy(made, entry.cluster.get("proxy-url"))
    made.impersonation = headers_of(entry.user)
    made.connection_pool_maxsize = POOL  # observer, sampler, leases and probes ask at the same time
    made.retries = urllib3.Retry(total=1, respect_retry_after_header=False)  # one retry heals a stale keep-alive connection
    try:
        made.credentials = credentials_of(entry, dict(os.environ))
        made.credentials.header()
    except NoCredentials as error:
        raise KubeconfigRefused(str(error)) from error
    if made.credentials.certificate is not None:
        made.cert_file, made.key_file = made.credentials.certificate
    return made


def _without_credentials(entry: Entry) -> dict[str, Any]:
    user = {key: value for key, value in entry.user.items() if key not in OURS}
    return {
        "clusters": [{"name": "cluster", "cluster": entry.cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": entry.context, "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": entry.context,
    }
