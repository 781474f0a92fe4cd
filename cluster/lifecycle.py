"""A cluster's life: up and down."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import balancer, leftovers, parts, pki
from cluster.api import Api, apply
from cluster.config import ClusterConfig
from cluster.errors import ClusterError
from cluster.host import cgroups, kernel_settings, packages, requirements
from cluster.host.lock import lock
from cluster.host.wait import until_clear
from cluster.machines import control_plane, image, image_files, machine, network, power_switch
from cluster.power import outages
from cluster.state import State, write_atomic

Say = Callable[[str], None]

_MANIFESTS = Path(__file__).parent / "manifests"
_API_TIMEOUT_S = 90.0
_NODES_TIMEOUT_S = 120.0
_PARTS_TIMEOUT_S = 300.0  # a kubelet shows a pod the certificates that its controller wrote within a minute or two


def prepare(config: ClusterConfig, say: Say) -> Path:
    """Install and build what the machine lacks; return the folder of the cluster's programs."""
    requirements.check_machine()
    packages.ensure(say, [*packages.PACKAGES, *parts.packages_of(config)])
    return parts.binaries(config, say)


def up(config: ClusterConfig, say: Say, *, exactly: bool) -> None:
    """Start the cluster, or what of it is missing; with `exactly`, refuse if it is up with other parameters."""
    requirements.check_machine()
    with lock(say):
        state = State(config.name)
        if machine.process_of(state, machine.CONTROL):
            running = state.load_config()
            if exactly and running != config:
                raise ClusterError(
                    f"cluster {config.name} is up with other parameters: `python -m cluster --name {config.name} down` first."
                )
            _start_missing(running, state, say)
            return
        programs = prepare(config, say)
        if found := leftovers.clear(config.name, say):
            say("cleared what a killed run left: " + "; ".join(found.sentences()))
        _start(config, state, programs, say)


def _start(config: ClusterConfig, state: State, programs: Path, say: Say) -> None:
    requirements.check_room(config)
    start = time.monotonic()
    steps: list[str] = []

    def done(step: str) -> None:
        steps.append(f"{step} {time.monotonic() - start:.1f} s")

    kernel_settings.prepare()
    _lay_out(config, state, programs)
    done("keys, image, disks")
    _boot_control(config, state, programs)
    done("API")
    with ThreadPoolExecutor(1) as pool:
        addons = pool.submit(apply, programs, state, _manifests(config, programs))
        _boot_nodes(config, state)
        start_host_services(config, state)
        addons.result()
    _await_nodes(config, state)
    done("nodes Ready")
    _await_addons(config, state)
    done("GPUs and DNS")
    if config.parts:
        _await_parts(config, state)
        done(", ".join(config.parts))
    gpus = sum(n.gpus for n in config.nodes)
    say(f"cluster {config.name} is up: {len(config.nodes)} Ready nodes, {gpus} GPUs, {config.server} ({', '.join(steps)})")
    say(f"kubeconfig: {state.kubeconfig}")


def _lay_out(config: ClusterConfig, state: State, programs: Path) -> None:
    state.folder.mkdir(parents=True)
    (state.folder / "programs").symlink_to(programs)
    (state.folder / "etcd").mkdir(mode=0o700)
    state.save_config(config)
    cgroups.create(f"{cgroups.name_of(config.name)}/nodes")
    cgroups.cap_nodes(config.name, config.reserved_cpus)
    without_files = image_files.without_files(config.images)
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(machine.make_disk, state.disk(n.name), config.disk_bytes) for n in config.nodes]
        tasks.append(pool.submit(image.write_images, programs, state.folder / "image.tar", without_files))
        tasks.append(pool.submit(pki.create, config, state))
        spec = image.base_runtime_spec(programs)
        for task in tasks:
            task.result()
    write_atomic(state.folder / "base-spec.json", spec)
    write_atomic(state.folder / "images.json", image.files_of_images(without_files))


def _boot_control(config: ClusterConfig, state: State, programs: Path) -> None:
    spec = control_plane.render(config, state, image_files.node_shares(programs, state.files))
    control = machine.boot(state, machine.CONTROL, programs, spec)
    network.plug_control(config, control.pid)
    api = Api(config, state)
    sentence = f"the API at {config.server} is not ready after {_API_TIMEOUT_S:g} s: see {state.logs('control')}."
    until_clear(lambda: not api.ready(), lambda _: sentence, _API_TIMEOUT_S)


