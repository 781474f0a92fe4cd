"""OCI image layouts and archives: layers, configuration, manifest and index; the same contents make the same bytes.

Source: the OCI Image Specification 1.1 (image-layout.md, manifest.md, config.md, layer.md).
"""

import gzip
import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from cluster.machines.image import TIME

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CREATED = "2023-11-14T22:13:20Z"  # TIME
_LEVEL = 1  # of gzip: a tenth larger than by default, in a third of the time
_STICKY = 0o1777


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer: the digest of its compressed file, that of the tar file in it, and both sizes in bytes."""

    digest: str
    diff_id: str
    packed_bytes: int
    unpacked_bytes: int  # of the files in it

    def as_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(asdict(self))


class _Hashing:
    """Passes on what is written, and knows its digest and size."""

    def __init__(self, to: IO[bytes] | gzip.GzipFile) -> None:
        self._to, self._hash, self.size = to, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._to.write(data)

    def flush(self) -> None:
        self._to.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def pack(root: Path, file: Path) -> Blob:
    """Write the layer that holds what is below ``root``: names sorted, one time, root's, no set-user-id bits."""
    with file.open("wb") as out:
        packed, total = _Hashing(out), 0
        with gzip.GzipFile("", "wb", _LEVEL, packed, mtime=0) as zipped:
            plain = _Hashing(zipped)
            with tarfile.open(fileobj=cast(IO[bytes], plain), mode="w|", format=tarfile.PAX_FORMAT, bufsize=2**20) as archive:
                total = sum(_add(archive, root, Path(name)) for name in _names(root))
    return Blob(packed.digest, plain.digest, packed.size, total)


def _names(root: Path) -> list[str]:
    """Return everything below ``root``, sorted; a folder comes before what it holds."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [str((Path(folder) / name).relative_to(root)) for name in (*folders, *files)]
    return sorted(found)


def _add(archive: tarfile.TarFile, root: Path, name: Path) -> int:
    path, info = root / name, tarfile.TarInfo(str(name))
    found = path.lstat()
    info.mtime, info.mode = TIME, 0o755 if stat.S_ISDIR(found.st_mode) or found.st_mode & 0o100 else 0o644
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
    elif stat.S_ISDIR(found.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, _STICKY if found.st_mode & stat.S_ISVTX else info.mode
    else:
        info.size = found.st_size
        with path.open("rb") as content:
            archive.addfile(info, content)
        return info.size
    archive.addfile(info)
    return 0


def lay_out(folder: Path, name: str, architecture: str, settings: dict[str, Any], layers: Sequence[tuple[Blob, Path]]) -> None:
    """Write an image as a layout in ``folder`` (empty): its blobs are links to the files of its layers.

    ``settings``: how containers start, as an image's configuration has it.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob, file in layers:
        if not (blobs / blob.digest.removeprefix("sha256:")).exists():
            os.link(file, blobs / blob.digest.removeprefix("sha256:"))
    config = {
        "created": _CREATED,
        "architecture": architecture,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob, _ in layers]},
    }
    described = _put(blobs, _CONFIG, config)
    of_layers = [{"mediaType": _LAYER, "digest": blob.digest, "size": blob.packed_bytes} for blob, _ in layers]
    manifest = _put(blobs, MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": of_layers})
    # containerd's name of it, and, as the specification has it, the tag
    names = {"io.containerd.image.name": f"docker.io/{name}", "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    manifest |= {"platform": {"architecture": architecture, "os": "linux"}, "annotations": names}
    _write(folder / "index.json", {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [manifest]})
    _write(folder / "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _put(blobs: Path, media_type: str, value: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(value, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    (blobs / digest).write_bytes(text)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(text)}


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, sort_keys=True))


def archive(layout: Path, to: IO[bytes]) -> None:
    """Write a layout as one tar file, which `docker load`, `skopeo copy oci-archive:…` and `ctr images import` read."""
    with tarfile.open(fileobj=to, mode="w|", format=tarfile.PAX_FORMAT, bufsize=2**20) as made:
        for name in _names(layout):
            _add(made, layout, Path(name))


def manifest_of(layout: Path) -> dict[str, Any]:
    """Return the entry of a layout's image in its index: ``digest``, ``size``, ``annotations``."""
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    return dict(manifest)


def config_digest(layout: Path) -> str:
    """Return the digest of the configuration of a layout's image, ``sha256:…``."""
    manifest = json.loads((layout / "blobs" / "sha256" / manifest_of(layout)["digest"].removeprefix("sha256:")).read_text())
    return str(manifest["config"]["digest"])
