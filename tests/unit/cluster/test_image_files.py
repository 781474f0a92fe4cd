"""What the containers of each image hold: what its build file puts there, and no more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.machines import image, image_files
from cluster.machines.image_files import FAULT, IMAGES, PLATFORM, REPOSITORY, SUITE, VLLM, Image
from target.suite_image import FAULT_PYTHON, PROJECT, PYTHON

COPIED = re.compile(r"^COPY (\S+) (\S+)$", re.MULTILINE)  # of vllm: tests/unit/cluster/test_images.py has those that are built here


def places(one: Image) -> set[str]:
    return {str(mount["destination"]) for mount in image_files.mounts(one) if mount["type"] == "bind"}


def build_file(name: str) -> str:
    return (REPOSITORY / "images" / f"{name}.Dockerfile").read_text()


def test_an_image_that_is_not_built_here_holds_what_its_build_file_copies() -> None:
    copied = COPIED.findall(build_file("vllm"))
    assert {source for source, to in copied if source == to and not source.startswith("locks/")} == set(VLLM.holds)
    assert [source for source, _ in copied if source.startswith("locks/")] == ["locks/vllm.txt"]
    assert VLLM.environment == ".venv-vllm"
    assert "python3 -m venv .venv-vllm " in build_file("vllm")
    assert f"PATH={PROJECT}/.venv-vllm/bin:" in build_file("vllm")


@pytest.mark.parametrize("one", IMAGES, ids=lambda one: one.name)
def test_what_an_image_holds_is_there(one: Image) -> None:
    assert all((REPOSITORY / held).exists() for held in one.holds)


def test_containers_see_the_machines_programs_by_their_image_alone() -> None:
    assert all({"/usr", image_files.PROGRAMS} <= places(one) for one in IMAGES)


def test_a_cluster_with_built_images_binds_nothing_into_them() -> None:
    assert image_files.without_files("") == list(IMAGES)
    left = image_files.without_files("/a/store")
    assert {FAULT, SUITE, PLATFORM}.isdisjoint(left)
    assert VLLM in left


def test_each_image_sees_its_own_environment_and_no_other() -> None:
    found = {one.name: {place for place in places(one) if "/.venv" in place} for one in IMAGES}
    assert found.pop(SUITE.name) == {f"{PROJECT}/.venv"}
    assert found.pop(PLATFORM.name) == {f"{PROJECT}/.venv-platform"}
    assert found.pop(VLLM.name) == {f"{PROJECT}/.venv-vllm"}
    assert set().union(*found.values()) == set()
    assert f"{PROJECT}/.venv/bin/python" == PYTHON
    assert not any(place == PROJECT for one in IMAGES for place in places(one))


def test_the_interpreter_of_the_environments_is_where_their_links_lead(tmp_path: Path) -> None:
    shared = {share.target: share.source for share in image_files.node_shares(tmp_path, tmp_path / "files")}
    assert shared[PROJECT] == str(REPOSITORY)
    assert shared[image_files.PROGRAMS] == str(tmp_path)
    python = Path(image_files.python_prefix() or "/usr") / "bin" / "python3"
    assert python.exists()
    for one in IMAGES:
        assert any(python.is_relative_to(place) for place in ("/usr", *places(one)))


def test_a_file_that_the_host_replaces_goes_on_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, kept = tmp_path / "ld.so.cache", tmp_path / "files"
    cache.write_text("as the cluster found it")
    monkeypatch.setattr(image_files, "_SYSTEM", (str(cache),))
    for text in ("as the cluster found it", "as a package left it"):  # boot, and power on after that
        cache.unlink()
        cache.write_text(text)
        (source,) = [share.source for share in image_files.node_shares(tmp_path, kept) if share.target == str(cache)]
        assert Path(source).read_text() == "as the cluster found it"


def test_an_image_without_an_environment_sees_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(image_files, "python_prefix", lambda: str(tmp_path))
    emptied = {one.name: {mount["destination"] for mount in image_files.mounts(one) if mount["type"] == "tmpfs"} for one in IMAGES}
    assert str(packages) in emptied[FAULT.name]
    assert emptied[SUITE.name] == emptied[PLATFORM.name] == set()
    assert image_files.path_of(FAULT).startswith(f"{tmp_path}/bin:")


def test_the_container_runtime_is_told_the_mounts_of_every_image() -> None:
    told = json.loads(image.files_of_images(IMAGES))
    assert set(told) == {one.name for one in IMAGES}
    assert all(set(mount) == {"destination", "type", "source", "options"} for mounts in told.values() for mount in mounts)


def test_fault_programs_run_on_what_their_image_holds_and_the_standard_library(tmp_path: Path) -> None:
    for held in FAULT.holds:
        source, copy = REPOSITORY / held, tmp_path / held
        copy.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    modules = [".".join(file.relative_to(tmp_path).with_suffix("").parts) for file in tmp_path.rglob("[!_]*.py")]
    command = [sys.executable, "-S", "-c", f"import {', '.join(modules)}"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert "faults.node_agent.main" in modules
    assert done.returncode == 0, done.stderr
    assert FAULT_PYTHON == "python3"  # of the image's PATH
