from __future__ import annotations

import pytest
import torch

from napari_gmff.errors import DeviceError
from napari_gmff.restoration.diffusion.speed import (
    SD21_CALL_FLOP,
    SD21_CODING_FLOP,
    count_flop,
    device_for,
    measured_speed,
    tile_flop,
)
from napari_gmff.restoration.params import RestoreParams


def test_operations_of_the_full_size_are_as_counted_elsewhere():
    pytest.importorskip("diffusers")
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    from napari_gmff.restoration.diffusion.networks import Networks
    from napari_gmff.restoration.diffusion.sizes import sd21_base

    packaged = sd21_base()
    with torch.device("meta"):
        networks = Networks(
            UNet2DConditionModel(**packaged["unet"]),
            ControlNetModel(**packaged["control"]),
            AutoencoderKL(**packaged["autoencoder"]),
            packaged["latent_scale"],
        )
    call, coding = count_flop(networks, 512)
    assert call == pytest.approx(SD21_CALL_FLOP, rel=0.02)
    assert coding == pytest.approx(SD21_CODING_FLOP, rel=0.02)


def test_two_passes_take_twice_the_calls():
    one, two = RestoreParams(steps=10, guidance=1), RestoreParams(steps=10, guidance=4)
    assert tile_flop(one, 2.0, 1.0) == 21
    assert tile_flop(two, 2.0, 1.0) == 41


def test_a_cpu_is_taken_where_it_is_allowed():
    assert device_for(RestoreParams(device="cpu", allow_cpu=True)) == torch.device("cpu")


def test_a_missing_gpu_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="cuda is not available"):
        device_for(RestoreParams(device="cuda"))


def test_auto_without_a_gpu_is_refused_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="torch sees none") as error:
        device_for(RestoreParams())
    assert "\n" not in str(error.value)


def test_the_speed_of_this_machine_is_that_of_a_computer():
    assert 1e8 < measured_speed(torch.device("cpu"), torch.float32) < 1e14
