"""The parts of doctor that need no cluster: names, rights, findings that are alike, the lines of a pipe."""

from __future__ import annotations

from kube.permissions import Permission
from runner.commands.doctor.gathered import gathered, masking
from runner.commands.doctor.rights import in_words, names, of_rights
from runner.commands.doctor.show import ordered, plain
from runner.findings import About, Finding, Kind

DELETE, PODS = Permission("delete", "pods", namespace="llm"), Permission("create", "pods", namespace="aftershock")


def test_names_of_one_folder_stand_together_as_a_shell_reads_them() -> None:
    assert names(["serving/a", "training/b", "serving/c", "mine"]) == "serving/{a,c}, training/b, mine"


def test_rights_are_gathered_by_who_needs_them() -> None:
    assert in_words([DELETE, Permission("get", "pods", namespace="llm"), Permission("list", "nodes")]) == (
        "delete, get pods in llm; list nodes in the whole cluster"
    )
    needed = {"serving/a": [DELETE], "serving/b": [DELETE, PODS]}
    [every, one] = of_rights(needed, [DELETE, PODS], "the account", "grant it")
    assert every.text == "the account may not delete pods in llm; needed by every chosen experiment"
    assert (one.text, one.do) == ("the account may not create pods in aftershock; needed by serving/b", "grant it")
    [works] = of_rights(needed, [], "the account", "grant it")
    assert (works.kind, works.text) == (Kind.WORKS, "the account has all 2 rights that the chosen experiments need")


def test_refusals_that_differ_in_a_name_are_one_line_and_what_works_is_shown_as_it_is() -> None:
    mask = masking({"llm-1", "llm-12"})
    refused = [
        (name, Finding(About.EXPERIMENTS, Kind.REFUSED, f"pod {one} is ill")) for name, one in (("a", "llm-1"), ("b", "llm-12"), ("c", "x"))
    ]
    assert [(who, finding.text) for who, finding in gathered(refused, mask)] == [(["a", "b"], "pod llm-1 is ill"), (["c"], "pod x is ill")]
    works = [(name, Finding(About.EXPERIMENTS, Kind.WORKS, f"would hit {one}")) for name, one in (("a", "llm-1"), ("b", "llm-12"))]
    assert len(list(gathered(works, mask))) == 2
    assert masking(set())("llm-1") == "llm-1"


def test_a_pipe_gets_a_line_a_finding_with_the_next_step_whatever_is_in_it() -> None:
    found = [
        Finding(About.ROLES, Kind.REFUSED, "one\ntwo", "mend it"),
        Finding(About.CLUSTER, Kind.TO_DECIDE, "say which"),
        Finding(About.CLUSTER, Kind.WORKS, "it is there"),
        Finding(About.CLUSTER, Kind.WORKS, "it is there"),
    ]
    assert list(plain(ordered(found))) == [
        "cluster", "  works     it is there", "  to decide say which", "roles", "  refused   one two -> mend it",
    ]  # fmt: skip
