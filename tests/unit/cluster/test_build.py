from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from cluster import build
from cluster.build import MODULES, Module, module_digest
from cluster.errors import ClusterError
from cluster.host import packages
from cluster.host.packages import Package

MODULE = Module("tool", "tool", "a tool")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(build, "GO_FOLDER", tmp_path)
    (tmp_path / "tool").mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / "tool" / name).write_text(name)
    return tmp_path / "tool"


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_a_change_of_any_source_is_another_build(sources: Path, name: str) -> None:
    before = module_digest(MODULE, "go1.26.8")
    (sources / name).write_text("changed")
    assert module_digest(MODULE, "go1.26.8") != before


def test_another_go_is_another_build_and_another_folder_is_not(sources: Path) -> None:
    before = module_digest(MODULE, "go1.26.8")
    assert module_digest(MODULE, "go1.26.9") != before
    (sources / "README.md").write_text("no source")
    assert module_digest(MODULE, "go1.26.8") == before


def test_every_module_has_its_locked_sources() -> None:
    for module in MODULES:
        assert {"go.mod", "go.sum"} <= {p.name for p in (build.GO_FOLDER / module.name).iterdir()}


def test_without_go_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    with pytest.raises(ClusterError, match=r"Go is missing: install Go 1\.26 or newer"):
        build.go_version()


def test_an_old_go_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "run", lambda *_argv: "go1.19.8\n")
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: "/usr/bin/go")
    with pytest.raises(ClusterError, match=r"/usr/bin/go is go1\.19\.8"):
        build.go_version()


def test_the_cache_follows_the_users_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "aftershock"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert build.cache_folder() == Path.home() / ".cache/aftershock"


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_a_module_that_does_not_build_is_named_with_the_compilers_words(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(build, "MODULES", (MODULE,))
    (sources / "go.mod").write_text("module example\n\ngo 1.26\n")
    (sources / "go.sum").write_text("")
    (sources / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    with pytest.raises(ClusterError, match=r"cluster/go/tool did not build: .*undefined: missing"):
        build.binaries(lambda _sentence: None)
    assert not list((tmp_path / "cache/modules").iterdir()), "nothing half-built stays"


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_what_was_built_once_is_not_built_again(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(build, "MODULES", (Module("tool", "tool", "a tool", links=("alias",)),))
    (sources / "go.mod").write_text("module example\n\ngo 1.26\n")
    (sources / "go.sum").write_text("")
    (sources / "main.go").write_text("package main\n\nfunc main() {}\n")
    said: list[str] = []
    folder = build.binaries(said.append)
    assert os.access(folder / "alias", os.X_OK)
    assert [s.split()[0] for s in said] == ["building", "built"]
    assert build.binaries(said.append) == folder
    assert len(said) == 2


def test_no_service_starts_while_packages_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("the administrator's own")
    monkeypatch.setattr(packages, "_POLICY", policy)
    with packages._no_service_starts():
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & stat.S_IXUSR
    assert policy.read_text() == "the administrator's own"
    policy.unlink()
    with pytest.raises(RuntimeError), packages._no_service_starts():
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_apt_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PACKAGES", (Package("absent", "no-such-program", "a test"),))
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    with pytest.raises(ClusterError, match=r"lacks no-such-program \(a test\): install"):
        packages.ensure(lambda _sentence: None)


def test_each_package_is_said_before_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[str] = []
    monkeypatch.setattr(packages, "PACKAGES", (Package("one", "no-such-program", "this"), Package("two", "nor-this", "that")))
    monkeypatch.setattr(packages, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "_apt", lambda *arguments: said.append("apt-get " + " ".join(arguments)))
    packages.ensure(said.append)
    assert said == [
        "installing the Debian package one: this",
        "installing the Debian package two: that",
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends one two",
    ]
