"""Which images a restoration produces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_gmff.export.layout import ImageSpec
from napari_gmff.marks import SPREAD_CAPTION

if TYPE_CHECKING:
    from napari_gmff.export.layout import Kind
    from napari_gmff.stored_images import StoredImages


_TITLES = {
    "restored_mean": "mean of {n_seeds} restorations",
    "difference": "difference, restored − fused",
    "abs_difference": "|restored − fused|",
    "spread": SPREAD_CAPTION,
    "contradiction": "contradiction with the slices",
}
CONTRADICTION_UNIT = "σ of the noise"


def restoration_title(name: str, n_seeds: int) -> str:
    """Return the title of an image of a restoration, without the mark.

    Parameters
    ----------
    name : str
        One of `napari_gmff.export.layout.IMAGE_NAMES`.
    n_seeds : int
        Number of restorations.
    """
    return _TITLES.get(name, name.replace("_", " ")).format(n_seeds=n_seeds)


def restoration_images(
    fused: StoredImages,
    *,
    n_seeds: int,
    has_contradiction: bool,
    n_times: int | None = None,
    shape_yx: tuple[int, int] | None = None,
) -> dict[str, ImageSpec]:
    """Describe the images of a restoration, by name.

    Parameters
    ----------
    fused : StoredImages
        What is restored; holds ``fused``.
    n_seeds : int
        Number of restorations; two or more have a mean and a spread.
    has_contradiction : bool
        Whether the stack is at hand, to be compared with.
    n_times : int, optional
        Number of time points that are restored; all where left out.
    shape_yx : tuple of int, optional
        Height and width of the part that is restored, in pixels; the whole where left out.

    Returns
    -------
    dict of str to ImageSpec
        Titles of what a model made end with the mark; see `napari_gmff.marks`.
    """
    whole = fused.images["fused"]
    times = whole.n_times if n_times is None else n_times
    shape_yx = shape_yx or whole.shape_yx
    t_axis, t_length = ("t", (times,)) if times > 1 else ("", ())
    c_axis, c_length = ("c", (whole.n_channels,)) if "c" in whole.axes else ("", ())
    copy = replace(whole, axes=f"{t_axis}{c_axis}yx", shape=(*t_length, *c_length, *shape_yx))

    # A channel that nobody named is called like its image.
    channels = copy.channels if copy.channels[0].name != copy.title else ()

    def intensity(name: str) -> ImageSpec:
        return replace(copy, name=name, title=restoration_title(name, n_seeds), channels=channels)

    def like_fused(name: str, kind: Kind) -> ImageSpec:
        return replace(intensity(name), kind=kind, dtype=np.dtype(np.float32))

    def plane(name: str, kind: Kind, dtype: type, unit: str | None = None) -> ImageSpec:
        title, shape = restoration_title(name, n_seeds), (*t_length, *shape_yx)
        return ImageSpec(name, f"{t_axis}yx", shape, np.dtype(dtype), kind, unit, title=title)

    images = [intensity("restored")]
    if n_seeds > 1:
        images.append(intensity("restored_mean"))
    images += [
        copy,
        plane("restoration_mask", "mask", np.uint8),
        like_fused("difference", "difference"),
        like_fused("abs_difference", "amount"),
    ]
    if n_seeds > 1:
        images.append(like_fused("spread", "amount"))
    if has_contradiction:
        images.append(plane("contradiction", "amount", np.float32, CONTRADICTION_UNIT))
    return {image.name: image for image in images}
