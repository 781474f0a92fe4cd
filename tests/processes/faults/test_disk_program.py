"""The program behind full, failing and slow disks: what it breaks, and that everything else is as on the disk below."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster import build
from faults.node_agent import fuse
from probes import disks
from testing.training.sick_disk import SickDisk, sick
from workloads.storage.s3 import S3Store
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="only root may mount, and FUSE is needed")
USER = 65532


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.mkdir()
    (path / "old").write_bytes(b"12345678")
    return path


@pytest.fixture
def well(folder: Path) -> Iterator[SickDisk]:
    """Return a disk behind the program that was healed: what is left is the way through."""
    with sick(folder, "full") as disk:
        disk.heal()
        _until_written(disk.folder / "first")
        yield disk


def _until_written(path: Path) -> None:
    """Write, as soon as the program has heard that it is to do no more harm."""
    for _ in range(1000):
        try:
            path.write_bytes(b"")
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("it goes on doing harm although it was told to stop")


def fails_with(expected: int, act: Callable[[], object]) -> None:
    with pytest.raises(OSError) as failed:  # noqa: PT011  the number is what is looked at
        act()
    assert failed.value.errno == expected


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def test_a_file_is_replaced_atomically_and_durably(well: SickDisk) -> None:
    new = well.folder / "old.new"
    new.write_bytes(b"abc" * 1_000_000)
    sync(new)
    new.replace(well.folder / "old")
    sync(well.folder)
    assert (well.below / "old").read_bytes() == (well.folder / "old").read_bytes() == b"abc" * 1_000_000
    assert not (well.below / "old.new").exists()


def test_folders_links_modes_times_and_names_are_those_below(well: SickDisk) -> None:
    inner = well.folder / "a" / "b"
    inner.mkdir(parents=True)
    inner.chmod(0o750)
    (inner / "hard").hardlink_to(well.folder / "old")
    (inner / "soft").symlink_to("../../old")
    os.utime(well.folder / "old", ns=(1_000, 2_000))
    os.truncate(well.folder / "old", 3)
    below = well.below / "a" / "b"
    assert below.stat().st_mode & 0o777 == 0o750
    assert (below / "hard").read_bytes() == (inner / "soft").read_bytes() == b"123"
    assert (below / "hard").stat().st_ino == (inner / "hard").stat().st_ino == (well.folder / "old").stat().st_ino
    (inner / "hard").unlink()
    (inner / "soft").unlink()
    inner.rmdir()
    assert (
        sorted(path.name for path in well.below.iterdir()) == sorted(path.name for path in well.folder.iterdir()) == ["a", "first", "old"]
    )


def test_what_others_change_below_is_seen_at_once(well: SickDisk) -> None:
    assert (well.folder / "old").stat().st_size == 8
    (well.below / "old").write_bytes(b"longer than before")
    (well.below / "other").write_bytes(b"new")
    assert (well.folder / "old").stat().st_size == 18
    assert (well.folder / "other").read_bytes() == b"new"


def test_appending_meets_the_end_of_the_file_though_others_append_past_it(well: SickDisk) -> None:
    with (well.folder / "log").open("ab", buffering=0) as through, (well.below / "log").open("ab", buffering=0) as past:
        for number in range(5):
            through.write(f"through {number}\n".encode())
            past.write(f"past {number}\n".encode())
    lines = (well.below / "log").read_text().splitlines()
    assert lines == [f"{way} {number}" for number in range(5) for way in ("through", "past")]


def test_locks_are_those_of_the_file_below(well: SickDisk) -> None:
    with (well.folder / "old").open("rb") as through, (well.below / "old").open("rb") as past:
        fcntl.flock(past, fcntl.LOCK_EX)
        fails_with(errno.EAGAIN, lambda: fcntl.flock(through, fcntl.LOCK_EX | fcntl.LOCK_NB))
        fcntl.flock(past, fcntl.LOCK_UN)
        fcntl.flock(through, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fails_with(errno.EAGAIN, lambda: fcntl.flock(past, fcntl.LOCK_EX | fcntl.LOCK_NB))


def test_a_deleted_file_can_still_be_read_by_who_has_it_open(well: SickDisk) -> None:
    with (well.folder / "old").open("rb") as file:
        (well.folder / "old").unlink()
        assert os.fstat(file.fileno()).st_size == 8
        assert file.read() == b"12345678"


def test_files_belong_to_whoever_makes_them_and_permissions_hold(well: SickDisk) -> None:
    well.folder.chmod(0o777)
    (well.folder / "old").chmod(0o600)
    child = os.fork()
    if not child:
        os._exit(_as_user(well.folder))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (well.below / "mine").stat().st_uid == USER


def _as_user(folder: Path) -> int:
    """Be another user: return 0 if the own file can be made and the other's cannot be read."""
    for path in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
        path.chmod(0o755)  # pytest's folders are the owner's alone
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    (folder / "mine").write_bytes(b"1")
    try:
        (folder / "old").read_bytes()
    except PermissionError:
        return 0
    return 1


def test_what_is_open_when_it_is_unmounted_reaches_the_disk(folder: Path) -> None:
    with ExitStack() as later:
        with sick(folder, "full") as disk:
            server = disk.server
            later.callback(lambda: server.wait(30))  # once the file is closed
            file = later.enter_context((disk.folder / "old").open("r+b", buffering=0))
            disk.heal()
            _until_written(disk.folder / "first")
            disk.leave_open = True
        assert server.poll() is None
        file.seek(0, os.SEEK_END)
        file.write(b"9")
        os.fsync(file.fileno())
        assert (folder / "old").read_bytes() == b"123456789"
    assert server.returncode == 0


