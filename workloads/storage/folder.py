"""A folder as a store: write beside, fsync, rename, fsync the folder."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workloads.storage.errors import ObjectMissing, StoreRefused, StoreUnavailable

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_UNFINISHED = ".unfinished"


class FolderStore:
    """Objects as files below ``root``, which must exist: a mount that is missing must not turn into files on the container's own disk."""

    def __init__(self, root: str, *, fsync: bool = True, before_rename: Callable[[str], None] | None = None) -> None:
        self.url = f"file://{root}"
        self._root = Path(root)
        self._fsync = fsync
        self._before_rename = before_rename

    def preflight(self) -> None:
        """Demand that the folder exists and a file can be written into it."""
        if not self._root.is_dir():
            raise StoreRefused(
                f"volume {self._root}: there is no such folder; mount the volume, or create the folder if it is meant to be new"
            )
        probe = self._root / f".write-probe-{os.getpid()}"
        with self._explained("write into"):
            probe.write_bytes(b"")
            probe.unlink()

    def put(self, key: str, data: bytes) -> None:
        """Write so that it is durable and whole when this returns: file and folder are synced, the name appears by a rename."""
        path = self._path(key)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}{_UNFINISHED}")
        with self._explained(f"store {key} in"):
            self._make_folder(path.parent)
            self._write(unfinished, data)
            if self._before_rename:
                self._before_rename(key)
            unfinished.replace(path)
            self._sync_folder(path.parent)

    def create(self, key: str, data: bytes) -> bool:
        """Publish by a hard link: it fails where the name exists, and appears with the whole content."""
        path = self._path(key)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}{_UNFINISHED}")
        with self._explained(f"store {key} in"):
            self._make_folder(path.parent)
            self._write(unfinished, data)
            try:
                path.hardlink_to(unfinished)
            except FileExistsError:
                return False
            finally:
                unfinished.unlink()
            self._sync_folder(path.parent)
            return True

    def get(self, key: str) -> bytes:
        """Return the file's content."""
        with self._explained(f"read {key} from"):
            return self._path(key).read_bytes()

    def listing(self, prefix: str = "") -> list[str]:
        """List files below the folder; those that are still being written do not count."""
        start = self._root / prefix.rpartition("/")[0]
        keys = (path.relative_to(self._root).as_posix() for path in self._files(start))
        return sorted(key for key in keys if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Remove the file, and its folder if that is empty then."""
        path = self._path(key)
        with self._explained(f"delete {key} from"):
            path.unlink(missing_ok=True)
            if path.parent != self._root and path.parent.is_dir():
                self._remove_if_empty(path.parent)

    def _remove_if_empty(self, folder: Path) -> None:
        """Remove a folder in which nothing is left but what writers that were killed did not finish."""
        left = list(folder.iterdir())
        if all(path.name.endswith(_UNFINISHED) for path in left):
            for path in left:
                path.unlink(missing_ok=True)
            with suppress(OSError):  # somebody has just begun to write there
                folder.rmdir()

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise StoreRefused(f"volume {self._root}: key {key!r} leads out of it")
        return self._root / key

    def _make_folder(self, folder: Path) -> None:
        if folder == self._root or folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._sync_folder(folder.parent)

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if self._fsync:
                os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)  # on a full disk the half of it would keep what is left
            raise
        finally:
            os.close(descriptor)

    def _sync_folder(self, folder: Path) -> None:
        if not self._fsync:
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _files(self, folder: Path) -> Iterator[Path]:
        with self._explained("list"):
            if not self._root.is_dir():
                raise StoreUnavailable(f"volume {self._root}: the folder is gone; mount the volume again")
            found = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in found:
            if path.is_dir() and not path.is_symlink():
                yield from self._files(path)
            elif not path.name.endswith(_UNFINISHED):
                yield path

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissing(f"volume {self._root}: cannot {what} it: {error.strerror} ({error.filename})") from error
        except OSError as error:
            sentence = f"volume {self._root}: cannot {what} it: {error.strerror} ({errno.errorcode.get(error.errno or 0, error.errno)})"
            if error.errno in _NOT_ALLOWED:
                raise StoreRefused(f"{sentence}; make it writable for user {os.getuid()}") from error
            raise StoreUnavailable(sentence) from error
