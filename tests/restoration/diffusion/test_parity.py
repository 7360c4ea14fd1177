"""The networks against what the authors' code computes with the same tiny weights."""

from __future__ import annotations

import pytest
import torch

from napari_gmff.restoration.diffusion.autoencoder import TiledAutoencoder
from napari_gmff.restoration.diffusion.denoiser import SteeredDenoiser
from napari_gmff.restoration.diffusion.wavelet import with_low_band_of
from tests.restoration.diffusion.helpers import finished, greatest_share

LIMIT = 1e-4


def test_an_image_is_encoded_as_by_the_authors(networks, reference):
    autoencoder = TiledAutoencoder(networks.autoencoder, networks.latent_scale)
    latent = finished(autoencoder.encode(reference["image"][0], 512))
    assert greatest_share(latent, reference["latent"][0]) < LIMIT


def test_a_latent_image_is_decoded_as_by_the_authors(networks, reference):
    autoencoder = TiledAutoencoder(networks.autoencoder, networks.latent_scale)
    decoded = finished(autoencoder.decode(reference["latent"][0], 512))
    # The reference is what the decoder gives, from -1 to 1.
    assert greatest_share(2 * decoded - 1, reference["decoded"][0]) < LIMIT


@pytest.mark.parametrize("strength", [1.0, 0.6])
@pytest.mark.parametrize("timestep", [0, 20, 500, 999])
def test_noise_is_predicted_as_by_the_authors(networks, contexts, reference, timestep, strength):
    denoiser = SteeredDenoiser(networks, contexts, guidance=1, strength=strength)
    with torch.no_grad():
        noise = denoiser.noise_in(reference["noisy_latent"], reference["latent"], timestep)
    assert greatest_share(noise, reference[f"eps_t{timestep}_strength{strength}"]) < LIMIT


def test_seven_steps_under_guidance_give_what_the_authors_get(
    make_restorer, reference, monkeypatch
):
    drawn = iter(reference["noises"])
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda shape, **options: next(drawn)
    )
    restorer = make_restorer(steps=7, guidance=4)
    monkeypatch.setattr(restorer, "_start", lambda *arguments: reference["start"][0])
    latent = finished(restorer._sampled(reference["latent"][0], seed=0))
    assert greatest_share(latent, reference["sampled_7_steps_cfg4"][0]) < LIMIT
    assert len(list(drawn)) == 1  # none is added in the last step


def test_the_colour_step_gives_what_the_authors_get(reference):
    content, style = (reference[f"wavelet_{name}"][0].numpy() for name in ("content", "style"))
    result = with_low_band_of(content, style)
    assert greatest_share(result, reference["wavelet_result"][0]) < LIMIT
