"""Pictures of real stacks: what every engine makes of them, side by side."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_gmff.errors import GmffError, SourceError
from napari_gmff.evaluation.runners import EngineRunner, Runner
from napari_gmff.export.atomic import staging
from napari_gmff.panel import Tile, colored, draw_panel, grey
from napari_gmff.pipeline import fuse
from napari_gmff.reading.open import read_stack
from napari_gmff.sampling import luminance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_MOST_PX = 768
"""Side of the part in the middle that is fused: a picture shows no more."""
_TILE_PX = 300
_JPEG_QUALITY = 85


def write_gallery(
    stacks: Path, runners: Sequence[Runner], folder: Path, notes: list[str]
) -> list[tuple[str, str]]:
    """Fuse every real stack with every engine and write one picture for each stack.

    Parameters
    ----------
    stacks : Path
        Folder; each folder below it that holds slices is a stack, and so is each TIFF file
        of several slices.
    runners : sequence of Runner
        Those that are not engines of ours are passed over.
    folder : Path
        Existing folder for the pictures.
    notes : list of str
        Gets a line for each stack that cannot be fused.

    Returns
    -------
    list of (str, str)
        File name and caption of each picture.

    Raises
    ------
    SourceError
        If the folder is missing or holds no stack.
    """
    engines = [runner for runner in runners if isinstance(runner, EngineRunner)]
    pictures = []
    for name, files in find_stacks(stacks):
        file_name = f"stack-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.jpg"
        try:
            tiles = _tiles(name, files, engines)
        except GmffError as error:
            notes.append(f"stack {name} left out: {error}")
            continue
        _write_jpeg(tiles, folder / file_name)
        pictures.append((file_name, f"{name}: best slice, fused image, index and confidence"))
    return pictures


def find_stacks(folder: Path) -> list[tuple[str, list[Path]]]:
    """Find stacks below a folder, by name.

    Returns
    -------
    list of (str, list of Path)
        Name, and the files of its slices in order (or the one file that holds all).

    Raises
    ------
    SourceError
        If there is none.
    """
    found = []
    for place in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        files = sorted(
            path for path in place.glob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()
        )
        name = place.relative_to(folder).as_posix() if place != folder else folder.name
        if len(files) > 1:
            found.append((name, files))
        elif files and files[0].suffix.lower() in (".tif", ".tiff"):
            found.append((name, files))
    if not found:
        raise SourceError(f"{folder}: must be a folder of stacks, found none")
    return found


def _tiles(name: str, files: list[Path], engines: Sequence[EngineRunner]) -> list[Tile]:
    tiles = []
    source: Any = files if len(files) > 1 else files[0]
    with read_stack(source) as stack:
        region = _middle(stack.shape_yx)
        best, n_slices = _best_slice(stack, region)
        for engine in engines:
            options = {**engine.options, "region": region, "time": (0, 1)}
            with fuse(stack, **options) as result:
                tiles.extend(_row(name, engine.name, best, n_slices, result))
    return tiles


def _middle(shape_yx: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    starts = [max(0, (side - _MOST_PX) // 2) for side in shape_yx]
    (y0, x0), (height, width) = starts, shape_yx
    return (y0, min(height, y0 + _MOST_PX)), (x0, min(width, x0 + _MOST_PX))


def _best_slice(
    stack: FocusStack, region: tuple[tuple[int, int], tuple[int, int]]
) -> tuple[tuple[int, NDArray[np.float32]], int]:
    """Return number and grey pixels of the slice with the most Laplacian energy."""
    n_slices = stack.data.shape[2]
    y, x = (slice(*bounds) for bounds in region)
    best: tuple[int, NDArray[np.float32]] | None = None
    most = -1.0
    for k in range(n_slices):
        plane = luminance(np.asarray(stack.data[0, 0, k, y, x]))
        energy = float((ndimage.laplace(ndimage.gaussian_filter(plane, 1.0)) ** 2).mean())
        if energy > most:
            most, best = energy, (k, plane)
    assert best is not None
    return best, n_slices


def _row(
    name: str,
    engine: str,
    best: tuple[int, NDArray[np.float32]],
    n_slices: int,
    result: FusionResult,
) -> list[Tile]:
    number, plane = best
    low, high = (float(value) for value in np.percentile(plane, (0.1, 99.9)))
    return [
        Tile(f"{name}: slice {number} of {n_slices}", grey(plane, low, high)),
        Tile(engine, grey(_first_channel(result), low, high)),
        Tile(
            f"focus index 0 to {n_slices - 1}",
            colored(_flat(result, "focus_index"), 0, n_slices - 1),
        ),
        Tile("confidence 0 to 1", grey(_flat(result, "confidence"), 0, 1)),
    ]


def _flat(result: FusionResult, name: str) -> NDArray[Any]:
    return np.asarray(result.image(name).compute())


def _first_channel(result: FusionResult) -> NDArray[np.float32]:
    """Return the fused image as grey: samples combined, or the first channel."""
    fused = _flat(result, "fused")
    if fused.ndim == 2:
        return fused.astype(np.float32)
    if result.geometry.is_rgb:
        return luminance(np.moveaxis(fused, 0, -1))
    return np.asarray(fused[0], np.float32)


def _write_jpeg(tiles: list[Tile], path: Path) -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="napari-gmff-") as folder:
        png = Path(folder) / "panel.png"
        draw_panel(tiles, png, columns=4, width_px=_TILE_PX)
        with Image.open(png) as panel, staging(path, overwrite=True, is_file=True) as partial:
            panel.save(partial, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
