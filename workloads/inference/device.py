"""The accelerator that the node's device plugin allocated to this container, touched in every engine step.

Contract with the device plugin (the one of NVIDIA and the embedded cluster's): NVIDIA_VISIBLE_DEVICES=GPU-<id>. On the embedded cluster a
device is a folder <device root>/GPU-<id>/ whose file ``status`` says ``ok``; of a device that fell off the bus the file is gone or
can't be read. Elsewhere the device is a real one, used through CUDA.

torch is imported for a real device only: a container whose device is lost fails within a second of its start, again and again, cheaply.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

NOTHING_ALLOCATED = ("", "void", "none", "all")  # "all" is what NVIDIA's base images say without any device


class DeviceLost(RuntimeError):
    """A call on the device failed; as with CUDA, the process can't use it again and has to die."""


class Device(Protocol):
    """Where the model runs and whether it still can."""

    name: str
    torch_device: str
    """As torch.device() takes it."""

    def touch(self) -> None:
        """Use the device; raises RuntimeError when it is lost."""


class Cpu:
    """No accelerator allocated."""

    name = "CPU (no device allocated)"
    torch_device = "cpu"

    def touch(self) -> None:
        """Do nothing: a processor that runs this line is there."""


class PluginDevice:
    """A device of the embedded cluster: the model runs on the processor, the device can be lost like a GPU."""

    torch_device = "cpu"

    def __init__(self, device_id: str, root: Path) -> None:
        self.name = device_id
        self._status = root / device_id / "status"

    def touch(self) -> None:
        """Open and read the status anew each time: a descriptor kept open would outlive the device."""
        try:
            descriptor = os.open(self._status, os.O_RDONLY)
            try:
                status = os.pread(descriptor, 16, 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DeviceLost(f"CUDA error: device lost ({self.name}: {self._status}: {error.strerror})") from error
        if status.strip() != b"ok":
            raise DeviceLost(f"CUDA error: device lost ({self.name}: {self._status} says {status!r}, expected b'ok')")


class Cuda:
    """A real GPU; a lost one makes torch raise RuntimeError in the operation or the synchronisation after it."""

    torch_device = "cuda:0"

    def __init__(self, device_id: str) -> None:
        import torch  # noqa: PLC0415  see above

        if not torch.cuda.is_available():
            raise DeviceLost(f"CUDA error: no CUDA-capable device is detected (NVIDIA_VISIBLE_DEVICES={device_id})")
        self.name = torch.cuda.get_device_name(self.torch_device)
        self._cell = torch.zeros(1, device=self.torch_device)
        self._synchronize = torch.cuda.synchronize

    def touch(self) -> None:
        """Write to the device's memory and wait for it."""
        self._cell.add_(1)
        self._synchronize()


def allocated(environment: Mapping[str, str], root: Path) -> Device:
    """Find the device of this container: none, one of the embedded cluster's under ``root``, or a real one.

    Raises DeviceLost when one is allocated but CUDA finds none.
    """
    device_id = environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if device_id in NOTHING_ALLOCATED:
        return Cpu()
    return PluginDevice(device_id, root) if root.is_dir() else Cuda(device_id)
