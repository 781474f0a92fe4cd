"""What a node has of a store with built images (:mod:`cluster.images.store`): the layers' files, read-only, and databases of its own."""

from pathlib import Path

from cluster.machines.spec import Mount, Service, bind, one_shot

CONTAINERD = "/var/lib/containerd"  # of a node
ROOT, SEED = "root", "seed"  # of a store: what containerd made, and the databases that each node begins with
CONTENT = "io.containerd.content.v1.content/blobs/sha256"
_SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs"
DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", f"{_SNAPSHOTS}/metadata.db")
DISABLED = ("snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.devmapper", "snapshotter.v1.erofs", "internal.v1.tracing")
_SEEDED = "/opt/cluster/image-databases"  # of a node


def mounts(store: str) -> list[Mount]:
    """Return the mounts that give a node's containerd the images of a store (its folder; empty: none)."""
    if not store:
        return []
    root = Path(store) / ROOT
    shared = [*root.glob(f"{CONTENT}/*"), *root.glob(f"{_SNAPSHOTS}/snapshots/*/fs")]
    lasting = [bind(str(path), f"{CONTAINERD}/{path.relative_to(root)}") for path in sorted(shared)]
    return [bind(str(Path(store) / SEED), _SEEDED), *lasting]


def services(store: str) -> list[Service]:
    """Return what a node does before its containerd starts: at its first boot it takes the databases, then it has its own."""
    if not store:
        return []
    command = f"test -e {CONTAINERD}/{DATABASES[0]} || cp -a {_SEEDED}/. {CONTAINERD}/"
    return [one_shot("images", "sh", "-c", command)]
