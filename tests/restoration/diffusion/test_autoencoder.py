from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gmff.restoration.diffusion import autoencoder as module
from napari_gmff.restoration.diffusion.autoencoder import TiledAutoencoder
from tests.restoration.diffusion.helpers import finished, random_image


@pytest.fixture(scope="module")
def autoencoder(networks) -> TiledAutoencoder:
    return TiledAutoencoder(networks.autoencoder, networks.latent_scale)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    image = random_image(192, 256)
    image[:, :, 128:] = 0.5 + 0.1 * (image[:, :, 128:] - 0.5)  # contrast differs across tiles
    return torch.from_numpy(image)


@pytest.fixture(scope="module")
def latent(autoencoder, image) -> torch.Tensor:
    return finished(autoencoder.encode(image, 256))


def test_tiles_that_are_all_looked_at_encode_as_the_whole(autoencoder, image, latent, monkeypatch):
    monkeypatch.setattr(module, "_fits", lambda *given: False)
    # The halo of these tiles, 48 px, is less than the 67 px that the convolutions reach at most.
    tiled = finished(autoencoder.encode(image, 192, 6))
    assert (tiled - latent).abs().max() < 2e-3 * latent.abs().max()


def test_tiles_that_are_all_looked_at_decode_as_the_whole(autoencoder, latent, monkeypatch):
    whole = finished(autoencoder.decode(latent, 256))
    monkeypatch.setattr(module, "_fits", lambda *given: False)
    tiled = finished(autoencoder.decode(latent, 192, 6))
    assert (tiled - whole).square().mean().sqrt() < 0.01 * whole.std()


def test_a_sample_of_tiles_leaves_no_seams(autoencoder, latent):
    whole = finished(autoencoder.decode(latent, 256))
    tiled = finished(autoencoder.decode(latent, 128, 2))
    steps = (tiled - whole).diff(dim=2).abs().mean((0, 1)).numpy()
    seams = [63, 127, 191]  # cores are 64 px wide
    assert steps[seams].mean() < 1.5 * np.delete(steps, seams).mean()


def test_norms_work_as_ever_after_tiles(autoencoder, networks, latent):
    before = finished(autoencoder.decode(latent, 256))
    finished(autoencoder.decode(latent, 128, 2))
    norms = [one for one in networks.autoencoder.modules() if isinstance(one, torch.nn.GroupNorm)]
    assert not any("forward" in vars(norm) for norm in norms)
    torch.testing.assert_close(finished(autoencoder.decode(latent, 256)), before)


def test_norms_work_as_ever_after_work_was_given_up(autoencoder, networks, latent):
    work = autoencoder.decode(latent, 128, 2)
    with torch.no_grad():
        for _ in range(4):
            next(work)
    work.close()
    norms = [one for one in networks.autoencoder.modules() if isinstance(one, torch.nn.GroupNorm)]
    assert not any("forward" in vars(norm) for norm in norms)
