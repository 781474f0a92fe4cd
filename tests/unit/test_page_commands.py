"""The commands of docs/staging.md are read from the page itself, so that the page and what is tried cannot differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.__main__ import parser
from testing.pages.commands import Person, commands_of
from testing.platform.fake_cluster import ROOT

PAGE = (ROOT / "docs" / "staging.md").read_text()
TEXT = """
```sh
make setup     # once
E="a # b"
echo one \\
  two
```
```
not a command of the path
```
```yaml
key: value
```
```sh
echo NAME $E

```
"""


def test_commands_are_the_lines_of_its_shell_blocks_without_remarks() -> None:
    assert commands_of(TEXT)[0] == "make setup"
    assert commands_of(TEXT)[-2:] == ["echo one    two", "echo NAME $E"]
    assert len(commands_of(TEXT)) == 4


def test_a_person_types_them_with_own_names_and_keeps_variables(tmp_path: Path) -> None:
    page = '```sh\nmake setup\nE="x y"\necho NAME $E $HERE\n```\n'
    person = Person(tmp_path, names={"NAME": "mine"}, environment={"HERE": "there"}, passed_by=("make setup",))
    assert list(person.follow(page)) == [("echo NAME $E $HERE", "mine x y there\n")]


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)false \| cat: exit code 1"):
        list(Person(tmp_path).follow("```sh\nfalse | cat\n```\n"))
    assert list(Person(tmp_path, may_say={"exit": (3,)}).follow("```sh\nexit 3\n```\n")) == [("exit 3", "")]


def test_the_path_goes_from_discovery_to_the_night() -> None:
    steps = ("discover", "doctor", "--chaos-dry-run", "rbac", "policy", "-k null-control", "-k replica-killed", "make nightly")
    rest = iter(commands_of(PAGE))
    assert [step for step in steps if not any(step in command for command in rest)] == []


def test_the_commands_of_the_runner_can_be_read() -> None:
    asked = [one.partition("python -m runner ")[2].split(" | ")[0].split() for one in commands_of(PAGE) if "python -m runner " in one]
    assert {words[0] for words in asked} == {"discover", "doctor", "risks", "rbac", "policy"}
    for words in asked:
        if words[0] != "discover":
            parser().parse_args(words)
