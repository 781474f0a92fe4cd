"""An image's lowest layer: folders, Debian's packages, and programs of the project's Go modules."""

import shutil
import tempfile
from pathlib import Path

from cluster import build
from cluster.build import Say
from cluster.images import debian
from cluster.images.compiled import compile_all
from cluster.machines.image import ETC, FOLDERS, LINKS, architecture
from cluster.machines.image_files import Image

_PROGRAMS = "usr/local/bin"  # of the image


def made_from(image: Image) -> list[str]:
    """Return what the layer depends on, besides what Debian has."""
    _, go = build.go_version()
    digests = {one.name: build.module_digest(one, go) for one in build.MODULES}
    modules = [digests[program.partition("/")[0]] for program in image.programs]
    return [*image.packages, *image.programs, *modules, str(ETC), str(FOLDERS), str(LINKS)]


def make(image: Image, wanted: str, root: Path, say: Say) -> None:
    """Make the layer in ``root`` for an architecture. Raise ClusterError where that fails."""
    _folders(root)
    with tempfile.TemporaryDirectory(prefix="aftershock-apt-") as fetched:
        debian.unpack(debian.fetch(image.packages, wanted, Path(fetched), say), root)
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)
    (root / _PROGRAMS).mkdir(parents=True, exist_ok=True)
    for program in image.programs:
        shutil.copy(build.program(program, say, "" if wanted == architecture() else wanted), root / _PROGRAMS)
    compile_all(root, root / f"usr/lib/python{debian.PYTHON[0]}.{debian.PYTHON[1]}")


def _folders(root: Path) -> None:
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    for name, to in LINKS.items():
        (root / to).mkdir(parents=True, exist_ok=True)
        (root / name.lstrip("/")).symlink_to(to)
