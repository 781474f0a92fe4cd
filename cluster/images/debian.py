"""Debian packages for an image of any architecture: fetched by apt, unpacked, never configured, so that no program of theirs runs.

Packages that only maintainer scripts need (perl, dpkg, adduser …) are told to apt as installed; what nobody calls is taken away again.
What is left is as small as "distroless" images, which are made so, too.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cluster.build import Say
from cluster.errors import ClusterError
from cluster.host.commands import run

RELEASE = "bookworm"
PYTHON = (3, 11)  # of that release
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")  # as this machine reaches Debian
_FOR_SCRIPTS = (
    *("adduser", "debconf", "dpkg", "init-system-helpers", "lsb-base", "openssl", "passwd", "perl", "perl-base"),
    *("sysvinit-utils", "tar", "ucf", "usr-is-merged"),
)
_PROVIDED = {"debconf": "debconf-2.0"}
_UNUSED = ("bash-completion", "info", "lintian", "locale", "man", "menu", "pixmaps", "applications", "gdb", "bug", "binfmts")
_UNUSED_FILES = (
    *(f"usr/share/{name}" for name in _UNUSED),
    "usr/lib/*/gconv",
    "usr/lib/python3*/lib2to3",
    "usr/lib/python3*/pydoc_data",
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/changelog*",
    "etc/init.d",
    "etc/cron.*",
    "etc/logrotate.d",
    "usr/lib/systemd",
)
_AUTHORITIES = "usr/share/ca-certificates/mozilla"
_LISTS_LIMIT_S, _PACKAGES_LIMIT_S = 600.0, 1200.0


def fetch(packages: Sequence[str], architecture: str, folder: Path, say: Say) -> list[Path]:
    """Fetch packages and what they need to run into ``folder``; return the files. Raise ClusterError where apt is missing or fails."""
    if shutil.which("apt-get") is None:
        raise ClusterError("images are made of Debian packages, and this machine has no apt-get: use the build files in images/.")
    settings = _settings(architecture, folder)
    say(f"fetching Debian packages ({architecture}): {' '.join(packages)}")
    run("apt-get", "-c", str(settings), "update", "-qq", timeout_s=_LISTS_LIMIT_S)
    run("apt-get", "-c", str(settings), "install", "-y", "-qq", "--download-only", *packages, timeout_s=_PACKAGES_LIMIT_S)
    return sorted((folder / "archives").glob("*.deb"))


def _settings(architecture: str, folder: Path) -> Path:
    """Write what apt must know to work for another system than this one: its places, its architecture, what it may take as installed."""
    sources = next((place for place in _SOURCES if Path(place).is_file()), None)
    if sources is None:
        raise ClusterError(f"this machine does not say where Debian is: expected {' or '.join(_SOURCES)}.")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").write_text("\n".join(_installed(name, architecture) for name in _FOR_SCRIPTS))
    values = {
        "APT::Architecture": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Debug::NoLocking": "true",
    }
    # hooks of this machine would work on its own packages
    cleared = ("APT::Architectures", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success", "DPkg::Post-Invoke")
    lines = [*(f"#clear {name};" for name in cleared), *(f'{name} "{value}";' for name, value in values.items())]
    (folder / "apt.conf").write_text("\n".join([*lines, f'APT::Architectures {{ "{architecture}"; }};', ""]))
    return folder / "apt.conf"


def _installed(name: str, architecture: str) -> str:
    fields = {"Package": name, "Status": "install ok installed", "Version": "999", "Architecture": architecture, "Multi-Arch": "foreign"}
    fields |= {"Provides": _PROVIDED[name]} if name in _PROVIDED else {}
    return "\n".join(f"{key}: {value}" for key, value in {**fields, "Maintainer": "nobody", "Description": "for scripts"}.items()) + "\n"


def unpack(archives: Sequence[Path], root: Path) -> None:
    """Unpack packages into ``root``, whose /bin, /lib and /sbin lead to /usr. Raise ClusterError: one can't be; another release."""
    records = root / "var/lib/dpkg/status.d"  # where scanners of images look for what has no dpkg
    records.mkdir(parents=True)
    for archive in archives:
        _unpack_one(archive, root)
        fields = run("dpkg-deb", "--field", str(archive))
        (records / archive.name.partition("_")[0]).write_text(fields)
    for pattern in _UNUSED_FILES:
        for found in sorted(root.glob(pattern)):
            shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink(missing_ok=True)
    _trust_authorities(root)
    if not (root / f"usr/bin/python{PYTHON[0]}.{PYTHON[1]}").exists():
        raise ClusterError(
            f"Debian's Python is not {PYTHON[0]}.{PYTHON[1]}: images are made of Debian {RELEASE}, and apt here leads to another."
        )


def _unpack_one(archive: Path, root: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as reader:
        tar = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
        done = subprocess.run(tar, stdin=reader.stdout, capture_output=True, text=True, check=False)
    if reader.returncode or done.returncode:
        raise ClusterError(f"{archive.name} could not be unpacked: {done.stderr.strip()[-300:] or 'dpkg-deb failed'}")


def _trust_authorities(root: Path) -> None:
    """Write the bundle that ca-certificates' script would have written."""
    certificates = sorted((root / _AUTHORITIES).glob("*.crt"))
    if certificates:
        (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        (root / "etc/ssl/certs/ca-certificates.crt").write_text("".join(one.read_text() for one in certificates))
