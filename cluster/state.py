"""Where a cluster keeps what it knows: one folder a cluster below /var/lib/aftershock."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.config import ClusterConfig, from_json, to_json
from cluster.errors import ClusterError

BASE = Path("/var/lib/aftershock")


@dataclass(frozen=True, slots=True)
class State:
    """The folders and files of one cluster."""

    name: str

    @property
    def folder(self) -> Path:
        """All of it."""
        return BASE / self.name

    @property
    def config_file(self) -> Path:
        """The parameters that the cluster was started with."""
        return self.folder / "config.json"

    @property
    def pki(self) -> Path:
        """Keys and certificates; the host's root alone reads them."""
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """How to reach the cluster as its administrator."""
        return self.folder / "kubeconfig"

    @property
    def programs(self) -> Path:
        """The folder of the programs that the cluster was started with."""
        return (self.folder / "programs").readlink()

    @property
    def files(self) -> Path:
        """Copies of the host's files that nodes see."""
        return self.folder / "files"

    @property
    def socket(self) -> Path:
        """Where the power controller listens."""
        return self.folder / "power.sock"

    @property
    def power_file(self) -> Path:
        """What the power controller must not forget."""
        return self.folder / "power.json"

    def machine(self, name: str) -> Path:
        """Return the folder of one machine (a node, `control` or `host`)."""
        return self.folder / "machines" / name

    def disk(self, node: str) -> Path:
        """Return the image of a node's disk."""
        return self.machine(node) / "disk.xfs"

    def logs(self, machine: str) -> Path:
        """Return the folder of one machine's logs, which outlive the machine's disk."""
        return self.folder / "logs" / machine

    def save_config(self, config: ClusterConfig) -> None:
        """Write the parameters down."""
        write_atomic(self.config_file, to_json(config))

    def load_config(self) -> ClusterConfig:
        """Return the parameters of the running cluster; raise ClusterError if there is none of that name."""
        try:
            return from_json(self.config_file.read_text())
        except PermissionError as error:
            raise ClusterError(f"{self.config_file} is for root: run the command as root, or with sudo.") from error
        except FileNotFoundError as error:
            raise ClusterError(
                f"no cluster {self.name!r} is up on this machine: start it with `python -m cluster --name {self.name} up`."
            ) from error


def boot_id() -> str:
    """Return the id of the machine's boot: records of processes and of the monotonic clock are good for one boot only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def write_atomic(path: Path, text: str) -> None:
    """Replace the file's content so that a reader, also after a crash, sees either the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file, or an empty one if there is no such file."""
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return value


def cluster_names() -> list[str]:
    """Return the names of all clusters that have state on this machine."""
    return sorted(p.name for p in BASE.iterdir() if p.is_dir()) if BASE.is_dir() else []
