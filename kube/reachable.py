"""Whether the API server answers now, and whether it shows the platform."""

from __future__ import annotations

import urllib3
from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from kube.lists.paging import any_there


def can_look(platform: Platform) -> bool:
    """Tell whether the API server shows the platform to this account now; a refusal shows nothing."""
    try:
        any_there(platform.core.list_node)
    except (ApiException, urllib3.exceptions.HTTPError):
        return False
    return True


def answers(platform: Platform) -> bool:
    """Tell whether the API server answers now; a refusal is an answer."""
    try:
        any_there(platform.core.list_node)
    except ApiException as error:
        return 0 < (error.status or 0) < 500
    except urllib3.exceptions.HTTPError:
        return False
    return True
