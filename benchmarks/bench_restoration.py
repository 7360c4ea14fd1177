"""What a restoration with networks as large as Stable Diffusion 2.1-base takes.

Usage: python benchmarks/bench_restoration.py [--device DEVICE] [--sides PX ...] [--steps N]
       [--guidance G] [--precision auto|float32|bfloat16] [--tile-px PX]

Weights are random, so nothing is downloaded and the pictures mean nothing; time and memory are
those of the real ones. On a GPU try 512 and 2048; on a CPU a side of 512 takes minutes for a step.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time

import numpy as np
import torch
from table import print_machine, print_table

from napari_gmff.network.devices import pick_device
from napari_gmff.restoration.diffusion.layout import empty_network
from napari_gmff.restoration.diffusion.networks import Networks
from napari_gmff.restoration.diffusion.restorer import IFControlNetRestorer
from napari_gmff.restoration.diffusion.sizes import sd21_base
from napari_gmff.restoration.params import RestoreParams


def random_network(class_name: str, key: str, device: torch.device, dtype: torch.dtype):
    """Build one of the full-size networks with small random weights, on the device."""
    network = torch.nn.Module.to(empty_network(class_name, sd21_base()[key]), dtype)
    network = network.to_empty(device=device).eval().requires_grad_(False)
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
            else:
                is_scale = name == "weight"  # of a norm: the only weights with one axis
                parameter.fill_(1.0 if is_scale else 0.0)
    return network


def random_networks(device: torch.device, dtype: torch.dtype) -> Networks:
    """Build all three; the autoencoder is always computed in float32."""
    torch.manual_seed(0)
    return Networks(
        random_network("UNet2DConditionModel", "unet", device, dtype),
        random_network("ControlNetModel", "control", device, dtype),
        random_network("AutoencoderKL", "autoencoder", device, torch.float32),
        sd21_base()["latent_scale"],
    )


def measured(restorer: IFControlNetRestorer, side_px: int) -> list[object]:
    """Restore once; return one row of the table."""
    image = np.random.default_rng(0).random((3, side_px, side_px), np.float32)
    on_gpu = restorer.device.startswith("cuda")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    moments, last = [], 0
    for item in restorer.restore(image, 0):
        if item.done != last:
            moments.append(time.perf_counter())
            last = item.done
    ended = time.perf_counter()
    steps = np.diff(moments)
    peak = torch.cuda.max_memory_allocated() if on_gpu else peak_memory()
    return [
        f"{side_px}²",
        restorer.n_tiles((side_px, side_px)),
        restorer.facts["tile_px"],
        statistics.median(steps),
        moments[0] - started - statistics.median(steps),
        ended - moments[-1],
        peak / 1e9,
        restorer.estimate_s((side_px, side_px)) / (ended - started),
    ]


def peak_memory() -> int:
    """Return the most memory this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tile-px", type=int, default=512)
    chosen = parser.parse_args()
    params = RestoreParams(
        device=chosen.device,
        allow_cpu=True,
        steps=chosen.steps,
        guidance=chosen.guidance,
        precision=chosen.precision,
        tile_px=chosen.tile_px,
    )
    device = pick_device(chosen.device)
    wide = chosen.precision == "float32" or device.type != "cuda"
    networks = random_networks(device, torch.float32 if wide else torch.bfloat16)
    context = torch.randn(77, sd21_base()["unet"]["cross_attention_dim"])
    restorer = IFControlNetRestorer(
        networks,
        {"positive": context, "negative": -context},
        params,
        {"title": "Random weights"},
        least_side_px=min(512, *chosen.sides),
    )
    print_machine()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    print(f"{name}, {restorer.facts['precision']}, guidance {chosen.guidance}")
    for side_px in sorted(chosen.sides)[:1] if device.type == "cuda" else []:
        measured(restorer, side_px)  # the first run chooses kernels
    columns = [
        "image",
        "tiles",
        "tile (px)",
        "one step (s)",
        "encoding (s)",
        "decoding (s)",
        "peak memory (GB)",
        "estimate / run",
    ]
    rows = [measured(restorer, side_px) for side_px in chosen.sides]
    print_table("Restoration at full size, random weights", columns, rows)
    print("\n".join(restorer.notes))


if __name__ == "__main__":
    main()
