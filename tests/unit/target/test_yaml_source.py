"""A file that cannot be read, target or experiment alike: one sentence with file and line, never a traceback, and no key read twice."""
# ruff: noqa: E501 - a row is a line

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from history.errors import ConfigError
from runner.experiment.experiment import read_experiment
from target.target import load_target
from target.yaml_source import read_located
from testing.platform.fake_cluster import ROOT

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "target": ("targets/staging.example.yaml", load_target),
    "experiment": ("experiments/serving/replica-killed.yaml", lambda path: read_experiment(path, path.parent)),
}

# what stands in the file, the line of the mistake, what is said of it
UNREADABLE = {
    "latin-1": ("schema: 1\nname: caf\xe9\n".encode("latin-1"), 2, "not UTF-8, the byte 0xe9 has no meaning there; save the file as UTF-8"),
    "UTF-16": ("schema: 1\n".encode("utf-16"), 1, "not UTF-8, the byte 0xff has no meaning there; save the file as UTF-8"),
    "UTF-16 without a mark": ("schema: 1\n".encode("utf-16-le"), 1, "not valid YAML: control characters are not allowed (character 0x0); save the file as UTF-8"),
    "a control character": ("a: é\nb:\n  c: \x01\n".encode(), 3, "not valid YAML: control characters are not allowed (character 0x1); save the file as UTF-8"),
    "a tab": (b"roles:\n\tinference: {}\n", 2, "not valid YAML: while scanning for the next token, found character that cannot start any token"),
    "3,000 brackets": (b"name: x\nroles: " + b"[" * 3000, 2, "not valid YAML: more than 100 levels of nesting"),
    "100,000 braces": (b"a: " + b"{a: " * 100_000, 1, "not valid YAML: more than 100 levels of nesting"),
    "an impossible date": (b"blackouts:\n  - {why: x, start: '1:00', end: '2:00', dates: [2026-12-24,\n    2026-02-31]}\n", 3, "not valid YAML: what stands here is read as a date, and there is no such date"),
    "an impossible number": (b"a: 1\nb: !!int x\n", 2, "not valid YAML: what stands here is read as a number, and there is no such number"),
    "a number to the base of 8": (b"a: 1\nb: 060\n", 2, "not valid YAML: what stands here begins with 0 and is read to the base of 8; write it without the 0, or in quotes"),
    "an empty number": (b"a: 1\nb: !!int ''\n", 2, "not valid YAML: what stands here is read as a number, and there is no such number"),
    "a secret that is no number": (b"password: !!int hunter2\n", 1, "not valid YAML: what stands here is read as a number, and there is no such number"),
    "an impossible truth": (b"a: !!bool maybe\n", 1, "not valid YAML: what stands here is read as a truth value, and there is no such truth value"),
    "a time that is none": (b"a: !!timestamp soon\n", 1, "not valid YAML: what stands here is read as a date, and there is no such date"),
    "a key twice": (b"limits: {pods: 1}\nroles: {}\nlimits: {pods: 9}\n", 3, "not valid YAML: found duplicate key 'limits'"),
    "a key twice further in": (b"roles:\n  a: {namespace: x,\n  namespace: y}\n", 3, "not valid YAML: found duplicate key 'namespace'"),
    "an anchor within itself": (b"a: 1\nb: &b [*b]\n", 2, "not valid YAML: its anchors and aliases nest without end"),
    "aliases of aliases": (b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)), 2, "not valid YAML: its anchors and aliases nest without end"),
    "a mapping as a key": (b"a: 1\n? {b: 1}\n: c\n", 2, "not valid YAML: while constructing a mapping, found unhashable key"),
    "two documents": (b"a: 1\n---\nb: 2\n", 2, "not valid YAML: expected a single document in the stream, but found another document"),
    "an unknown tag": (b"a: 1\nb: !!python/object:os.system x\n", 2, "not valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'"),
    "an open bracket": (b"a: 1\nb: [", 2, "not valid YAML: while parsing a flow node, did not find expected node content"),
    "nothing": (b"", 1, "expected a mapping of names to values, found nothing; {example} is an example"),
    "a list": (b"- 1\n", 1, "expected a mapping of names to values, found a list; {example} is an example"),
    "a number as a key": (b"1: x\n", 1, "the key '1' is no text to YAML, which reads yes, no, on and off as truth values; put it in quotes"),
    "a truth as a key": (b"a: 1\non: push\n", 2, "the key 'on' is no text to YAML, which reads yes, no, on and off as truth values; put it in quotes"),
}  # fmt: skip


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_one_sentence_with_file_and_line(tmp_path: Path, case: str, kind: str) -> None:
    raw, line, sentence = UNREADABLE[case]
    example, read = READERS[kind]
    file = tmp_path / "written.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError) as refused:
        read(file)
    assert str(refused.value) == f"{file}:{line}: {sentence.format(example=example)}"


def test_a_file_with_more_values_than_any_of_ours_nests_nothing(tmp_path: Path) -> None:
    file = tmp_path / "written.yaml"
    file.write_text("fidelity:\n" + "".join(f"  k{n}: v\n" for n in range(60_000)))
    assert len(read_located(file, "none").data["fidelity"]) == 60_000


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_is_not_there(tmp_path: Path, kind: str) -> None:
    example, read = READERS[kind]
    with pytest.raises(ConfigError, match=rf"none\.yaml:1: cannot be read: .*No such file.*; {example} is an example"):
        read(tmp_path / "none.yaml")
    assert (ROOT / example).is_file()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_as_windows_writes_it_is_the_same_file(tmp_path: Path, encoding: str, ends: str) -> None:
    text = (ROOT / "targets/local.yaml").read_text()
    file = tmp_path / "target.yaml"
    file.write_bytes(text.replace("\n", ends).encode(encoding))
    assert load_target(file) == load_target(ROOT / "targets/local.yaml")


def test_aliases_and_merged_keys_are_no_mistakes_and_the_line_is_that_of_the_later_key(tmp_path: Path) -> None:
    text = (ROOT / "targets/local.yaml").read_text()
    file = tmp_path / "target.yaml"
    base = text.replace("\nroles:\n", "\nroles:\n  base: &base {namespace: x, selector: a=b}\n  more: {<<: *base,\n    selector: c=d}\n", 1)
    file.write_text(base)
    more = load_target(file).roles["more"]
    assert (more.namespace, more.selector) == ("x", "c=d")
    file.write_text(base.replace("selector: c=d", "selector: none"))
    line = next(number for number, line in enumerate(base.splitlines(), 1) if "selector: c=d" in line)
    with pytest.raises(ConfigError, match=rf"target\.yaml:{line}: roles\.more\.selector: "):
        load_target(file)
