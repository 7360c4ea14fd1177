"""Reading tensors from files that nobody has vouched for, without running anything in them."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import WeightsError
from napari_gmff.weights.hashing import regular_size

if TYPE_CHECKING:
    from torch import Tensor

_ZIP_MAGIC = b"PK\x03\x04"
_MAX_HEADER_BYTES = 100_000_000
"""Longest header that safetensors itself accepts."""


def load_state_dict(path: Path, *, maps_file: bool = False) -> dict[str, Tensor]:
    """Load the tensors of a ``.safetensors`` or ``.pth``/``.pt`` file onto the CPU.

    The kind is told by the content, not by the ending. A ``.pth`` is read with torch's
    restricted unpickler, which builds tensors and plain containers and calls nothing else.

    Parameters
    ----------
    path : Path
        File with one mapping of names to tensors, or with one under ``"state_dict"``.
    maps_file : bool
        Read values only where they are used. The tensors are then the file's bytes: it must stay
        as it is while they live.

    Returns
    -------
    dict of str to Tensor
        Dense CPU tensors in the file's own types and layout of names.

    Raises
    ------
    WeightsError
        If the file is missing, damaged or cut short, holds anything else than named tensors, or
        would have to run code to be loaded.
    """
    kind = _kind_of(path)
    # safetensors maps every file.
    loaded = _load_safetensors(path) if kind == "safetensors" else _load_torch(path, maps_file)
    return _checked(loaded, path)


def is_safetensors(path: Path) -> bool:
    """Tell safetensors from a torch checkpoint by the content.

    Raises
    ------
    WeightsError
        If it is neither, or cannot be read.
    """
    return _kind_of(path) == "safetensors"


def _kind_of(path: Path) -> str:
    size = regular_size(path)
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"{path}: weights cannot be read ({reason})") from None
    if head.startswith(_ZIP_MAGIC):
        return "torch"
    header_bytes = int.from_bytes(head[:8], "little")
    if head[8:] == b"{" and header_bytes <= _MAX_HEADER_BYTES:
        if 8 + header_bytes > size:
            raise WeightsError(f"{path}: safetensors file is cut short, it has {size} bytes")
        return "safetensors"
    if head[:1] == b"\x80":
        raise WeightsError(
            f"{path}: refused, a bare pickle can run code; save it as .safetensors or with "
            "torch.save of torch 1.6 or later"
        )
    raise WeightsError(
        f"{path}: weights must be a safetensors file or a torch checkpoint, "
        f"found {size} bytes that begin with {head!r}"
    )


def _load_safetensors(path: Path) -> object:
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except Exception as error:  # its errors share no base class, and all mean a bad file
        raise WeightsError(
            f"{path}: damaged or truncated safetensors file ({_first_line(error)})"
        ) from None


def _load_torch(path: Path, maps_file: bool) -> object:
    import torch

    _screen_archive(path)
    try:
        # Torch maps files by path only, and there it would believe the ending.
        if maps_file and path.suffix != ".safetensors":
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: refused, {_refused_global(error)}") from None
    except Exception as error:  # a made-up pickle can make the reader fail in any way
        raise WeightsError(
            f"{path}: damaged or truncated torch checkpoint ({_first_line(error)})"
        ) from None


def _screen_archive(path: Path) -> None:
    """Refuse archives that torch.save does not write, before torch opens them."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        raise WeightsError(
            f"{path}: damaged or truncated torch checkpoint, its zip directory is not whole"
        ) from None
    names = {entry.filename.rpartition("/")[2] for entry in entries}
    if "constants.pkl" in names:
        raise WeightsError(f"{path}: refused, it holds a TorchScript program, not only tensors")
    if "data.pkl" not in names:
        raise WeightsError(f"{path}: not a torch checkpoint, this zip file has no data.pkl")
    # torch.save stores without compression, so a sum above the file's size means a zip bomb.
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise WeightsError(f"{path}: refused, its parts would unpack to more than the file's size")


def _refused_global(error: Exception) -> str:
    found = re.search(r"(?:GLOBAL|Unsupported (?:class|global)) ([\w.]+)", str(error))
    what = f"loading it would call {found[1]}" if found else "it is not plain tensors"
    return f"{what}; only tensors by name are read, never code"


def _checked(loaded: object, path: Path) -> dict[str, Tensor]:
    import torch

    rule = "a state dict maps names to dense tensors"
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]  # as training programs save it, beside their own state
    if not isinstance(loaded, Mapping) or not loaded:
        what = "an empty mapping" if isinstance(loaded, Mapping) else type(loaded).__name__
        raise WeightsError(f"{path}: not a state dict ({rule}), found {what}")
    state = {}
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            what = f"{type(value).__name__} under {str(name)[:80]!r}"
            raise WeightsError(f"{path}: not a state dict ({rule}), found {what}")
        if (
            value.layout != torch.strided
            or value.is_quantized
            or value.is_complex()
            or value.device.type != "cpu"
        ):
            raise WeightsError(
                f"{path}: {rule}, {name!r} is sparse, quantised, complex or without data"
            )
        state[name] = value.detach()
    return state


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
