"""Which processor computes, and torch settings that last only as long as they are needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
    """Set threads and full float32 precision, restoring what was there at the end.

    TF32 on a GPU, or bfloat16 inside float32 products on a CPU, would move focus maps.

    Only torch's newer `fp32_precision` is touched: reading the older `allow_tf32` raises where a
    program has used the newer one, and the newer can be read and restored after either.
    """
    before_threads = torch.get_num_threads()
    backends: Any = torch.backends  # torch's type hints leave some of these out
    operations = [
        backends.cuda.matmul,
        backends.cudnn.conv,
        backends.cudnn.rnn,
        backends.mkldnn.matmul,
        backends.mkldnn.conv,
    ]
    before_precision = [operation.fp32_precision for operation in operations]
    try:
        for operation in operations:
            operation.fp32_precision = "ieee"
        if threads is not None and threads != before_threads:
            torch.set_num_threads(threads)
        yield
    finally:
        for operation, precision in zip(operations, before_precision, strict=True):
            operation.fp32_precision = precision
        if torch.get_num_threads() != before_threads:
            torch.set_num_threads(before_threads)
