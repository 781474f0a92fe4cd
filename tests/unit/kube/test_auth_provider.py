"""What a kubeconfig's old ``auth-provider`` gives: a token that is sent, or a sentence; never a request as nobody."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube.client import connect
from testing.platform.kube_api import KubeApi, ask, kube_api, refused, write_target


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as made:
        yield made


def of_oidc(left_s: float | None, **more: Any) -> dict[str, Any]:
    claims = {} if left_s is None else {"exp": time.time() + left_s}
    token = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ('{"alg":"x"}', json.dumps(claims), "seal"))
    return {"auth-provider": {"name": "oidc", "config": {"id-token": token} | more}}


@pytest.mark.parametrize("left_s", [600, None])
def test_a_token_that_an_oidc_provider_keeps_is_sent(api: KubeApi, tmp_path: Path, left_s: float | None) -> None:
    user = of_oidc(left_s)
    ask(connect(write_target(tmp_path, api.url, user)))
    assert api.sent("authorization") == [f"Bearer {user['auth-provider']['config']['id-token']}"]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (of_oidc(-1), "its id-token has expired; run kubectl once"),
        ({"auth-provider": {"name": "oidc"}}, "no id-token in it; run kubectl once"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider gcp: kubectl itself does not know it any more; use an exec plugin: gke-gcloud"),
        ({"auth-provider": {"name": "azure", "config": {"access-token": "t"}}}, "use an exec plugin: kubelogin"),
        ({"auth-provider": "openstack"}, "auth-provider without a name: kubectl itself"),
    ],
)
def test_an_old_provider_that_gives_nothing_is_refused_and_nobody_is_asked_as_nobody(
    api: KubeApi, tmp_path: Path, user: dict[str, Any], said: str
) -> None:
    assert said in refused(tmp_path, api, user)
    assert not api.asked
