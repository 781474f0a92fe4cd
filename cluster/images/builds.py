"""Built images, kept in the cache: each layer by the digest of what it is made from, each image as an OCI layout of links to its layers."""

import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.build import Say, cache_folder
from cluster.errors import ClusterError
from cluster.images import build_file, oci, root
from cluster.images.oci import Blob
from cluster.images.root import Layer
from cluster.machines.image_files import BUILT, FAULT, SUITE, Image

MOST_BYTES = {FAULT.name: 120_000_000, SUITE.name: 1_200_000_000}  # unpacked


@dataclass(frozen=True, slots=True)
class Built:
    """An image of one architecture: its layout (a folder), and its layers by name, lowest first."""

    image: Image
    architecture: str
    layout: Path
    layers: dict[str, Blob]

    @property
    def unpacked_bytes(self) -> int:
        """What its files take on a node."""
        return sum(blob.unpacked_bytes for blob in self.layers.values())

    @property
    def packed_bytes(self) -> int:
        """What a node pulls."""
        return sum(blob.packed_bytes for blob in self.layers.values())

    @property
    def too_large(self) -> bool:
        """Whether it is above its bound, if it has one."""
        return self.unpacked_bytes > MOST_BYTES.get(self.image.name, self.unpacked_bytes)

    @property
    def digest(self) -> str:
        """What a registry calls it, and a container's status where it was pulled."""
        return str(oci.manifest_of(self.layout)["digest"])

    @property
    def config_digest(self) -> str:
        """What a container's status calls it where it was imported."""
        return oci.config_digest(self.layout)


def images_named(names: list[str]) -> list[Image]:
    """Return the images of these short names, all if there is none. Raise ClusterError for a name that is none."""
    known = {build_file.short_name(image): image for image in BUILT}
    if unknown := [name for name in names if name not in known]:
        raise ClusterError(f"no image is called {', '.join(unknown)}; there are: {', '.join(known)}.")
    return [known[name] for name in names] or list(BUILT)


def folder() -> Path:
    """Return where images are kept."""
    return cache_folder() / "images"


def built(image: Image, architecture: str, say: Say) -> Built:
    """Return an image, building the layers that the cache lacks. Raise ClusterError where that fails."""
    layers = root.layers(image, architecture)
    made = {layer.name: _layer(layer, f"{build_file.short_name(image)}-{layer.name}-{architecture}", say) for layer in layers}
    layout = folder() / f"{build_file.short_name(image)}-{architecture}"
    unfinished = layout.with_name(f"{layout.name}.{os.getpid()}")
    try:
        oci.lay_out(unfinished, image.name, architecture, build_file.settings(image), list(made.values()))
        shutil.rmtree(layout, ignore_errors=True)
        unfinished.rename(layout)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Built(image, architecture, layout, {name: blob for name, (blob, _) in made.items()})


def _layer(layer: Layer, name: str, say: Say) -> tuple[Blob, Path]:
    kept = folder() / "layers" / f"{name}-{layer.digest}"
    described, packed = kept.with_name(kept.name + ".json"), kept.with_name(kept.name + ".tar.gz")
    if described.exists():
        return Blob(**json.loads(described.read_text())), packed
    say(f"making the layer {name} (cached afterwards in {kept.parent})")
    start = time.monotonic()
    kept.parent.mkdir(parents=True, exist_ok=True)
    # beside the layers: what is installed there may be links to a cache on the same disk
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=f"{name}.") as unfinished:
        files, file = Path(unfinished) / "root", Path(unfinished) / "layer"
        files.mkdir()
        layer.make(files, say)
        blob = oci.pack(files, file)
        file.replace(packed)
    described.write_text(blob.as_json())
    say(f"made {name} in {time.monotonic() - start:.0f} s: {blob.unpacked_bytes / 1e6:.0f} MB, packed {blob.packed_bytes / 1e6:.0f} MB")
    return blob, packed
