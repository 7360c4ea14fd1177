from __future__ import annotations

import torch

from napari_gmff.restoration.diffusion.denoiser import SteeredDenoiser
from tests.restoration.diffusion.helpers import finished


def _latents(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    noisy, condition = torch.randn(2, *shape, generator=generator)
    return noisy, 0.1 * condition


def test_guidance_exaggerates_the_difference_of_two_passes(networks, contexts):
    noisy, condition = _latents(1, 4, 8, 8)
    swapped = {"positive": contexts["negative"], "negative": contexts["positive"]}

    def noise(given, guidance: float) -> torch.Tensor:
        denoiser = SteeredDenoiser(networks, given, guidance, 1.0)
        assert denoiser.n_passes == (1 if guidance == 1 else 2)
        with torch.no_grad():
            return denoiser.noise_in(noisy, condition, 500)

    positive, negative = noise(contexts, 1), noise(swapped, 1)
    assert (positive - negative).abs().max() > 1e-3
    torch.testing.assert_close(
        noise(contexts, 4), negative + 4 * (positive - negative), atol=1e-4, rtol=1e-4
    )


def test_without_strength_the_condition_does_not_matter(networks, contexts):
    noisy, condition = _latents(1, 4, 8, 8)
    denoiser = SteeredDenoiser(networks, contexts, 1, strength=0.0)
    with torch.no_grad():
        torch.testing.assert_close(
            denoiser.noise_in(noisy, condition, 500), denoiser.noise_in(noisy, -condition, 500)
        )


def test_the_number_of_tiles_at_once_does_not_matter(networks, contexts):
    noisy, condition = _latents(4, 24, 40)
    denoiser = SteeredDenoiser(networks, contexts, 4, 1.0)
    one, three = (
        finished(denoiser.noise_in_tiles(noisy, condition, 500, 16, at_once)) for at_once in (1, 3)
    )
    assert (one - three).abs().max() < 1e-5 * one.abs().max()


def test_one_tile_gives_what_the_whole_gives(networks, contexts):
    noisy, condition = _latents(4, 16, 24)
    denoiser = SteeredDenoiser(networks, contexts, 4, 1.0)
    tiled = finished(denoiser.noise_in_tiles(noisy, condition, 500, 64, 1))
    with torch.no_grad():
        whole = denoiser.noise_in(noisy[None], condition[None], 500)[0]
    torch.testing.assert_close(tiled, whole, atol=1e-6, rtol=1e-5)
