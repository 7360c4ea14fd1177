"""`weighted-average`: the mean over slices, weighted by the contrast around each pixel.

Helicon Focus calls this kind of fusion its method A. What it does in detail is not published; this
is the textbook form.

References
----------
.. [1] T. Mertens, J. Kautz and F. Van Reeth, "Exposure fusion", Pacific Graphics, 382-390, 2007
   (per-pixel weights from contrast, the absolute Laplacian).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from napari_gmff.engines.blending import Blend, WeightedMean, contrast_weight

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_gmff.engines.base import BlendSource

_SIGMA_PX = 3.0
"""As wide as the window of the classical focus measures."""

_POWER = 3.0
"""Of the energy: 2 blurs clean relief, 4 averages less of the noise away."""


class WeightedAverage(Blend):
    """Blends all slices, the sharper the more."""

    name: ClassVar[str] = "weighted-average"
    title: ClassVar[str] = (
        "Blend by the average of all slices, weighted by local contrast: least noise"
    )
    method: ClassVar[str] = (
        "the energy of the Laplacian in a Gaussian window; fused pixels are the average of all "
        f"slices weighted by that energy to the power of {_POWER:g}"
    )
    references: ClassVar[tuple[str, ...]] = (
        'Mertens T, Kautz J, Van Reeth F. "Exposure fusion". Pacific Graphics, 382-390, 2007.',
    )
    pixel_ns: ClassVar[float] = 80.0

    def iter_blend(self, source: BlendSource) -> Generator[None, None, NDArray[np.float32]]:
        """Add up slice by slice; see `BlendEngine.iter_blend`."""
        mean = WeightedMean(source.n_channels, source.shape_yx)
        for k in range(source.n_slices):
            weight = contrast_weight(source.seen(k), _SIGMA_PX, _POWER, source.invalid(k))
            mean.weigh(weight)
            for channel, plane in enumerate(source.pixels(k)):
                mean.add(channel, plane, weight)
            yield
        return np.stack([mean.finish(channel) for channel in range(source.n_channels)])

    def describe(self) -> Mapping[str, object]:
        """Name the constants."""
        return {"window_sigma_px": _SIGMA_PX, "power": _POWER, "device": "cpu"}
