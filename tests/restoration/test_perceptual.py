"""LPIPS is used where it is installed with its weights, and never fetched."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.restoration import perceptual
from napari_gmff.restoration.closeness import closeness

# Stands for the package, which few have: same call, its distance is the squared difference.
PACKAGE = """
class LPIPS:
    def __init__(self, net, spatial, verbose):
        assert (net, spatial, verbose) == ("alex", True, False)

    def __call__(self, first, second, normalize):
        assert normalize and first.shape[:2] == (1, 3)
        return ((first - second) ** 2).mean(dim=1, keepdim=True)
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    perceptual._model.cache_clear()
    yield
    perceptual._model.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package lpips for a while; return where its weights would be."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "lpips.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    importlib.invalidate_caches()
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def image(n_channels: int = 1, side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).random((n_channels, side, side))


def test_without_its_weights_it_is_not_asked(installed: Path):
    assert perceptual.lpips_map(image(), image()) is None


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_with_its_weights_it_judges_every_pixel(installed: Path, n_channels: int):
    (installed / "alexnet-owt-7be5be79.pth").touch()
    truth = image(n_channels)
    off = truth.copy()
    off[:, 10:20, 10:20] = 1 - off[:, 10:20, 10:20]
    found = perceptual.lpips_map(off, truth)
    assert found.shape == (64, 64) and found.dtype == np.float32
    expected = ((off - truth) ** 2).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert perceptual.lpips_map(image(side=63), image(side=63)) is None


def test_closeness_tells_it_inside_the_area(installed: Path):
    (installed / "alexnet-owt-7be5be79.pth").touch()
    truth, area = 1000 * image(), np.zeros((64, 64), bool)
    area[10:20, 10:20] = True
    spoilt = np.where(area, truth, 0)
    assert closeness(spoilt, truth, area).lpips == 0
    assert closeness(spoilt, truth, ~area).lpips > 0.1


def test_without_it_closeness_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # so that an installed one has no weights
    found = closeness(image(), image(), np.ones((64, 64), bool))
    assert found.lpips is None and found.psnr_db == math.inf
