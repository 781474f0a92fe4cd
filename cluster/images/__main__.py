"""``python -m cluster.images``: build the images of images/ without a container builder; for their build files, root file systems."""

import argparse
import sys
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images import builds, oci, root
from cluster.images.builds import Built
from cluster.machines.image import architecture

REFUSED, TOO_LARGE = 2, 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="python -m cluster.images", description=(__doc__ or "").splitlines()[0])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build images as OCI layouts in the cache; print their sizes beside their bounds")
    build.add_argument("names", nargs="*", metavar="IMAGE", help="fault, suite, platform (default: all)")
    archive = commands.add_parser("archive", help="build an image and write it as an OCI archive, for skopeo, ctr, podman, docker")
    archive.add_argument("name", metavar="IMAGE")
    archive.add_argument("--to", type=Path, required=True, metavar="FILE")
    files = commands.add_parser("root", help="make the files of an image in FOLDER/LAYER: what the build files in images/ call")
    files.add_argument("name", metavar="IMAGE")
    files.add_argument("folder", type=Path, metavar="FOLDER")
    for command in (build, archive, files):
        command.add_argument("--arch", default=architecture(), choices=root.ARCHITECTURES, help="default: this machine's, %(default)s")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 if an image is larger than its bound, 2 with a sentence on stderr."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except ClusterError as error:
        print(f"images: {error}", file=sys.stderr)
        return REFUSED


def _run(options: argparse.Namespace) -> int:
    if options.command == "build":
        made = [builds.built(image, options.arch, say) for image in builds.images_named(options.names)]
        print("\n".join(size_of(one) for one in made))
        return TOO_LARGE if any(one.too_large for one in made) else 0
    [image] = builds.images_named([options.name])
    if options.command == "archive":
        with options.to.open("wb") as file:
            oci.archive(builds.built(image, options.arch, say).layout, file)
        return 0
    for layer in root.layers(image, options.arch):
        (options.folder / layer.name).mkdir(parents=True)
        layer.make(options.folder / layer.name, say)
    return 0


def size_of(one: Built) -> str:
    """Return an image's size beside its bound, as a line."""
    bound = builds.MOST_BYTES.get(one.image.name)
    allowed = f"at most {bound / 1e6:.0f} MB" if bound else "no bound"
    layers = ", ".join(f"{name} {blob.unpacked_bytes / 1e6:.0f}" for name, blob in one.layers.items())
    unpacked = f"{one.unpacked_bytes / 1e6:.0f} MB ({layers}), {allowed}{' TOO LARGE' if one.too_large else ''}"
    return f"{one.image.name} {one.architecture}: {unpacked}; pulled: {one.packed_bytes / 1e6:.0f} MB"


def say(sentence: str) -> None:
    """Print a line of progress at once."""
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
