"""Images built by the project: what their build files say, how layers are packed, and what nodes have of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster import state
from cluster.config import default_config, from_json, to_json
from cluster.errors import ClusterError
from cluster.images import build_file, builds, compiled, debian, environment, oci, root
from cluster.images import store as images_store
from cluster.images.oci import Blob
from cluster.machines import image_store, node
from cluster.machines.image_files import BUILT, FAULT, PLATFORM, PROJECT, REPOSITORY, SUITE, Image
from cluster.state import State

SHORT = {build_file.short_name(one): one for one in BUILT}
COPIED = re.compile(r"^COPY --from=root /root/(\S+)/(\S+)/ /$", re.MULTILINE)
pytestmark = pytest.mark.skipif(sys.version_info[:2] != debian.PYTHON, reason="images are built by their own Python")


def written(name: str) -> str:
    return (REPOSITORY / "images" / f"{name}.Dockerfile").read_text()


@pytest.mark.parametrize("name", SHORT)
def test_a_build_file_makes_the_layers_by_the_same_command_and_copies_each_in_its_order(name: str) -> None:
    assert f"RUN python3 -m cluster.images root {name} /root/{name} --arch $TARGETARCH\n" in written(name)
    assert COPIED.findall(written(name)) == [(name, layer.name) for layer in root.layers(SHORT[name], "arm64")]


@pytest.mark.parametrize("name", SHORT)
def test_the_layer_of_code_has_every_file_that_git_keeps(name: str, tmp_path: Path) -> None:
    [code] = [layer for layer in root.layers(SHORT[name], "amd64") if layer.name == "code"]
    code.make(tmp_path, lambda _line: None)
    asked = ["git", "ls-files", "-z", "--", *SHORT[name].holds]
    kept = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\0")
    made = {str(file.relative_to(tmp_path / PROJECT.lstrip("/"))) for file in tmp_path.rglob("*") if file.is_file()}
    assert [file for file in kept if file and file not in made] == []
    assert set(root.LEFT_OUT) <= set((REPOSITORY / ".dockerignore").read_text().split())


@pytest.mark.parametrize("name", SHORT)
def test_containers_start_as_the_build_file_says(name: str) -> None:
    said, image = build_file.settings(SHORT[name]), SHORT[name]
    assert said["User"] == "65532:65532"
    assert said["WorkingDir"] == PROJECT
    [path] = [one.removeprefix("PATH=") for one in said["Env"] if one.startswith("PATH=")]
    assert path.split(":")[0] == (f"{PROJECT}/{image.environment}/bin" if image.environment else "/usr/local/sbin")
    assert "/usr/local/bin" in path.split(":")
    assert "PYTHONUNBUFFERED=1" in said["Env"]
    assert said["Cmd"][0].endswith(("python", "python3"))


def test_an_instruction_that_would_be_lost_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_file, "REPOSITORY", tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/fault.Dockerfile").write_text('FROM a\nUSER 1\nFROM scratch\nENV A=1 \\\n  B="two words"\nHEALTHCHECK NONE\n')
    with pytest.raises(ClusterError, match="HEALTHCHECK is not known here"):
        build_file.settings(FAULT)
    (tmp_path / "images/fault.Dockerfile").write_text('FROM a\nUSER 1\nFROM scratch\nENV A=1 \\\n  B="two words"\n')
    assert build_file.settings(FAULT) == {"Env": ["A=1", "B=two words"]}, "the last stage alone"


def test_the_suites_image_serves_faults_too() -> None:
    assert set(FAULT.packages) <= set(SUITE.packages)
    assert set(FAULT.programs) <= set(SUITE.programs)
    assert set(FAULT.holds) <= {*SUITE.holds, *(held for held in FAULT.holds if held.split("/")[0] in SUITE.holds)}


def test_programs_called_in_pods_are_packages_of_their_image() -> None:
    for word in ("nftables", "iproute2", "util-linux", "haproxy"):  # nft, ip, nsenter, haproxy: faults/node_agent
        assert word in FAULT.packages
    assert {"dash", "coreutils", "libc-bin"} <= set(PLATFORM.packages)  # sh, timeout, getent: kube/container_exec.py, probes
    assert not any(one.environment for one in (FAULT,))


@pytest.mark.parametrize("image", [SUITE, PLATFORM])
def test_an_environment_has_a_lock(image: Image) -> None:
    assert environment.lock_of(image.environment).name == f"{build_file.short_name(image)}.txt"
    assert environment.lock_of(image.environment).exists()


def tree(root_folder: Path, time: int, names: tuple[str, ...]) -> Path:
    root_folder.mkdir()
    for name in names:
        (root_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (root_folder / name).write_text(name)
        os.utime(root_folder / name, (time, time))
    (root_folder / "tmp").mkdir()
    (root_folder / "tmp").chmod(0o1777)
    (root_folder / "usr/bin/su").chmod(0o4750)
    (root_folder / "bin").symlink_to("usr/bin")
    return root_folder


def test_a_layer_is_the_same_for_the_same_contents_whoever_packs_it_and_when(tmp_path: Path) -> None:
    names = ("usr/bin/su", "usr/bin/nft", "a b", "usr/b", "usr/bin.d/x")
    one = oci.pack(tree(tmp_path / "one", 1, names), tmp_path / "1")
    other = oci.pack(tree(tmp_path / "other", 2, names[::-1]), tmp_path / "2")
    assert one == other
    packed = (tmp_path / "1").read_bytes()
    assert one.digest == "sha256:" + hashlib.sha256(packed).hexdigest()
    assert one.diff_id == "sha256:" + hashlib.sha256(gzip.decompress(packed)).hexdigest()
    assert (one.packed_bytes, one.unpacked_bytes) == (len(packed), sum(len(name) for name in names))
    (tmp_path / "one/a b").write_text("another")
    assert oci.pack(tmp_path / "one", tmp_path / "3").diff_id != one.diff_id


def test_a_layer_has_what_a_container_needs_and_no_way_to_become_root(tmp_path: Path) -> None:
    oci.pack(tree(tmp_path / "one", 1, ("usr/bin/su", "etc/passwd")), tmp_path / "1")
    with tarfile.open(tmp_path / "1") as layer:
        found = {member.name: member for member in layer}
    assert list(found) == sorted(found)
    assert (found["usr/bin/su"].mode, found["etc/passwd"].mode, found["tmp"].mode) == (0o755, 0o644, 0o1777)
    assert (found["bin"].issym(), found["bin"].linkname) == (True, "usr/bin")
    assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {(0, 0, oci.TIME)}


def laid_out(tmp_path: Path) -> tuple[Path, Blob]:
    blob = oci.pack(tree(tmp_path / "root", 1, ("usr/bin/su",)), tmp_path / "layer")
    layout = tmp_path / "layout"
    oci.lay_out(layout, "aftershock/fault:dev", "arm64", {"Cmd": ["a"]}, [(blob, tmp_path / "layer")])
    return layout, blob


def test_a_layouts_references_lead_to_what_they_say(tmp_path: Path) -> None:
    layout, layer = laid_out(tmp_path)
    for blob in (layout / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name

    def read(described: dict[str, Any]) -> dict[str, Any]:
        content = (layout / "blobs/sha256" / described["digest"].removeprefix("sha256:")).read_bytes()
        assert len(content) == described["size"]
        found: dict[str, Any] = json.loads(content)
        return found

    manifest = read(oci.manifest_of(layout))
    config = read(manifest["config"])
    assert oci.config_digest(layout) == manifest["config"]["digest"]
    assert [(one["digest"], one["size"]) for one in manifest["layers"]] == [(layer.digest, layer.packed_bytes)]
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer.diff_id]}
    assert (config["architecture"], config["config"]) == ("arm64", {"Cmd": ["a"]})
    assert oci.manifest_of(layout)["annotations"]["io.containerd.image.name"] == "docker.io/aftershock/fault:dev"


def test_an_archive_is_the_layout_and_always_the_same(tmp_path: Path) -> None:
    layout, _ = laid_out(tmp_path)
    first, second = io.BytesIO(), io.BytesIO()
    oci.archive(layout, first)
    oci.archive(layout, second)
    assert first.getvalue() == second.getvalue()
    with tarfile.open(fileobj=io.BytesIO(first.getvalue())) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        assert {name: file.read() for name, file in files.items() if file} == {
            str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()
        }


def test_modules_are_compiled_for_where_they_lie_and_for_any_time(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/module.py").write_text("NAME = __file__\n")
    (tmp_path / "opt/template.py").write_text("{% not python %}")
    compiled.compile_all(tmp_path, tmp_path / "opt")
    [made] = (tmp_path / "opt/__pycache__").iterdir()
    assert int.from_bytes(made.read_bytes()[4:8], "little") == 0b01, "by content, unchecked (PEP 552)"
    assert b"/opt/module.py" in made.read_bytes()
    assert str(tmp_path).encode() not in made.read_bytes()


def test_a_layer_is_made_anew_when_what_it_is_made_from_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {layer.name: layer.digest for layer in root.layers(FAULT, "amd64")}
    assert {layer.name: layer.digest for layer in root.layers(FAULT, "arm64")} == before | {"system": root.layers(FAULT, "arm64")[0].digest}
    assert root.layers(FAULT, "arm64")[0].digest != before["system"]
    more = Image(FAULT.name, (*FAULT.holds, "faults/pods.py"), packages=(*FAULT.packages, "dash"), programs=FAULT.programs)
    after = {layer.name: layer.digest for layer in root.layers(more, "amd64")}
    assert all(after[name] != before[name] for name in before)
    copy = tmp_path / "faults/node_agent"
    copy.mkdir(parents=True)
    (copy / "__init__.py").write_text("")
    (tmp_path / "faults/__init__.py").write_text("")
    monkeypatch.setattr(root, "REPOSITORY", tmp_path)
    first = root.layers(FAULT, "amd64")[-1].digest
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__/x.pyc").write_text("")
    assert root.layers(FAULT, "amd64")[-1].digest == first, "what this machine compiled is none of the image's"
    (copy / "__init__.py").write_text("changed")
    assert root.layers(FAULT, "amd64")[-1].digest != first


def test_another_python_is_refused_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "PYTHON", (3, 9))
    with pytest.raises(ClusterError, match=r"compiled for Python 3\.9, and this is 3\.11"):
        root.layers(FAULT, "amd64")


def test_an_image_above_its_bound_is_said_to_be(tmp_path: Path) -> None:
    for unpacked, too_large in ((builds.MOST_BYTES[FAULT.name], False), (builds.MOST_BYTES[FAULT.name] + 1, True)):
        assert builds.Built(FAULT, "amd64", tmp_path, {"system": Blob("", "", 1, unpacked)}).too_large is too_large
    assert not builds.Built(PLATFORM, "amd64", tmp_path, {"system": Blob("", "", 1, 10**10)}).too_large


def test_a_name_that_is_no_image_is_named() -> None:
    assert builds.images_named([]) == list(BUILT)
    assert builds.images_named(["suite"]) == [SUITE]
    with pytest.raises(ClusterError, match=r"no image is called falt; there are: fault, suite, platform"):
        builds.images_named(["falt"])


def test_apt_works_for_another_system_and_leaves_this_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "debian.sources"
    sources.write_text("")
    monkeypatch.setattr(debian, "_SOURCES", (str(sources),))
    folder = tmp_path / "apt"
    text = debian._settings("arm64", folder).read_text()
    assert "#clear DPkg::Post-Invoke;" in text
    assert text.index("#clear APT::Architectures;") < text.index('APT::Architectures { "arm64"; };')
    assert f'Dir::State "{folder}";' in text
    assert f'Dir::Cache::archives "{folder}/archives";' in text
    assert f'Dir::Etc::sourcelist "{sources}";' in text
    status = (folder / "status").read_text()
    assert "Package: perl-base\nStatus: install ok installed\n" in status
    assert status.count("Architecture: arm64") == status.count("Package: ")


def test_a_machine_that_does_not_say_where_debian_is_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_SOURCES", (str(tmp_path / "none"),))
    with pytest.raises(ClusterError, match="does not say where Debian is"):
        debian._settings("amd64", tmp_path / "apt")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    files = (f"{image_store.CONTENT}/ab", "io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/usr/x", *image_store.DATABASES)
    for name in files:
        (folder / image_store.ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / image_store.ROOT / name).write_text("")
    return folder


def test_a_node_shares_the_layers_files_read_only_and_has_databases_of_its_own(store: Path) -> None:
    found = {str(mount["target"]): mount for mount in image_store.mounts(str(store))}
    assert all(mount["read_only"] for mount in found.values())
    assert "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs" in found
    assert f"/var/lib/containerd/{image_store.CONTENT}/ab" in found
    assert not any(target.endswith(".db") for target in found), "those are written"
    assert image_store.mounts("") == image_store.services("") == []


def test_a_nodes_containerd_starts_after_it_has_the_databases(store: Path) -> None:
    config = replace(default_config(), images=str(store))
    spec: dict[str, Any] = node.render(config, State("local"), config.node("gpu-a"), [])
    assert [one["name"] for one in spec["services"]][:3] == ["images", "containerd", "image"]
    assert spec["services"][0]["one_shot"]
    targets = [mount["target"] for mount in spec["mounts"]]
    assert all(targets.index("/var") < targets.index(target) for target in targets if target.startswith("/var/lib/containerd"))
    assert from_json(to_json(config)) == config
    plain: dict[str, Any] = node.render(default_config(), State("local"), config.node("gpu-a"), [])
    assert plain["services"][0]["name"] == "containerd"
    assert not any("containerd/" in mount["target"] for mount in plain["mounts"] if mount["target"].startswith("/var"))


def test_a_store_goes_when_no_cluster_was_started_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "BASE", tmp_path / "state")
    for name in ("used", "unused", "half.123"):
        (tmp_path / "stores" / name / image_store.ROOT).mkdir(parents=True)
    State("one").save_config(replace(default_config("one"), images=str(tmp_path / "stores" / "used")))
    State("other").save_config(default_config("other"))
    images_store.forget_unused(tmp_path / "stores")
    assert sorted(one.name for one in (tmp_path / "stores").iterdir()) == ["half.123", "used"]


def test_packed_files_are_readable_by_everybody(tmp_path: Path) -> None:
    closed = tmp_path / "root"
    closed.mkdir()
    (closed / "secretive").write_text("x")
    (closed / "secretive").chmod(stat.S_IRUSR)
    oci.pack(closed, tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as layer:
        assert layer.getmember("secretive").mode == 0o644, "containers run as any user"
