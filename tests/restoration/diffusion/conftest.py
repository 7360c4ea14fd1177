"""The tiny reference: weights in the authors' layouts, and what their code computes with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_gmff.restoration.params import RestoreParams


@pytest.fixture(scope="session")
def tiny_folder(shared_dir: Path) -> Path:
    folder = shared_dir / "reference" / "ifcontrolnet_tiny"
    if not folder.is_dir():
        pytest.skip("no tiny IFControlNet reference in ../shared")
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_folder: Path) -> dict[str, Any]:
    return json.loads((tiny_folder / "config.json").read_text())


def _loaded(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


@pytest.fixture(scope="session")
def base_state(tiny_folder: Path) -> Mapping[str, Tensor]:
    return _loaded(tiny_folder / "sd21_layout.safetensors")


@pytest.fixture(scope="session")
def control_state(tiny_folder: Path) -> Mapping[str, Tensor]:
    return _loaded(tiny_folder / "ifcontrolnet_layout.safetensors")


@pytest.fixture(scope="session")
def reference(tiny_folder: Path) -> Mapping[str, Tensor]:
    return _loaded(tiny_folder / "reference.safetensors")


@pytest.fixture(scope="session")
def contexts(reference) -> Mapping[str, Tensor]:
    return {name: reference[f"context_{name}"] for name in ("positive", "negative")}


@pytest.fixture(scope="session")
def networks(base_state, control_state):
    pytest.importorskip("diffusers")
    from napari_gmff.restoration.diffusion.networks import networks_from_states

    networks = networks_from_states(base_state, control_state)
    for network in (networks.unet, networks.control, networks.autoencoder):
        torch.nn.Module.to(network, torch.float32)
    return networks


@pytest.fixture
def make_restorer(networks, contexts) -> Callable[..., Any]:
    """Return a maker of restorers on the CPU that leave small images small."""
    from napari_gmff.restoration.diffusion.restorer import IFControlNetRestorer

    def make(*, least_side_px: int = 0, tiles_at_once: int | None = None, **options: Any):
        params = RestoreParams(device="cpu", allow_cpu=True, **({"steps": 2} | options))
        return IFControlNetRestorer(
            networks,
            contexts,
            params,
            {"name": "tiny", "title": "Tiny IFControlNet", "models": []},
            least_side_px=least_side_px,
            tiles_at_once=tiles_at_once,
        )

    return make
