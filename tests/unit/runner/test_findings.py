"""What checks refuse is kept: a run refuses with all of it, and a single refusal stays what it was."""

from __future__ import annotations

import pytest
from kubernetes.client.exceptions import ApiException

from history.errors import ConfigError, TargetRefused
from runner.findings import About, Findings, Refusal


def refusing(error: Exception) -> object:
    def check() -> None:
        raise error

    return check


def test_all_that_was_refused_is_said_at_once_with_its_risks() -> None:
    findings = Findings()
    assert findings.ask(About.ROLES, lambda: 7) == 7
    for error in (TargetRefused("a is gone", ("a risk",)), ConfigError("b is wrong"), TargetRefused("a is gone", ("a risk",))):
        assert findings.ask(About.ROLES, refusing(error)) is None  # type: ignore[arg-type]
    with pytest.raises(TargetRefused) as refused:
        findings.refuse()
    assert str(refused.value) == "a is gone; besides: b is wrong"
    assert refused.value.risks == ("a risk",)


def test_one_refusal_is_raised_as_it_is_and_none_refuses_nothing() -> None:
    findings, error = Findings(), ConfigError("file.yaml:3: wrong")
    findings.refuse()
    findings.ask(About.EXPERIMENTS, refusing(error))  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as refused:
        findings.refuse()
    assert refused.value is error


RBAC, ADMISSION = 'pods is forbidden: User "x" cannot create', 'pods "p" is forbidden: violates PodSecurity'


@pytest.mark.parametrize(("status", "said", "forbidden"), [(403, RBAC, True), (403, ADMISSION, False), (404, "gone", False)])
def test_a_missing_right_is_told_from_what_admission_turns_away(status: int, said: str, *, forbidden: bool) -> None:
    error = TargetRefused("no")
    error.__cause__ = ApiException(status=status, reason=said)
    assert Refusal(About.CLUSTER, error).forbidden is forbidden


def test_a_refusal_has_its_parts_else_its_sentence_without_what_goes_without_saying() -> None:
    assert Refusal(About.ROLES, TargetRefused("a; b", parts=("a", "b"))).parts == ("a", "b")
    assert Refusal(About.ROLES, TargetRefused("a; nothing was injected; mend it")).parts == ("a; mend it",)
