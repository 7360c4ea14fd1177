"""The fused image as its layers show it, for the colours of a surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.layers.result_sets import METADATA_KEY
from napari_gmff.errors import ParameterError
from napari_gmff.reading.computing import computed

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_gmff._napari.layers.saved_fusions import Fusion, SavedImages
    from napari_gmff.live_images import LiveImages

    AnyImages = LiveImages | SavedImages


@dataclass(frozen=True)
class ChannelLook:
    """How one channel is shown.

    Attributes
    ----------
    colors : ndarray of uint8, shape (256, 3)
        From the lower to the upper limit.
    limits : tuple of float
        Intensities shown as the first and the last colour.
    gamma : float
        Of the layer.
    """

    colors: NDArray[np.uint8]
    limits: tuple[float, float]
    gamma: float = 1.0


def looks_of(result_set: Fusion) -> tuple[ChannelLook, ...]:
    """Return how each channel of the fused image is shown, none for an image in colour.

    Parameters
    ----------
    result_set : ResultSet or SavedFusion
        Its layers count whether they are visible or not. A channel whose layer was deleted is
        black; if all were, the channels are grey.
    """
    if result_set.result.geometry.is_rgb:
        return ()
    spec = result_set.images.specs["fused"]
    layers = {
        layer.metadata[METADATA_KEY].get("channel") or 0: layer
        for layer in result_set.layers.get("fused", [])
    }
    if not layers:
        return (_grey(spec.dtype),) * spec.n_channels
    return tuple(
        _look_of(layers[channel]) if channel in layers else _BLACK
        for channel in range(spec.n_channels)
    )


def fused_picture(
    images: AnyImages, time: int, looks: Sequence[ChannelLook], level: int
) -> NDArray[np.uint8]:
    """Return the fused image as it is shown: (h, w, 3) uint8.

    Parameters
    ----------
    images : LiveImages or SavedImages
        Of the result.
    time : int
        Time point of the result, from 0.
    looks : sequence of ChannelLook
        One for each channel; their colours add up. None for an image in colour.
    level : int
        Of the pyramid.
    """
    plane = computed(plane_of(images, "fused", level, time))
    if not looks:
        return _eight_bit(np.moveaxis(plane[:3], 0, -1))
    channels = plane[None] if plane.ndim == 2 else plane
    if len(looks) != len(channels):
        raise ParameterError(f"looks: one for each of {len(channels)} channels, got {len(looks)}")
    picture = np.zeros((*plane.shape[-2:], 3), np.uint16)
    for channel, look in zip(channels, looks, strict=True):
        picture += look.colors[_places(channel, look)]
    return np.minimum(picture, 255).astype(np.uint8)


def plane_of(images: AnyImages, name: str, level: int, time: int) -> Any:
    """Return one time point of an image at a pyramid level: an array (C)YX, no copy."""
    array = images.levels(name)[level]
    return array[time] if "t" in images.specs[name].axes else array


def level_within(images: AnyImages, side_px: int) -> int:
    """Return the finest pyramid level of the fused image that is no larger than a side."""
    levels: Sequence[Any] = images.levels("fused")
    fitting = [n for n, array in enumerate(levels) if max(array.shape[-2:]) <= side_px]
    return fitting[0] if fitting else len(levels) - 1


_BLACK = ChannelLook(np.zeros((256, 3), np.uint8), (0.0, 1.0))


def _look_of(layer: Image) -> ChannelLook:
    colors = np.asarray(layer.colormap.map(np.linspace(0, 1, 256)))[:, :3]
    low, high = layer.contrast_limits
    return ChannelLook(np.rint(colors * 255).astype(np.uint8), (low, high), float(layer.gamma))


def _grey(dtype: np.dtype[Any]) -> ChannelLook:
    colors = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    if dtype.kind == "f":
        return ChannelLook(colors, (0.0, 1.0))
    limits = np.iinfo(dtype)
    return ChannelLook(colors, (float(limits.min), float(limits.max)))


def _places(channel: NDArray[Any], look: ChannelLook) -> NDArray[np.uint8]:
    """Return for each pixel its place in the colours of a look."""
    low, high = look.limits
    span = high - low if high > low else 1.0
    share = np.nan_to_num(np.clip((channel.astype(np.float32) - low) / span, 0, 1)) ** look.gamma
    places: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return places


def _eight_bit(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    full = 1.0 if image.dtype.kind == "f" else float(np.iinfo(image.dtype).max)
    scaled = np.nan_to_num(np.clip(image.astype(np.float32) / full, 0, 1))
    return np.rint(scaled * 255).astype(np.uint8)
