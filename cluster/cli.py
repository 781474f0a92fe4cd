"""The command line: python -m cluster [--name NAME] COMMAND."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from cluster import lifecycle, status
from cluster.config import DEFAULT_NAME, ClusterConfig, default_config, load_file
from cluster.durations import seconds
from cluster.errors import ClusterError
from cluster.host import requirements
from cluster.images import store
from cluster.machines import machine
from cluster.machines.control_plane import PARTS as CONTROL_PLANE_PARTS
from cluster.parts import PARTS
from cluster.power import client
from cluster.state import State, cluster_names

REFUSED = 2
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m cluster", description="The embedded Kubernetes: a real cluster on one Linux machine.")
    top.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the cluster; builds and installs what is missing")
    up.add_argument("--index", type=int, help="its place among this machine's clusters: address ranges and ports follow from it")
    up.add_argument("--nodes", type=int, metavar="COUNT", help="how many nodes (default: 6)")
    up.add_argument("--config", type=Path, metavar="FILE", help="a YAML file with other parameters")
    commands.add_parser("down", help="remove the cluster and all that it left anywhere")
    show = commands.add_parser("status", help="nodes, power, GPUs and until when something is out")
    show.add_argument("--json", action="store_true", help="for programs")
    build = commands.add_parser("build", help="install and build what is missing, start nothing")
    up.add_argument("--images", action="store_true", help="pods see images built from images/, not this machine's files; builds them first")
    for command in (up, build):
        command.add_argument("--with", dest="parts", action="append", default=[], choices=sorted(PARTS), help="a part that not all have")
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig")
    commands.add_parser("kubectl", help="kubectl as the cluster's administrator; all that follows is kubectl's", add_help=False)
    logs = commands.add_parser("logs", help="the logs of a node or a component")
    logs.add_argument("of", nargs="?", metavar="NODE|COMPONENT", help="without it: what there is")
    logs.add_argument("--tail", type=int, metavar="LINES", help="only the last lines of each file")
    _add_power(commands)
    return top


def _add_power(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    off = commands.add_parser("power-off", help="cut a node's power; it comes back by itself")
    on = commands.add_parser("power-on", help="switch a node on now")
    fail = commands.add_parser("gpu-fail", help="let a GPU fall off the bus; it comes back by itself")
    repair = commands.add_parser("gpu-repair", help="bring a GPU back now")
    stop = commands.add_parser("control-plane-stop", help="hold a part of the control plane down; it comes back by itself")
    start = commands.add_parser("control-plane-start", help="let a part of the control plane start again now")
    for command in (off, on, fail, repair):
        command.add_argument("node", metavar="NODE")
    for command in (stop, start):
        command.add_argument("part", choices=sorted(CONTROL_PLANE_PARTS))
    for command in (fail, repair):
        command.add_argument("gpu", type=int, metavar="INDEX")
    for command in (off, fail, stop):
        command.add_argument("--for", dest="duration", required=True, metavar="DURATION", help="for example 90s or 2m, an hour at most")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0, or 2 with a sentence on stderr."""
    own, kubectl = _split(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(own)
    try:
        return _run(options, kubectl)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("cluster: interrupted; the next `up` or `down` clears what is half done", file=sys.stderr)
        return INTERRUPTED


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what is ours and, after the word kubectl, what is kubectl's: argparse would claim its options."""
    if "kubectl" not in arguments:
        return arguments, []
    end = arguments.index("kubectl") + 1
    return arguments[:end], arguments[end:]


def _run(options: argparse.Namespace, kubectl: list[str]) -> int:
    state = State(options.name)
    match options.command:
        case "up":
            lifecycle.up(_config(options), say, exactly=_exactly(options))
        case "down":
            lifecycle.down(options.name, say)
        case "build":
            say(f"programs: {lifecycle.prepare(replace(default_config(options.name), parts=tuple(options.parts)), say)}")
        case "kubeconfig":
            state.load_config()
            print(state.kubeconfig)
        case "status":
            print(status.as_json(state) if options.json else status.as_text(state))
        case "kubectl":
            _kubectl(state, kubectl)
        case "logs":
            _logs(state, options.of, options.tail)
        case _:
            _power(state, options)
    return 0


def say(sentence: str) -> None:
    """Print a line of progress at once."""
    print(sentence, flush=True)


def _config(options: argparse.Namespace) -> ClusterConfig:
    index = options.index if options.index is not None else _free_index(options.name)
    config = default_config(options.name, index, options.nodes or 6)
    config = load_file(config, options.config) if options.config else config
    return replace(config, name=options.name, parts=(*config.parts, *options.parts), images=_images(options) or config.images)


def _images(options: argparse.Namespace) -> str:
    """Return the store of built images that the user asks for; empty: of none."""
    if not options.images:
        return ""
    requirements.check_machine()
    return str(store.prepared(say))


def _exactly(options: argparse.Namespace) -> bool:
    """Tell whether the user asks for a cluster of certain parameters, and not for any of that name."""
    return bool(options.config or options.nodes or options.parts or options.images or options.index is not None)


def _free_index(name: str) -> int:
    """Return the index that the cluster has, or the lowest that no other cluster has; 0 is kept for the default name."""
    taken = {}
    for other in cluster_names():
        if State(other).config_file.exists():
            taken[other] = State(other).load_config().index
    if name in taken:
        return taken[name]
    return next(i for i in range(0 if name == DEFAULT_NAME else 1, 100) if i not in taken.values())


def _kubectl(state: State, arguments: list[str]) -> None:
    state.load_config()
    program = state.programs / "kubectl"
    os.environ["KUBECONFIG"] = str(state.kubeconfig)
    os.environ["KUBECACHEDIR"] = str(state.folder / "kubectl-cache")
    sys.stdout.flush()
    os.execv(program, ["kubectl", *arguments])  # noqa: S606 - there is no shell to want here: kubectl takes this process's place


def _logs(state: State, of: str | None, tail: int | None) -> None:
    state.load_config()
    files = sorted((state.folder / "logs").glob("*/*.log"))
    chosen = [f for f in files if of in (f.parent.name, f.stem)]
    if not chosen:
        names = sorted({f.parent.name for f in files} | {f.stem for f in files})
        raise ClusterError(f"no logs of {of!r}; there are: {', '.join(names)}." if of else f"say whose: {', '.join(names)}.")
    for file in chosen:
        print(f"==> {file} <==")
        lines = file.read_text(errors="replace").splitlines()
        print("\n".join(lines[-tail:] if tail else lines))


def _power(state: State, options: argparse.Namespace) -> None:
    requirements.check_machine()
    machine.control_process(state)
    request: client.Request = {"do": options.command}
    if "part" in options:
        request["part"] = options.part
    if "node" in options:
        request["node"] = options.node
    if "gpu" in options:
        request["gpu"] = options.gpu
    if "duration" in options:
        request["for_s"] = seconds(options.duration)
    until = client.ask(state, request)
    subject = (options.part if "part" in options else options.node) + (f" GPU {options.gpu}" if "gpu" in options else "")
    say(f"{options.command} {subject}: done" + (f", ends by itself at {until}" if until else ""))
