"""A user's focus stacks as a source of sharp images: fuse them, keep the fused images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_gmff.export.atomic import translate_os_errors
from napari_gmff.pipeline import fuse
from napari_gmff.reading.open import read_stack
from napari_gmff.sampling import luminance, percentile_range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_gmff.results import FusionResult


def write_fused_images(
    sources: Sequence[str], folder: Path, *, device: str, report: Callable[[str], None]
) -> None:
    """Fuse stacks with the default engine and write the fused images as grey 8-bit PNG.

    Parameters
    ----------
    sources : sequence of str
        Anything `read_stack` reads; the first time point, each channel an image.
    folder : Path
        To be made.
    device : str
        As for `FuseParams.device`.
    report : callable
        Is given a line of text for each stack.

    Raises
    ------
    SourceError
        If a stack cannot be read.
    OutputError
        If an image cannot be written.
    """
    with translate_os_errors(folder):
        folder.mkdir()
    for number, source in enumerate(sources):
        report(f"fusing {source} to learn from")
        with fuse(read_stack(source), device=device) as result:
            for channel, plane in enumerate(_planes(result)):
                path = folder / f"stack{number}_channel{channel}.png"
                with translate_os_errors(path):
                    Image.fromarray(_eight_bit(plane)).save(path)


def _planes(result: FusionResult) -> list[NDArray[np.generic]]:
    """Return the fused planes of the first time point, one per channel, (Y, X) or (Y, X, S)."""
    axes = result.images["fused"].axes
    fused = np.asarray(result.fused[0] if axes[0] == "t" else result.fused)
    return list(fused) if "c" in axes else [fused]


def _eight_bit(plane: NDArray[np.generic]) -> NDArray[np.uint8]:
    grey = luminance(plane)
    low, high = percentile_range(grey)
    seen = np.clip((grey - low) / (high - low), 0, 1)
    return np.asarray(np.rint(255 * seen), np.uint8)
