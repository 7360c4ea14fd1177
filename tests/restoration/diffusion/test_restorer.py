from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_gmff.errors import DeviceError, GmffError, ParameterError
from napari_gmff.restoration.diffusion.restorer import IFControlNetRestorer
from napari_gmff.restoration.params import RestoreParams
from napari_gmff.restoration.restorer import Restorer, StepDone
from tests.restoration.diffusion.helpers import random_image


def restored(restorer: Restorer, image: np.ndarray, seed: int = 231) -> np.ndarray:
    work = restorer.restore(image, seed)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return random_image(70, 100)


def test_the_result_has_the_image_s_size_and_is_finite(make_restorer, image):
    result = restored(make_restorer(), image)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert np.abs(result - image).max() > 0.01


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (64, 64), (1, 130)])
def test_images_smaller_than_a_tile_work(make_restorer, shape):
    result = restored(make_restorer(guidance=1), random_image(*shape))
    assert result.shape == (3, *shape)
    assert np.isfinite(result).all()


def test_a_small_image_is_enlarged_to_what_the_model_was_trained_at(make_restorer, monkeypatch):
    restorer = make_restorer(least_side_px=128, guidance=1)
    seen = []
    encode = restorer._autoencoder.encode
    monkeypatch.setattr(
        restorer._autoencoder, "encode", lambda x, *rest: seen.append(x.shape) or encode(x, *rest)
    )
    assert restored(restorer, random_image(5, 7)).shape == (3, 5, 7)
    assert seen == [(3, 128, 192)]


def test_broad_structure_stays_that_of_the_image(make_restorer, image):
    result = restored(make_restorer(), image)
    np.testing.assert_allclose(result.mean((1, 2)), image.mean((1, 2)), atol=0.05)


def test_the_same_seed_gives_the_same_and_another_does_not(make_restorer, image):
    restorer = make_restorer(guidance=1)
    first = restored(restorer, image, 5)
    np.testing.assert_array_equal(restored(restorer, image, 5), first)
    assert np.abs(restored(restorer, image, 6) - first).max() > 1e-3


def test_the_number_of_tiles_at_once_moves_the_result_by_rounding_only(make_restorer):
    image = random_image(128, 192)
    one, four = (restored(make_restorer(tile_px=64, tiles_at_once=n), image) for n in (1, 4))
    assert np.abs(one - four).max() < 1e-3 * np.abs(one).max()


def test_a_start_from_the_image_differs_from_one_from_noise(make_restorer, image):
    noise, condition = (
        restored(make_restorer(guidance=1, start=start), image) for start in ("noise", "condition")
    )
    assert 0 < np.abs(noise - condition).max() < 0.5 * np.abs(noise).max()


def test_progress_counts_each_step_and_can_be_stopped_between_tiles(make_restorer):
    work = make_restorer(steps=3, tile_px=64, guidance=1).restore(random_image(64, 128), 1)
    told = list(work)
    assert [item.done for item in told] == sorted(item.done for item in told)
    assert {item.done for item in told} == {0, 1, 2, 3}
    assert all(item.total == 3 for item in told)
    assert len(told) > 3 * 3  # three tiles in each step


def test_closing_stops_the_work(make_restorer, image, monkeypatch):
    restorer = make_restorer(steps=50, guidance=1)
    calls = []
    noise_in = restorer._denoiser.noise_in
    monkeypatch.setattr(
        restorer._denoiser, "noise_in", lambda *given: calls.append(1) or noise_in(*given)
    )
    work = restorer.restore(image, 1)
    while next(work).done < 2:
        pass
    work.close()
    assert len(calls) == 2
    assert restored(make_restorer(guidance=1), image).shape == image.shape


def test_torch_is_left_as_it_was_between_steps(make_restorer, image):
    before = torch.backends.mkldnn.matmul.fp32_precision, torch.is_grad_enabled()
    work = make_restorer(guidance=1).restore(image, 1)
    next(work)
    assert (torch.backends.mkldnn.matmul.fp32_precision, torch.is_grad_enabled()) == before
    work.close()


