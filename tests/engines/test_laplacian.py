from __future__ import annotations

import numpy as np
from skimage.filters import gaussian, laplace

from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.engines.windowed import ENERGY_FLOOR, WINDOW_SIGMA_PX
from tests.engines.classical import noise, scores_of


def test_scores_equal_a_brute_force_reference():
    plane = noise(40, 50).astype(np.float64)
    # scikit-image's Laplacian has the other sign, which the square removes; inside its border.
    padded = np.pad(plane, 1, mode="symmetric")
    energy = laplace(padded)[1:-1, 1:-1] ** 2
    expected = np.log(
        gaussian(energy, WINDOW_SIGMA_PX, mode="reflect", truncate=4.0) + ENERGY_FLOOR
    )
    found = scores_of(LaplacianEnergy(), plane[None].astype(np.float32))[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
