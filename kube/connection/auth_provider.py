"""The old key ``auth-provider`` of a kubeconfig's user. Of its kinds kubectl knows only oidc any more: gcp and azure left with 1.26.

kubernetes 37.0.1 ends in the middle of google.auth for gcp, goes on as nobody for the others, and renews an oidc token without keeping the
new refresh token, so that the person's own kubectl is locked out.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from typing import Any

from kube.connection.errors import NoCredentials

INSTEAD = "use an exec plugin"
ONCE = f"run kubectl once, which gets one, or {INSTEAD} such as kubelogin"
EXEC = {"gcp": f"{INSTEAD}: gke-gcloud-auth-plugin", "azure": f"{INSTEAD}: kubelogin"}


def token_of(provider: object) -> str:
    """Return the token that an ``auth-provider`` keeps. Raises NoCredentials: it is of another kind, keeps none, or that has expired."""
    fields: dict[str, Any] = provider if isinstance(provider, dict) else {}
    name, config = str(fields.get("name") or "without a name"), fields.get("config")
    if name != "oidc":
        raise NoCredentials(f"auth-provider {name}: kubectl itself does not know it any more; {EXEC.get(name, INSTEAD)}")
    token = config.get("id-token") if isinstance(config, dict) else None
    if not isinstance(token, str) or not token.strip():
        raise NoCredentials(f"auth-provider oidc: no id-token in it; {ONCE}")
    if (until_s := _ends_s(token)) is not None and until_s <= time.time():
        raise NoCredentials(f"auth-provider oidc: its id-token has expired; {ONCE}")
    return token.strip()


def _ends_s(token: str) -> float | None:
    """Return until when a JSON web token is valid (s since 1970); None: it does not say so."""
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        part = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])
    return None
