"""Which processor computes, and torch settings that last only as long as they are needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from napari_gmff.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def pick_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "mps", "cuda" or "cuda:N" into a device that is there.

    Raises
    ------
    DeviceError
        If the device asked for by name is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceError(
                f"device: {name} is not available, torch {torch.__version__} sees {count} CUDA "
                "devices; use cpu, or install a CUDA build of torch"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device: mps is not available on this machine; use cpu")
    return device


@contextmanager
def torch_scope(threads: int | None) -> Iterator[None]:
    """Set threads and switch TF32 off (it would move focus maps), restoring both at the end."""
    before_threads = torch.get_num_threads()
    before_matmul = torch.backends.cuda.matmul.allow_tf32
    before_cudnn = torch.backends.cudnn.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        if threads is not None and threads != before_threads:
            torch.set_num_threads(threads)
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before_matmul
        torch.backends.cudnn.allow_tf32 = before_cudnn
        if torch.get_num_threads() != before_threads:
            torch.set_num_threads(before_threads)
