"""What machines are made of: specs, image, base specification."""

from __future__ import annotations

import io
import json
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cluster import pki, state
from cluster.config import ClusterConfig, default_config
from cluster.machines import control_plane, image, image_files, node
from cluster.machines.image_files import Share
from cluster.state import State

SHARES = [Share("/usr", "/usr"), Share("/somewhere/bin", image_files.PROGRAMS)]
CONFIG = default_config()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setattr(state, "BASE", tmp_path)
    return State("local")


def node_spec(here: State, name: str, config: ClusterConfig = CONFIG, failed: tuple[int, ...] = ()) -> dict[str, Any]:
    return node.render(config, here, config.node(name), SHARES, failed)


def argv(spec: dict[str, Any], service: str) -> list[str]:
    found: list[str] = next(s["argv"] for s in spec["services"] if s["name"] == service)
    return found


def test_nothing_of_kubernetes_timing_is_tuned_but_how_long_a_lead_holds(here: State) -> None:
    specs = [node_spec(here, "gpu-a"), control_plane.render(CONFIG, here, SHARES)]
    given = [a for spec in specs for s in spec["services"] for a in s["argv"]]
    words = " ".join(a for a in given if not a.startswith("--leader-elect-"))
    words += node_spec(here, "gpu-a")["files"]["/etc/kubernetes/kubelet.json"]
    for timer in (
        "grace-period",
        "frequency",
        "Frequency",
        "timeout",
        "Timeout",
        "toleration",
        "sync-period",
        "eviction",
        "lease",
        "Period",
    ):
        assert timer not in words, timer


def test_only_gpu_nodes_have_devices_and_the_label(here: State) -> None:
    gpu, cpu = node_spec(here, "gpu-b"), node_spec(here, "cpu-b")
    assert "aftershock.dev/accelerator=gpu" in argv(gpu, "kubelet")[-1]
    assert "accelerator" not in argv(cpu, "kubelet")[-1]
    assert "topology.kubernetes.io/zone=zone-b" in argv(cpu, "kubelet")[-1]
    assert gpu["files"]["/var/lib/aftershock-gpu/GPU-1/status"] == "ok\n"
    assert not any("aftershock-gpu" in path for path in cpu["files"])


def test_a_lost_gpu_is_still_lost_after_a_reboot(here: State) -> None:
    files = node_spec(here, "gpu-a", failed=(0,))["files"]
    assert "/var/lib/aftershock-gpu/GPU-0/status" not in files
    assert "/var/lib/aftershock-gpu/GPU-0/index" in files
    assert "/var/lib/aftershock-gpu/GPU-1/status" in files


def test_a_node_holds_its_own_key_and_no_other(here: State) -> None:
    sources = [m["source"] for m in node_spec(here, "cpu-a")["mounts"]]
    keys = [Path(s).name for s in sources if s.endswith((".key", ".kubeconfig"))]
    assert sorted(keys) == ["cpu-a.key", "cpu-a.kubeconfig", "proxy.kubeconfig"]
    assert str(here.pki) not in sources


def test_a_node_sees_the_hosts_programs_read_only_and_none_of_its_disks(here: State) -> None:
    mounts = {m["target"]: m for m in node_spec(here, "cpu-a")["mounts"]}
    assert mounts["/usr"]["read_only"]
    assert mounts[image_files.PROGRAMS]["read_only"]
    assert mounts["/dev"]["kind"] == "tmpfs"
    assert not any(m["source"].startswith(("/dev/sd", "/dev/vd", "/dev/loop")) for m in mounts.values())
    assert mounts["/var"]["kind"] == "loop"


def test_the_disk_is_mounted_before_what_lies_on_it(here: State) -> None:
    targets = [m["target"] for m in node_spec(here, "gpu-a")["mounts"]]
    on_disk = [t for t in targets if t.startswith("/var/")]
    assert on_disk
    assert all(targets.index("/var") < targets.index(t) for t in on_disk)


def test_containerds_configuration_is_valid_toml(here: State) -> None:
    config = tomllib.loads(node_spec(here, "cpu-a")["files"]["/etc/containerd/config.toml"])
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    runc = runtime["containerd"]["runtimes"]["runc"]
    assert runc["base_runtime_spec"] == "/etc/containerd/base-spec.json"
    assert runc["options"]["BinaryName"] == f"{image_files.PROGRAMS}/aftershock-runc"
    assert runtime["restrict_oom_score_adj"] is not image.may_lower_oom_score()


