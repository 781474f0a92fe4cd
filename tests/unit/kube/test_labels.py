"""Label selectors, as the API server reads them."""

from __future__ import annotations

import pytest

from kube.labels import selects

LABELS = {"app": "vllm", "tier": "gpu", "app.kubernetes.io/name": "vllm"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("app=vllm", True),
        ("app==vllm", True),
        ("app = vllm , tier=gpu", True),
        ("app=vllm,tier=cpu", False),
        ("app in (vllm)", True),
        ("app in (sglang, vllm),tier=gpu", True),
        ("tier=gpu,app in (sglang,tgi)", False),
        ("app notin (sglang, tgi)", True),
        ("app notin (vllm)", False),
        ("zone notin (a)", True),
        ("app!=vllm", False),
        ("zone!=a", True),
        ("app", True),
        ("zone", False),
        ("!zone", True),
        ("!app", False),
        ("app.kubernetes.io/name=vllm", True),
    ],
)
def test_a_selector_selects_what_the_api_server_would(selector: str, selected: bool) -> None:
    assert selects(selector, LABELS) is selected
