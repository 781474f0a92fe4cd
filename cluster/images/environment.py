"""A Python environment for an image of any architecture, from a lock: what `python3 -m venv` and `pip install` would have made in it."""

import os
import shutil
import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images.debian import PYTHON
from cluster.machines.image_files import REPOSITORY

UV = REPOSITORY / ".cache" / "uv" / "bin" / "uv"
_PLATFORMS = {"amd64": "x86_64-manylinux_2_36", "arm64": "aarch64-manylinux_2_36"}  # the C library of Debian 12
_VERSION = ".".join(map(str, PYTHON))
_SCRIPTS = ("bin", ".lock")  # their first lines name this machine's interpreter; in pods `python -m` serves


def lock_of(environment: str) -> Path:
    """Return the lock of an environment, `.venv` or `.venv-NAME`."""
    return REPOSITORY / "locks" / f"{environment.removeprefix('.venv').removeprefix('-') or 'suite'}.txt"


def install(environment: str, folder: Path, architecture: str) -> None:
    """Make an environment in ``folder``, with the image's /usr/bin/python3. Raise ClusterError where uv is missing or fails."""
    site = folder / "lib" / f"python{_VERSION}" / "site-packages"
    site.mkdir(parents=True)
    argv = [str(UV), "pip", "install", "-q", "--require-hashes", "--no-deps", "--target", str(site), "-r", str(lock_of(environment))]
    argv += ["--python-version", _VERSION, "--python-platform", _PLATFORMS[architecture]]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "UV_LINK_MODE": "hardlink"})
    except FileNotFoundError as error:
        raise ClusterError(f"uv is missing at {UV}: run make setup.") from error
    if done.returncode:
        raise ClusterError(f"the packages of {lock_of(environment).name} could not be installed: {done.stderr.strip()[-800:]}")
    for name in _SCRIPTS:
        shutil.rmtree(site / name) if (site / name).is_dir() else (site / name).unlink(missing_ok=True)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {_VERSION}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to("/usr/bin/python3")
    (folder / "bin" / "python").symlink_to("python3")
