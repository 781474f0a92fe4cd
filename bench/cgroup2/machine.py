"""The virtual machine: QEMU with Debian's kernel and this machine's own root by 9p, read-only; one folder of it can be written to.

It depends on no hardware: KVM is taken where a kernel boots under it, else QEMU emulates the processor (TCG). That KVM is there says
nothing: under some hypervisors it starts a machine that never gets anywhere.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

QEMU = "qemu-system-x86_64"
KVM, EMULATED = "kvm", "tcg"
BOOTED = "aftershock: booted"
BOOT_S = 20.0  # with KVM it takes a second or two
PROBE_MIB = 256
OVERLAY = "16g"  # sparse: the cluster wants 10 GB of free disk, and takes what it writes


@dataclass(frozen=True, slots=True)
class Machine:
    """What is booted. ``out``: the folder that it may write to, with ``job.sh``, which it runs; ``memory_mib``: at most so much."""

    kernel: Path
    initramfs: Path
    out: Path
    memory_mib: int
    cpus: int
    accelerators: tuple[str, ...] = (EMULATED,)


def command(machine: Machine, *words: str) -> list[str]:
    """Return QEMU's command line; ``words``: what the kernel is told besides."""
    accelerators = [part for name in machine.accelerators for part in ("-accel", name)]
    shares = [*_share("machine", "/", "readonly=on,multidevs=remap"), *_share("out", str(machine.out), "multidevs=remap")]
    return [
        *(QEMU, "-machine", "q35", *accelerators, "-cpu", "max", "-smp", str(machine.cpus), "-m", str(machine.memory_mib)),
        *("-nographic", "-no-reboot", "-nic", "none", "-kernel", str(machine.kernel), "-initrd", str(machine.initramfs)),
        *("-append", " ".join(("console=ttyS0", "quiet", "panic=-1", f"size={OVERLAY}", *words)), *shares),
    ]


def _share(name: str, path: str, options: str) -> tuple[str, ...]:
    return (
        "-fsdev",
        f"local,id={name},path={path},security_model=none,{options}",
        "-device",
        f"virtio-9p-pci,fsdev={name},mount_tag={name}",
    )


def boots(machine: Machine, limit_s: float = BOOT_S) -> bool:
    """Tell whether the kernel comes to its first process within so long (s)."""
    words = command(machine, "probe=1")
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return False
    return BOOTED.encode() in done.stdout


def accelerators_of(machine: Machine) -> tuple[str, ...]:
    """Return what QEMU shall try, in this order: KVM too, if a kernel gets anywhere under it."""
    tried = Machine(machine.kernel, machine.initramfs, machine.out, PROBE_MIB, 1, (KVM,))
    return (KVM, EMULATED) if os.access("/dev/kvm", os.R_OK | os.W_OK) and boots(tried) else (EMULATED,)


def run(machine: Machine, limit_s: float, hear: Callable[[str], None]) -> bool:
    """Run the machine until it switches itself off; each line of its console goes to ``hear``. False: it took longer than so long (s)."""
    watchdog = ["timeout", "--kill-after=10", f"{limit_s:g}"] if limit_s != float("inf") else []
    started = subprocess.Popen(
        [*watchdog, *command(machine)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        for line in started.stdout or ():
            hear(line.rstrip())
        return started.wait() == 0
    finally:
        started.terminate()
        started.wait()
