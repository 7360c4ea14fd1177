"""What decides a result bit for bit, and in what two runs differ."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.engines.registry import package_of
from napari_gmff.errors import ResumeError
from napari_gmff.params import FuseParams
from napari_gmff.provenance import library_versions
from napari_gmff.unfinished.record import START_AGAIN

if TYPE_CHECKING:
    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.export.layout import ImageSpec
    from napari_gmff.reading.stack import FocusStack

_WITHOUT_EFFECT = ("memory_limit_mb", "threads", "weights")
"""The first moves the same numbers from memory to a file. The others count by what they come to:
the threads that are used, which change rounding, and the sha256 of the weights."""

_COMPUTING = ("numpy", "scipy", "torch")
"""Libraries another version of which may round otherwise."""

_MOST_NAMED = 4


def identity_of(
    stack: FocusStack,
    params: FuseParams,
    engine: AnyEngine,
    specs: Sequence[ImageSpec],
    format: str | None,
) -> dict[str, Any]:
    """Describe a run by all that its result depends on.

    Parameters
    ----------
    stack, params, engine
        Of the run.
    specs : sequence of ImageSpec
        Images of the result.
    format : str or None
        Of the output; None for a result that is saved later.

    Returns
    -------
    dict
        JSON-ready, and equal to itself when it was written and read.
    """
    from napari_gmff import __version__

    described = dict(engine.describe())
    values = params.model_dump(mode="json", include=set(FuseParams.model_fields))
    versions = library_versions()
    identity = {
        "napari-gmff": __version__,
        "libraries": {name: versions[name] for name in _COMPUTING},
        "processor": platform.machine(),
        "threads": _threads(params, described),
        "parameters": {
            name: value for name, value in values.items() if name not in _WITHOUT_EFFECT
        },
        "engine": described,
        "engine_package": package_of(engine.name),
        "format": format,
        "source": {
            "pixels and metadata (sha256)": stack.fingerprint,
            "shape": stack.data.shape,
            "voxel_size_um": stack.voxel_size_um,
            "z_positions_um": _plain_list(stack.z_positions_um),
            "origin_yx_um": stack.origin_yx_um,
            "files": files_of(stack.sources),
        },
        "images": [spec.to_json() for spec in specs],
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], out: Path) -> None:
    """Refuse to go on with another run.

    Raises
    ------
    ResumeError
        Naming what differs, and how to go on.
    """
    found = list(differences(before, now))
    if not found:
        return
    named = ", ".join(found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    raise ResumeError(
        f"{out}: the unfinished work is of another run ({named}{more}); {START_AGAIN}"
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between two identities, such as ``block_px: was 1024, now 512``."""
    old, new = dict(_flat(before)), dict(_flat(now))
    differ = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    for name in differ:
        # The images follow from the rest, and their description is long.
        if name != "images" or len(differ) == 1:
            yield f"{name}: was {_shown(old.get(name))}, now {_shown(new.get(name))}"


def files_of(sources: Sequence[str]) -> str | None:
    """Describe the files of a source by names, sizes and times of change; None if not local.

    The fingerprint of a stack samples its pixels. This tells also of a change elsewhere.

    Returns
    -------
    str or None
        Their number, size, newest time of change, and a checksum of all of it.
    """
    digest, count, n_bytes, newest_ns = hashlib.blake2b(digest_size=4), 0, 0, 0
    for name, path in _files(sources):
        state = path.stat()
        digest.update(f"{name}\n{state.st_size}\n{state.st_mtime_ns}\n".encode("utf-8", "replace"))
        count, n_bytes = count + 1, n_bytes + state.st_size
        newest_ns = max(newest_ns, state.st_mtime_ns)
    if not count:
        return None
    changed = datetime.fromtimestamp(newest_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    what = "1 file" if count == 1 else f"{count} files"
    return f"{what} of {n_bytes} bytes changed {changed} UTC [{digest.hexdigest()}]"


def _files(sources: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files and their names below the source, so that a moved one is the same."""
    for source in sources:
        path = Path(source)
        if path.is_file():
            yield path.name, path
        elif path.is_dir():
            yield from ((str(one.relative_to(path)), one) for one in sorted(_below(path)))
        else:
            for one in sorted(glob.glob(source, recursive=True)):
                if os.path.isfile(one):
                    yield os.path.basename(one), Path(one)


def _below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        yield from (Path(root, name) for name in names)


def _threads(params: FuseParams, described: Mapping[str, Any]) -> int | None:
    """Return the threads a network's sums are shared among; None for engines without one."""
    if "weights" not in described:
        return None
    import torch

    return params.threads or torch.get_num_threads()


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        # Parameters are known by their own names.
        full = name if prefix in ("", "parameters.") else f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{full}.")
        else:
            yield full, value


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _plain_list(values: Any) -> list[float] | None:
    return None if values is None else values.tolist()
