"""What can be wrong with a kubeconfig, and with the credentials that it names."""

from __future__ import annotations

import urllib3

from history.errors import AftershockError


class KubeconfigRefused(AftershockError):
    """A kubeconfig cannot be read, or what stands in it cannot be used."""


class NoCredentials(urllib3.exceptions.HTTPError):
    """There is no credential to send with a request: whoever asks the API server takes it like a server that does not answer."""