def test_random_numbers_of_others_are_left_alone(make_restorer, image):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    restored(make_restorer(guidance=1), image)
    torch.testing.assert_close(torch.rand(3), expected)


def test_lack_of_memory_leads_to_smaller_tiles(make_restorer, monkeypatch):
    restorer = make_restorer(tile_px=256, tiles_at_once=2, guidance=1)
    noise_in = restorer._denoiser.noise_in

    def greedy(latents, *rest):
        if latents.shape[-1] > 16 or len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return noise_in(latents, *rest)

    monkeypatch.setattr(restorer._denoiser, "noise_in", greedy)
    result = restored(restorer, random_image(192, 256))
    assert np.isfinite(result).all()
    assert restorer.facts["tile_px"] == 128
    assert "sampling continued in tiles of 128 px" in restorer.notes[0]


def test_too_little_memory_stops_with_a_device_error(make_restorer, image, monkeypatch):
    restorer = make_restorer()

    def greedy(*given):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(restorer._denoiser, "noise_in", greedy)
    with pytest.raises(DeviceError, match="out of memory even with tiles of 128 px"):
        restored(restorer, image)


def test_a_model_that_gives_no_numbers_is_stopped(make_restorer, image, monkeypatch):
    restorer = make_restorer(guidance=1, steps=5)
    noise_in = restorer._denoiser.noise_in
    monkeypatch.setattr(
        restorer._denoiser,
        "noise_in",
        lambda x, c, t: noise_in(x, c, t) * (float("nan") if t < 600 else 1),
    )
    with pytest.raises(GmffError, match="Tiny IFControlNet: gave NaN or infinity in step 3"):
        restored(restorer, image)


def test_an_image_with_nan_is_stopped(make_restorer, image):
    damaged = image.copy()
    damaged[0, 3, 4] = np.nan
    with pytest.raises(ParameterError, match="image: must hold finite numbers"):
        restored(make_restorer(), damaged)


def test_a_cpu_is_refused_with_an_estimate_before_anything_is_built(contexts):
    params = RestoreParams(device="cpu")
    with pytest.raises(DeviceError, match=r"takes about [\d.]+ (s|min|h) for") as error:
        IFControlNetRestorer.from_states({}, {}, contexts, params, {})
    assert "--allow-cpu" in str(error.value)


def test_bfloat16_comes_near_float32(base_state, control_state, contexts, image):
    # Networks of its own: a precision cannot be taken back.
    def run(precision: str) -> np.ndarray:
        options = {"device": "cpu", "allow_cpu": True, "steps": 2, "guidance": 1}
        params = RestoreParams(**options, precision=precision)
        restorer = IFControlNetRestorer.from_states(
            base_state, control_state, contexts, params, {}, least_side_px=0
        )
        assert restorer.facts["precision"] == precision
        autoencoder = restorer._networks.autoencoder
        assert {one.dtype for one in autoencoder.parameters()} == {torch.float32}
        return restored(restorer, image)

    exact, coarse = run("float32"), run("bfloat16")
    difference = np.sqrt(np.square(exact - coarse).mean())
    assert 0 < difference < 0.1 * exact.std()


def test_more_pixels_steps_and_passes_take_longer(make_restorer):
    restorer = make_restorer(steps=4, guidance=1)
    assert restorer.n_tiles((512, 512)) == 1
    assert restorer.n_tiles((1024, 512)) == 3
    once = restorer.estimate_s((512, 512))
    assert restorer.estimate_s((1024, 512)) == pytest.approx(3 * once)
    assert restorer.estimate_s((256, 512)) == pytest.approx(once / 2)
    assert make_restorer(steps=8, guidance=1).estimate_s((512, 512)) > once
    assert make_restorer(steps=4, guidance=2).estimate_s((512, 512)) > once


def test_progress_is_what_the_interface_says(make_restorer, image):
    last = list(make_restorer(guidance=1).restore(image, 1))[-1]
    assert last == StepDone(2, 2)