def test_a_full_disk_takes_nothing_new_and_gives_back_what_it_has(folder: Path) -> None:
    with sick(folder, "full") as disk:
        fails_with(errno.ENOSPC, lambda: (disk.folder / "new").write_bytes(b"1"))
        fails_with(errno.ENOSPC, (disk.folder / "new").mkdir)
        fails_with(errno.ENOSPC, lambda: (disk.folder / "new").symlink_to("old"))
        fails_with(errno.ENOSPC, lambda: (disk.folder / "new").hardlink_to(disk.folder / "old"))
        with (disk.folder / "old").open("r+b", buffering=0) as file:
            file.write(b"ABCD")  # over blocks that it has
            file.seek(0, os.SEEK_END)
            fails_with(errno.ENOSPC, lambda: file.write(b"E"))
            fails_with(errno.ENOSPC, lambda: os.posix_fallocate(file.fileno(), 0, 1 << 20))
            os.fsync(file.fileno())
        assert (disk.below / "old").read_bytes() == b"ABCD5678"
        space = os.statvfs(disk.folder)
        assert (space.f_bavail, space.f_favail) == (0, 0)
        assert space.f_blocks == os.statvfs(disk.below).f_blocks
        (disk.folder / "old").rename(disk.folder / "older")
        (disk.folder / "older").unlink()
        fails_with(errno.ENOSPC, lambda: (disk.folder / "new").write_bytes(b"1"))


def test_a_hole_of_a_file_on_a_full_disk_cannot_be_filled(folder: Path) -> None:
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 20)
    with sick(folder, "full") as disk, (disk.folder / "sparse").open("r+b", buffering=0) as file:
        fails_with(errno.ENOSPC, lambda: file.write(b"1"))


def test_a_disk_that_always_fails_reads_writes_and_syncs_nothing(folder: Path) -> None:
    with sick(folder, "fail", "-percent", "100", "-seed", "7") as disk:
        fails_with(errno.EIO, (disk.folder / "old").read_bytes)
        fails_with(errno.EIO, lambda: sync(disk.folder))
        with (disk.folder / "old").open("r+b", buffering=0) as file:
            fails_with(errno.EIO, lambda: file.write(b"A"))
            fails_with(errno.EIO, lambda: os.fsync(file.fileno()))
        assert (disk.below / "old").read_bytes() == b"12345678"  # what failed has not reached the disk
        assert (disk.folder / "old").stat().st_size == 8


def test_the_share_that_fails_is_the_one_asked_for_and_the_same_for_a_seed(folder: Path) -> None:
    patterns = []
    for _ in range(2):
        with sick(folder, "fail", "-percent", "30", "-seed", "7") as disk, (disk.folder / "old").open("r+b", buffering=0) as file:
            patterns.append([_ends_in_eio(file.fileno()) for _ in range(300)])
    assert patterns[0] == patterns[1]
    assert 60 <= sum(patterns[0]) <= 120  # of 300, 90 expected: four standard deviations


def _ends_in_eio(descriptor: int) -> bool:
    try:
        os.pwrite(descriptor, b"1", 0)
    except OSError as error:
        return error.errno == errno.EIO
    return False


def test_a_slow_disk_needs_so_long_for_a_read_a_write_and_a_sync_each(folder: Path) -> None:
    with sick(folder, "slow", "-delay", "150ms") as disk:
        begun = time.monotonic()
        assert (disk.folder / "old").read_bytes() == b"12345678"
        read = time.monotonic()
        (disk.folder / "new").write_bytes(b"1")
        written = time.monotonic()
        sync(disk.folder)
        assert min(read - begun, written - read, time.monotonic() - written) >= 0.15


def test_what_waits_goes_on_at_once_when_it_is_healed(folder: Path) -> None:
    with sick(folder, "slow", "-delay", "1h") as disk:
        child = os.fork()
        if not child:
            (disk.folder / "old").read_bytes()
            os._exit(0)
        disk.heal()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_folder_whose_program_is_gone_is_no_full_disk_to_the_probe(folder: Path) -> None:
    with sick(folder, "full") as disk:
        disk.server.kill()
        disk.server.wait(30)
        disk.leave_open = True
        tried = subprocess.run(
            ["sh", "-c", disks.TRY, "sh", str(folder), "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
    assert "Transport endpoint is not connected" in tried.stdout
    assert [one.seconds < 5 and disks.ENOSPC not in one.said for one in disks.parse(tried.stdout)] == [True, True]


@pytest.mark.parametrize("words", [[], ["broken"], ["fail", "-percent", "many"]])
def test_words_that_it_does_not_know_are_said(words: list[str]) -> None:
    done = subprocess.run([build.program(fuse.PROGRAM, print), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "aftershock-disk: " in done.stderr


def test_a_file_without_a_name_is_not_offered_so_that_programs_take_their_other_way(well: SickDisk) -> None:
    fails_with(errno.EOPNOTSUPP, lambda: os.open(well.folder, os.O_RDWR | os.O_TMPFILE))


def test_a_real_object_store_works_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with S3Server(tmp_path / "s3") as server:
        store = S3Store("training", "run", server.endpoint)
        store.make_bucket()
        with sick(server.objects / "training", "slow", "-delay", "1ms"):
            for data in (b"first", b"second" * 100_000):
                store.put("a/b", data)
                assert store.get("a/b") == data
            assert store.create("only", b"1")
            assert not store.create("only", b"2")
            assert store.listing() == ["a/b", "only"]
            store.delete("a/b")
            assert store.listing() == ["only"]
        assert store.get("only") == b"1"
