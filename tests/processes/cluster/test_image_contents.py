"""What images hold is enough for what runs in them: the shipped CronJob's session starts, packages are unpacked as Debian means them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.images import debian, root
from cluster.images.compiled import project
from cluster.machines.image_files import PROJECT, REPOSITORY, SUITE

CRON_JOB = REPOSITORY / "targets/in-cluster/cronjob.yaml"
CONTROL = "Package: {name}\nVersion: 1:2.0\nArchitecture: all\nMaintainer: nobody\nDescription: a test\n"


def test_the_shipped_cron_job_finds_its_experiments_in_the_image(tmp_path: Path) -> None:
    root._copy(SUITE, project(tmp_path))
    [suite] = yaml.safe_load(CRON_JOB.read_text())["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert suite["workingDir"] == PROJECT
    set_there = {one["name"]: one["value"] for one in suite["env"]} | {"TARGET": "targets/in-cluster/target.yaml", "HOME": str(tmp_path)}
    printed = subprocess.run(  # the night's command; of it only the session, since healing asks the cluster
        [*suite["command"], "--dry-run"], cwd=project(tmp_path), env=os.environ | set_there, capture_output=True, text=True, check=True
    )
    assert "runner nightly" in printed.stdout
    given = ["-m", "pytest", "-m", "chaos", "-k", set_there["SELECT"], *shlex.split(set_there["CHAOS_ARGS"])]
    given += [f"--chaos-target={set_there['TARGET']}", "--collect-only", "-q"]
    done = subprocess.run([sys.executable, *given], cwd=project(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("control/null-control", "control/sham-control", "serving/replica-killed"):
        assert f"experiments/{name}.yaml::" in done.stdout


def packed(folder: Path, name: str, files: dict[str, str]) -> Path:
    source = folder / name
    for file, text in {**files, "DEBIAN/control": CONTROL.format(name=name)}.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text)
    archive = folder / f"{name}_1%3a2.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(source), str(archive)], check=True, capture_output=True)
    return archive


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian")
def test_packages_are_unpacked_through_the_links_of_a_merged_usr_and_recorded(tmp_path: Path) -> None:
    files = tmp_path / "root"
    (files / "usr/bin").mkdir(parents=True)
    (files / "bin").symlink_to("usr/bin")
    python = f"usr/bin/python{debian.PYTHON[0]}.{debian.PYTHON[1]}"
    tool = packed(tmp_path, "tool", {"bin/tool": "a", python: "b", "usr/share/man/man1/tool.1": "c", "usr/share/doc/tool/copyright": "d"})
    authority = packed(tmp_path, "authority", {"usr/share/ca-certificates/mozilla/A.crt": "one\n", "usr/share/doc/authority/README": "e"})
    debian.unpack([tool, authority], files)
    assert (files / "bin").is_symlink()
    assert (files / "usr/bin/tool").read_text() == "a"
    assert "Version: 1:2.0" in (files / "var/lib/dpkg/status.d/tool").read_text()
    assert (files / "etc/ssl/certs/ca-certificates.crt").read_text() == "one\n"
    assert (files / "usr/share/doc/tool/copyright").exists(), "licences stay"
    assert not (files / "usr/share/man").exists()
    assert not (files / "usr/share/doc/authority/README").exists()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not a Debian")
def test_what_is_no_package_or_of_another_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken_1_all.deb").write_text("no archive")
    with pytest.raises(ClusterError, match=r"broken_1_all\.deb could not be unpacked"):
        debian.unpack([tmp_path / "broken_1_all.deb"], tmp_path / "one")
    with pytest.raises(ClusterError, match=r"Debian's Python is not 3\.11"):
        debian.unpack([packed(tmp_path, "tool", {"usr/bin/python3.13": "b"})], tmp_path / "other")
