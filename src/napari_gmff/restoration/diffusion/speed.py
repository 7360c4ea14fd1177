"""How long a restoration will take: counted operations, and what this machine does in a second."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_gmff.errors import DeviceError
from napari_gmff.estimate import words_for_seconds
from napari_gmff.network.devices import pick_device
from napari_gmff.restoration.diffusion.layout import empty_like

if TYPE_CHECKING:
    from torch import nn

    from napari_gmff.restoration.diffusion.networks import Networks
    from napari_gmff.restoration.params import RestoreParams

SD21_CALL_FLOP = 1.07e12
"""Of one steered call of Stable Diffusion 2.1-base at 512²; as counted."""

SD21_CODING_FLOP = 3.6e12
"""Of encoding and decoding 512²."""

_TRIAL_CHANNELS, _TRIAL_PX = 320, 64


def device_for(params: RestoreParams) -> torch.device:
    """Choose what computes, before anything large is loaded.

    Parameters
    ----------
    params : RestoreParams
        ``device``, ``allow_cpu``, and what decides the time.

    Raises
    ------
    DeviceError
        If the device asked for is not there, or would be a CPU without consent; says how long it
        would take.
    """
    device = pick_device(params.device)
    if device.type == "cpu" and not params.allow_cpu:
        tile_s = tile_flop(params) / measured_speed(device, torch.float32)
        raise DeviceError(
            f"device: restoration needs a GPU, and {_why_cpu(params)}; on this processor it takes "
            f"{words_for_seconds(tile_s)} for each tile of 512×512 px ({params.steps} steps), and "
            "tiles overlap by half. allow_cpu (--allow-cpu) runs it nevertheless; fewer steps, "
            "guidance 1 and a smaller region make it shorter"
        )
    return device


def _why_cpu(params: RestoreParams) -> str:
    return "cpu was asked for" if params.device == "cpu" else "torch sees none"


def tile_flop(
    params: RestoreParams,
    call_flop: float = SD21_CALL_FLOP,
    coding_flop: float = SD21_CODING_FLOP,
) -> float:
    """Count the operations for one tile.

    Parameters
    ----------
    params : RestoreParams
        Steps and guidance.
    call_flop, coding_flop : float
        Of one steered call, and of encoding and decoding.
    """
    n_passes = 1 if params.guidance == 1 else 2
    return params.steps * n_passes * call_flop + coding_flop


def count_flop(networks: Networks, tile_px: int) -> tuple[float, float]:
    """Count the operations of these networks for one tile, without computing.

    Returns
    -------
    tuple of float
        Of one steered call, and of encoding and decoding.
    """
    unet, control, autoencoder = (
        empty_like(one) for one in (networks.unet, networks.control, networks.autoencoder)
    )
    factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
    side = tile_px // factor
    channels = unet.config.in_channels
    with torch.device("meta"), torch.no_grad():
        latent = torch.empty(1, channels, side, side)
        when = torch.empty(1, dtype=torch.long)
        context = torch.empty(1, *networks.context_shape)
        with FlopCounterMode(display=False) as call:
            unet(latent, when, context)
            both = torch.cat([latent, latent], dim=1)
            picture = torch.empty(1, 3, 8, 8)  # its embedding is left out of what is counted
            control(both, when, context, controlnet_cond=picture)
        with FlopCounterMode(display=False) as coding:
            autoencoder.encode(torch.empty(1, 3, tile_px, tile_px))
            autoencoder.decode(latent)
    return float(call.get_total_flops()), float(coding.get_total_flops())


@cache
def measured_speed(device: torch.device, dtype: torch.dtype) -> float:
    """Try the commonest operation of the networks; return operations per second.

    A convolution of 320 channels at 64², as at the top of the denoising network.
    """
    n = _TRIAL_CHANNELS
    conv = torch.nn.Conv2d(n, n, 3, padding=1, device=device, dtype=dtype)
    x = torch.zeros(1, n, _TRIAL_PX, _TRIAL_PX, device=device, dtype=dtype)
    flop = 2 * 9 * n * n * _TRIAL_PX**2
    with torch.no_grad():
        times = [_timed(conv, x, device) for _ in range(3)]
    return flop / min(times)


def _timed(conv: nn.Module, x: torch.Tensor, device: torch.device) -> float:
    started = time.perf_counter()
    result = conv(x)
    float(result.flatten()[0])  # a GPU answers only when it is done
    return time.perf_counter() - started
