"""Words of others are redacted before they are shortened: half a secret is known by nothing."""

from __future__ import annotations

import pytest
from kubernetes.client.exceptions import ApiException

from kube.answers import explained, first_line
from target.secrets import known as known_secrets
from target.secrets.hiding import HIDDEN, excerpt

PLANTED = "planted-secret-of-thirty-two-signs"


@pytest.fixture(autouse=True)
def _only_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_known", {PLANTED})


@pytest.mark.parametrize("before", [270, 285, 299])
def test_no_part_of_a_secret_stands_where_a_text_is_cut(before: int) -> None:
    text = "x" * (before - 1) + " " + PLANTED
    for said in (excerpt(text, 300), first_line(OSError(text)), explained(ApiException(reason=text))):
        assert PLANTED[:5] not in said


def test_a_short_text_keeps_all_but_the_secret() -> None:
    assert excerpt(f"it was {PLANTED}, twice", 300) == f"it was {HIDDEN}, twice"
