"""What an older Kubernetes has not."""

from __future__ import annotations

import pytest

from kube.versions import has_policies, missing_in, parsed


@pytest.mark.parametrize(
    ("text", "version"), [("v1.36.3", (1, 36)), ("v1.29.9-eks-a", (1, 29)), ("1.27", (1, 27)), ("1.26+", (1, 26)), ("unknown", None)]
)
def test_a_version_is_read_as_servers_write_it(text: str, version: tuple[int, int] | None) -> None:
    assert parsed(text) == version


@pytest.mark.parametrize(("minor", "lacks"), [(36, 0), (34, 1), (30, 2), (29, 4), (28, 5), (27, 6), (26, 7), (23, 7), (22, 8), (21, 9)])
def test_an_older_server_lacks_what_came_later(minor: int, lacks: int) -> None:
    said = missing_in((1, minor))
    assert len(said) == lacks
    assert has_policies((1, minor)) is not any("ValidatingAdmissionPolicy" in text for text in said)


def test_it_says_since_when_and_what_that_means() -> None:
    assert missing_in((1, 27))[0] == (
        "Kubernetes 1.27 has no label batch.kubernetes.io/job-completion-index (KEP-4017) (on since 1.28): "
        "a rank cannot be chosen by its index"
    )
