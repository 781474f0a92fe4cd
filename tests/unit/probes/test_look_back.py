"""How far recording rules look back that read one another; each is read twice at most, however many there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes.prometheus import look_back
from probes.prometheus.look_back import recorded_look_back_s
from probes.prometheus.reading_order import in_order
from probes.prometheus.rules import ALERTING, RECORDING, Rule

MANY = 5000
TOKENS = look_back._tokens


def rule(name: str, query: str, evaluation_s: float = 1.0, kind: str = RECORDING) -> Rule:
    return Rule(kind, "all", name, query, 0.0, evaluation_s, "ok", "", ())


class Rules(list[Rule]):
    """Rules that count how many of them were looked at."""

    looked = 0

    def __iter__(self) -> Iterator[Rule]:
        for one in super().__iter__():
            self.looked += 1
            assert self.looked <= 2 * len(self), "the rules were gone through more than twice"
            yield one


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every query that was taken apart, twice ``MANY`` at most."""
    queries: list[str] = []

    def counted(query: str) -> object:
        queries.append(query)
        assert len(queries) <= 2 * MANY, "queries were taken apart more than twice"
        return TOKENS(query)

    monkeypatch.setattr(look_back, "_tokens", counted)
    return queries


def test_rules_that_read_nothing_are_gone_through_twice_at_most(parsed: list[str]) -> None:
    found = recorded_look_back_s(Rules(rule(f"r{number}", "rate(a[5m])") for number in range(MANY)))
    assert (len(found), set(found.values())) == (MANY, {301.0})
    assert len(parsed) <= 2 * MANY


def test_a_chain_of_thousands_adds_up(parsed: list[str]) -> None:
    chain = Rules(rule(f"r{number}", f"max_over_time(r{number + 1}[1s])") for number in range(MANY))
    found = recorded_look_back_s(chain)
    assert (found["r0"], found[f"r{MANY - 1}"]) == (2 * MANY, 2)
    assert len(parsed) <= 2 * MANY


def test_what_is_read_on_many_ways_is_looked_at_once(parsed: list[str]) -> None:
    layers = [rule(f"l{layer}{side}", f"l{layer + 1}a + l{layer + 1}b") for layer in range(MANY // 2) for side in "ab"]
    assert recorded_look_back_s(Rules(layers))["l0a"] == MANY // 2


def test_of_several_rules_of_one_name_the_longest_counts_and_an_alert_records_nothing() -> None:
    rules = [rule("a", "rate(x[1m])"), rule("a", "rate(x[3m])", 5), rule("b", "a"), rule("c", "b", kind=ALERTING)]
    assert recorded_look_back_s(rules) == {"a": 185, "b": 186}


def test_a_rule_that_reads_itself_ends_and_a_circle_counts_each_of_its_rules_once() -> None:
    rules = [rule("a", "a offset 5m + b", 10), rule("b", "c + rate(x[1m])", 20), rule("c", "b"), rule("d", "sum(c)", 2)]
    found = recorded_look_back_s(rules)
    assert found["b"] == found["c"] == 20 + 60 + 1
    assert found["d"] == 81 + 2
    assert found["a"] == 10 + max(300, 81)


def test_what_is_read_comes_first_and_circles_are_groups() -> None:
    reads = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "c"}, "e": set[str](), "f": {"f", "e"}}
    groups = list(in_order(reads))
    assert sorted(map(sorted, groups)) == [["a"], ["b", "c"], ["d"], ["e"], ["f"]]
    place = {name: number for number, group in enumerate(groups) for name in group}
    assert all(place[read] <= place[name] for name, others in reads.items() for read in others)
