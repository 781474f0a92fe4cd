"""Label selectors, as the API server reads them."""

from __future__ import annotations

import pytest
from kubernetes import client

from kube.labels import query_of, selects

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


def test_an_object_s_selector_as_it_stands_in_a_query() -> None:
    wanted = [("tier", "In", ["a", "b"]), ("old", "DoesNotExist", None), ("zone", "Exists", None), ("env", "NotIn", ["test"])]
    expressions = [client.V1LabelSelectorRequirement(key=key, operator=operator, values=values) for key, operator, values in wanted]
    selector = client.V1LabelSelector(match_labels={"app": "x"}, match_expressions=expressions)
    query = query_of(selector)
    assert query == "app=x,tier in (a,b),!old,zone,env notin (test)"
    assert selects(query, {"app": "x", "tier": "b", "zone": "1", "env": "live"})
    assert not selects(query, {"app": "x", "tier": "b", "zone": "1", "env": "test"})
    assert query_of(None) == ""
