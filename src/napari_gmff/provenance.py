"""The record of how a result was made, kept with every result; JSON-ready, free of paths."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from napari_gmff.errors import SourceError

PROGRAM = "napari-gmff"
SCHEMA_VERSION = 1

ATTRIBUTE = "napari_gmff"
"""Key of our own attributes in a Zarr group; it marks a folder as a result of this program."""

FILE_NAME = "provenance.json"
"""Name of the record in a folder of OME-TIFF files."""

_READ_LIMIT_BYTES = 64 * 2**20

# The folders of an absolute path ("/home/me/", "C:\\data\\", "~/data/"), but not those of a URL.
_FOLDERS = re.compile(r"(?<![\w:/.\\~])(?:[A-Za-z]:|~)?(?:/|\\+)(?=\S)(?:[^\s/\\'\"<>|]+[/\\]+)*")


def make_provenance(
    *,
    engine: str,
    score_kind: str | None,
    parameters: Mapping[str, Any],
    source_name: str,
    source_fingerprint: str,
    source_axes: str,
    source_shape: Sequence[int],
    source_dtype: str,
    slices: Sequence[int],
    z_um: Sequence[float] | None,
    voxel_size_um: Sequence[float | None],
    inputs: Sequence[Mapping[str, Any]],
    slice_order: str,
    device: str,
    weights: Mapping[str, Any] | None = None,
    times: Sequence[int] = (0,),
    warnings: Sequence[str] = (),
    source_metadata: Mapping[str, Any] | None = None,
    engine_method: str = "",
    engine_package: str | None = None,
    references: Sequence[str] = (),
    pixels_copied: bool = True,
    interruptions: int = 0,
    date: datetime | None = None,
) -> dict[str, Any]:
    """Make the record of a run.

    Parameters
    ----------
    engine : str
        Name of the focus measure.
    score_kind : str
        What its scores are: ``"logits"``, ``"log-energy"``; None where no slice was chosen.
    parameters : mapping
        Every parameter of the run, by name. Of paths only the last part is kept.
    source_name : str
        Name of the source file or folder; a path is cut to its last part.
    source_fingerprint : str
        Sha256 of the source; see `FocusStack.fingerprint`.
    source_axes, source_shape, source_dtype
        Axes such as ``"TCZYX"``, lengths and pixel type of the whole source.
    slices : sequence of int
        Numbers, from 0 in the source, of the slices that were fused; ``focus_index`` holds these
        numbers.
    z_um : sequence of float or None
        Position of each of them in µm; None where unknown.
    voxel_size_um : sequence of (float or None)
        Size (z, y, x) in µm.
    inputs : sequence of mapping
        What the engine saw: one entry per time point and channel with ``t``, ``channel``,
        ``range`` (low, high) in the source's units and ``sigma_px``.
    slice_order : str
        ``"ordered"`` or ``"unordered"``, as decided.
    device : str
        Processor the engine ran on, such as ``"cpu"``.
    weights : mapping, optional
        ``name``, ``sha256``, ``license`` and what else identifies the model.
    times : sequence of int
        Numbers of the fused time points in the source.
    warnings : sequence of str
        What the user was told; folders are cut out of paths.
    source_metadata : mapping, optional
        How the source was read; see `FocusStack.metadata`.
    engine_method : str
        What scored the focus, in words for a methods section.
    engine_package : str, optional
        Name and version of the package that brought the engine; None for this one.
    references : sequence of str
        Papers to cite for it.
    pixels_copied : bool
        Whether every fused pixel equals its source voxel bit for bit.
    interruptions : int
        How often the run was stopped and taken up again.
    date : datetime, optional
        Time of the run, with time zone; now where left out.

    Returns
    -------
    dict
        Only dicts with str keys, lists, str, int, float, bool and None; no NaN, no folder.
    """
    from napari_gmff import __version__

    record = {
        "schema_version": SCHEMA_VERSION,
        "program": PROGRAM,
        "version": __version__,
        "date": (date or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        "engine": engine,
        "engine_method": engine_method,
        "engine_package": engine_package,
        "references": references,
        "score_kind": score_kind,
        "weights": weights,
        "parameters": parameters,
        "source": {
            "name": _last_part(source_name),
            "fingerprint": source_fingerprint,
            "axes": source_axes,
            "shape": source_shape,
            "dtype": source_dtype,
            "voxel_size_um": voxel_size_um,
            "metadata": source_metadata or {},
        },
        "slices": {"numbers": slices, "z_um": z_um, "order": slice_order},
        "times": times,
        "inputs": inputs,
        "device": device,
        "pixels_copied": pixels_copied,
        "interruptions": interruptions,
        "warnings": warnings,
        "libraries": library_versions(),
    }
    plain = plain_values(record)
    assert isinstance(plain, dict)
    return plain


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read the record of a saved result.

    Parameters
    ----------
    path : str or Path
        OME-Zarr folder, folder of OME-TIFF files, or its ``provenance.json``.

    Returns
    -------
    dict
        As `make_provenance` made it.

    Raises
    ------
    SourceError
        If there is none, or it is not one of this program.
    """
    path = Path(path)
    if _attributes_file(path).is_file():
        record = read_saved_attributes(path).get("provenance")
    else:
        file = path / FILE_NAME if path.is_dir() else path
        record = _read_json(file, path)
    if not isinstance(record, dict) or record.get("program") != PROGRAM:
        raise SourceError(f"{path}: not a result of {PROGRAM}, it holds no record of a run")
    if record.get("schema_version") != SCHEMA_VERSION:
        raise SourceError(
            f"{path}: the record's schema version must be {SCHEMA_VERSION}, "
            f"got {record.get('schema_version')!r}"
        )
    return record


