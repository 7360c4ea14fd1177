from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.restoration.diffusion.fitting import fit
from tests.restoration.diffusion.helpers import random_image


@pytest.mark.parametrize(
    ("shape", "least", "scaled", "padded"),
    [
        ((512, 512), 512, (512, 512), (512, 512)),
        ((513, 2000), 512, (513, 2000), (576, 2048)),
        ((256, 300), 512, (512, 600), (512, 640)),
        ((256, 512), 512, (512, 1024), (512, 1024)),
        ((5, 7), 512, (512, 717), (512, 768)),
        ((5, 5000), 512, (5, 5000), (512, 5056)),
        ((100, 800), 512, (128, 1024), (512, 1024)),
        ((5, 7), 0, (5, 7), (64, 64)),
        ((1, 65), 0, (1, 65), (64, 128)),
    ],
)
def test_images_are_enlarged_to_512_px_and_padded_to_64(shape, least, scaled, padded):
    size = fit(shape, least)
    assert (size.scaled_yx, size.padded_yx) == (scaled, padded)


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (64, 64), (30, 200)])
def test_padding_keeps_the_image_and_is_cut_off_again(shape):
    image = random_image(*shape)
    size = fit(shape, 0)
    padded = size.pad(image)
    assert padded.shape[1:] == size.padded_yx
    np.testing.assert_array_equal(size.crop(padded), image)
    assert padded.min() >= image.min()  # reflected, not filled with zeros
    assert padded.max() <= image.max()


def test_an_enlarged_image_comes_back_nearly_as_it_was():
    image = random_image(100, 130)
    size = fit((100, 130))
    enlarged = size.apply(image)
    assert enlarged.shape == (3, 512, 666)
    assert np.abs(size.undo(enlarged) - image)[:, 2:-2, 2:-2].max() < 0.03


def test_an_image_that_may_not_be_written_is_enlarged_without_a_warning():
    image = np.broadcast_to(np.linspace(0, 1, 80, dtype=np.float32), (3, 64, 80))
    assert not image.flags.writeable
    assert fit((64, 80), 128).apply(image).shape == (3, 128, 160)
    image = np.ones((3, 64, 80), np.float32)
    image.flags.writeable = False
    np.testing.assert_allclose(fit((64, 80), 128).apply(image), 1, atol=1e-5)