def test_nodes_share_the_machines_memory() -> None:
    machine, (plain, with_gpus) = 24 * 2**30, CONFIG.nodes[:2]
    shares = [node.memory_bytes(CONFIG, one, machine) for one in CONFIG.nodes]
    assert machine - 4 * 2**30 - 6 <= sum(shares) <= machine - 4 * 2**30
    assert (plain.gpus, with_gpus.gpus) == (0, 2)
    assert shares[1] == pytest.approx(shares[0] * 1.5)
    assert node.memory_bytes(default_config(node_count=2), plain, machine) > shares[0]
    assert node.memory_bytes(CONFIG, with_gpus, 2**30) == 2**29


@pytest.mark.parametrize("program", control_plane.PARTS[control_plane.CONTROLLERS])
def test_a_lead_outlasts_a_stall_that_ends_controllers_by_default(here: State, program: str) -> None:
    services = json.loads(json.dumps(control_plane.render(CONFIG, here, SHARES)))["services"]
    [argv] = [line for service in services if program in " ".join(line := service["argv"])]
    lease_s, renew_s, retry_s = (
        int(next(one for one in argv if one.startswith(f"--leader-elect-{name}=")).partition("=")[2].removesuffix("s"))
        for name in ("lease-duration", "renew-deadline", "retry-period")
    )
    assert lease_s > renew_s > 10
    assert renew_s > 1.2 * retry_s, "client-go refuses else"


def test_every_node_routes_another_network(here: State) -> None:
    subnets = {
        json.loads(node_spec(here, n.name)["files"]["/etc/cni/net.d/10-pods.conflist"])["plugins"][0]["ipam"]["ranges"][0][0]["subnet"]
        for n in CONFIG.nodes
    }
    assert subnets == {f"10.244.{i}.0/24" for i in range(1, 7)}


def test_the_api_serves_under_every_name_it_is_called_by() -> None:
    api = next(i for i in pki.identities(CONFIG) if i.name == "apiserver")
    for name in ("IP:10.89.0.1", "IP:10.96.0.1", "DNS:kubernetes.default.svc", "DNS:kubernetes.default.svc.cluster.local"):
        assert name in api.serves.split(",")


def test_only_administrators_are_masters() -> None:
    masters = {i.name for i in pki.identities(CONFIG) if "system:masters" in i.subject}
    assert masters == {"admin", "kubelet-client"}


def test_keys_are_the_owners_alone_and_the_kubeconfig_is_enough(here: State) -> None:
    small = default_config(node_count=1)
    pki.create(small, here)
    assert here.pki.stat().st_mode & 0o077 == 0
    assert here.kubeconfig.stat().st_mode & 0o077 == 0
    written = json.loads(here.kubeconfig.read_text())
    assert written["current-context"] == "aftershock-local"
    assert written["clusters"][0]["cluster"]["server"] == "https://10.89.0.1:6443"
    assert str(here.folder) not in here.kubeconfig.read_text()


def test_the_images_have_their_names_and_a_root_that_programs_can_run_in(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aftershock-node").write_bytes(b"a program")
    image.write_images(programs, tmp_path / "image.tar", image_files.IMAGES)
    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        names = {tag: json.load(archive.extractfile(entry["Config"]) or io.BytesIO()) for entry in manifest for tag in entry["RepoTags"]}
        with tarfile.open(fileobj=archive.extractfile("layer.tar")) as layer:
            files = {m.name: m for m in layer.getmembers()}
    assert set(names) == {"docker.io/aftershock/pause:1", *(f"docker.io/{one.name}" for one in image_files.IMAGES)}
    paths = {
        one.name: next(e for e in names[f"docker.io/{one.name}"]["config"]["Env"] if e.startswith("PATH=")) for one in image_files.IMAGES
    }
    assert all(f"{image_files.PROGRAMS}:" in path for path in paths.values())
    assert paths[image_files.SUITE.name].startswith("PATH=/opt/aftershock/.venv/bin:")
    assert paths[image_files.PLATFORM.name].startswith("PATH=/opt/aftershock/.venv-platform/bin:")
    assert "/opt/aftershock" not in paths[image_files.FAULT.name]
    assert files["bin"].linkname == "usr/bin"
    assert files["tmp"].mode == 0o1777
    assert files["pause"].mode == 0o755
    assert files["etc/passwd"].isfile()