def read_saved_attributes(root: Path) -> dict[str, Any]:
    """Read our own attributes of a saved OME-Zarr result.

    Returns
    -------
    dict
        With ``provenance``, ``images`` and ``geometry``.

    Raises
    ------
    SourceError
        If the folder is not an OME-Zarr result of this program.
    """
    file = _attributes_file(root)
    values = _read_json(file, root)
    if file.name == "zarr.json":
        attributes = values.get("attributes") if isinstance(values, dict) else None
    else:
        attributes = values
    ours = attributes.get(ATTRIBUTE) if isinstance(attributes, dict) else None
    if not isinstance(ours, dict):
        raise SourceError(f"{root}: not an OME-Zarr result of {PROGRAM}")
    return ours


def _attributes_file(root: Path) -> Path:
    """Return the file with the attributes of a group: Zarr v2 keeps them apart."""
    return root / (".zattrs" if (root / ".zattrs").is_file() else "zarr.json")


def _read_json(file: Path, shown: Path) -> Any:
    try:
        if file.stat().st_size > _READ_LIMIT_BYTES:
            raise SourceError(f"{shown}: {file.name} is too large for a record of a run")
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{shown}: not a result of {PROGRAM}, {file.name} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise SourceError(f"{shown}: {file.name} cannot be read ({reason})") from None


def plain_values(value: Any) -> Any:
    """Reduce a value to what a record can hold: that of JSON, without folders and NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, PurePath):
        return _last_part(str(value))
    if isinstance(value, str):
        # A file name that is not valid Unicode cannot be written to JSON and XML as it is.
        return _without_folders(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool | int | None):
        return value
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy.
        return plain_values(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain_values(item) for item in value]
    raise TypeError(f"a record of a run cannot hold {type(value).__name__}")


def _last_part(path: str) -> str:
    # A record made on Windows may name a path with backslashes, whatever system reads it.
    return PureWindowsPath(path).name or path if "\\" in path else PurePath(path).name or path


def _without_folders(text: str) -> str:
    if re.match(r"(?:[A-Za-z]:[\\/]|[\\/]|~[\\/])", text) and "\n" not in text:
        head = re.split(r"['\":;,]\s|\s\(", text[2:], maxsplit=1)
        if len(head) == 1:  # The whole text is one path, which may hold spaces.
            return _last_part(text)
    return _FOLDERS.sub("", text)


def _version_of(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def library_versions() -> dict[str, str | None]:
    """Return the versions of the libraries that results depend on, None for those missing."""
    return versions_of("numpy", "scipy", "scikit-image", "torch", "zarr", "tifffile")


def versions_of(*packages: str) -> dict[str, str | None]:
    """Return the versions of installed packages by name, None for those missing."""
    return {name: _version_of(name) for name in packages}
