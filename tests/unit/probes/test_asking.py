"""A Prometheus that cannot be asked: what is said of it shows no secret."""

from __future__ import annotations

import pytest

from history.errors import NoData
from probes.prometheus import query
from target.prometheus import Prometheus
from testing.platform.fake_cluster import local_target

NOBODY = {"url": "http://127.0.0.1:9", "headers": {"X-Scope-OrgID": {"env": "TENANT"}}}


@pytest.mark.parametrize("value", ["planted-tenant\n", "planted\ntenant"])
def test_a_value_with_a_line_break_is_not_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TENANT", value)
    with pytest.raises(NoData, match=r"Prometheus at http://127\.0\.0\.1:9") as failed:
        query(local_target(prometheus=NOBODY).only_region(), "up")
    assert "planted" not in str(failed.value)


def test_the_line_break_at_the_end_of_a_file_is_no_part_of_a_secret() -> None:
    declared = Prometheus.model_validate(NOBODY)
    assert declared.secrets({"TENANT": "planted-tenant\n"}) == ["planted-tenant"]
    assert not list(declared.lacking({"TENANT": "planted-tenant\n"}))
    [(keys, said)] = declared.lacking({"TENANT": "planted\ntenant"})
    assert (keys, "planted" in said) == (("headers", "X-Scope-OrgID", "env"), False)
    [(_, unset)] = declared.lacking({"TENANT": " \n"})
    assert "is not set" in unset