def _boot_nodes(config: ClusterConfig, state: State) -> None:
    known = outages.load(state)
    wanted = [n.name for n in config.nodes if n.name not in known.nodes_off()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: power_switch.power_on(config, state, name, known.failed_gpus(name)), wanted))


def _manifests(config: ClusterConfig, programs: Path) -> str:
    texts = [*(p.read_text() for p in sorted(_MANIFESTS.glob("*.yaml"))), *parts.manifests(config, programs)]
    return "\n---\n".join(texts).replace("DNS_ADDRESS", config.dns_address)


def start_host_services(config: ClusterConfig, state: State) -> None:
    """Start the load balancer and the power controller under a supervisor that keeps them running."""
    if machine.process_of(state, machine.HOST):
        return
    cgroups.kill(machine.group_of(config.name, machine.HOST))  # what a killed supervisor left running holds the ports
    logs, folder = state.logs(machine.HOST), state.machine(machine.HOST)
    logs.mkdir(parents=True, exist_ok=True)
    haproxy = folder / "haproxy.cfg"
    write_atomic(haproxy, balancer.render(config, str(state.folder / "balancer.sock")))
    services = {
        "balancer": ["haproxy", "-db", "-f", str(haproxy)],
        "power": [sys.executable, "-m", "cluster.power.controller", config.name],
    }
    spec = {
        "cgroup_procs": cgroups.create(machine.group_of(config.name, machine.HOST)),
        "services": [{"name": n, "argv": a, "log": str(logs / f"{n}.log"), "restart_after_s": 1} for n, a in services.items()],
    }
    write_atomic(folder / "spec.json", json.dumps(spec, indent=1))
    with (logs / "init.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [str(state.programs / "aftershock-node"), "run", str(folder / "spec.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(image_files.REPOSITORY)},
        )
    machine.record(state, machine.HOST, supervisor.pid)


def _await_nodes(config: ClusterConfig, state: State) -> None:
    expected = {n.name for n in config.nodes} - outages.load(state).nodes_off()
    api = Api(config, state)
    _await(lambda: expected - {n.name for n in api.nodes().values() if n.ready}, "nodes that are not Ready", state)


def _await_addons(config: ClusterConfig, state: State) -> None:
    api, known = Api(config, state), outages.load(state)
    expected = {n.name: n.gpus - len(known.failed_gpus(n.name)) for n in config.nodes if n.name not in known.nodes_off()}

    def lacking() -> set[str]:
        offered = dict.fromkeys(expected, 0) | {n.name: n.gpus for n in api.nodes().values()}
        gpus = {f"{name} offers {offered[name]} of {count} GPUs" for name, count in expected.items() if offered[name] != count}
        return gpus | (set() if api.available("kube-system", "coredns") else {"CoreDNS is not available"})

    _await(lacking, "lacking", state)


def _await_parts(config: ClusterConfig, state: State) -> None:
    api, expected = Api(config, state), {(part.namespace, part.deployment) for part in parts.parts_of(config)}
    _await(lambda: {"/".join(one) for one in expected if not api.available(*one)}, "parts that do not work", state, _PARTS_TIMEOUT_S)


def _await(lacking: Callable[[], set[str]], what: str, state: State, timeout_s: float = _NODES_TIMEOUT_S) -> None:
    def sentence(missing: set[str]) -> str:
        return f"after {timeout_s:g} s, {what}: {', '.join(sorted(missing))}; see the logs in {state.folder / 'logs'}."

    until_clear(lacking, sentence, timeout_s)


def _start_missing(config: ClusterConfig, state: State, say: Say) -> None:
    """Start what does not run and is not meant to be off."""
    start = time.monotonic()
    _boot_nodes(config, state)
    start_host_services(config, state)
    apply(state.programs, state, _manifests(config, state.programs))
    _await_nodes(config, state)
    _await_addons(config, state)
    _await_parts(config, state)
    off = outages.load(state).nodes_off()
    say(
        f"cluster {config.name} is up already ({time.monotonic() - start:.1f} s){'; off for now: ' + ', '.join(sorted(off)) if off else ''}"
    )


def down(name: str, say: Say) -> None:
    """Remove the cluster and everything that it left anywhere."""
    requirements.check_machine()
    with lock(say):
        start = time.monotonic()
        found = leftovers.clear(name, say)
        if not found:
            say(f"no cluster {name} is here: nothing to do")
            return
        if left := leftovers.find(name):
            raise ClusterError(f"cluster {name} is down, but this is left: {'; '.join(left.sentences())}.")
        say(f"cluster {name} is down, nothing of it is left ({time.monotonic() - start:.1f} s)")
