from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_gmff.restoration.diffusion.shared_norms import SharedNorms
from napari_gmff.windows import Box


@pytest.fixture
def network() -> nn.Module:
    network = nn.Sequential(
        nn.GroupNorm(2, 4), nn.Conv2d(4, 8, 1), nn.SiLU(), nn.GroupNorm(4, 8)
    ).requires_grad_(False)
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


@pytest.fixture
def image() -> torch.Tensor:
    image = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    image[..., 8:] = 0.1 * image[..., 8:] + 5
    return image


def test_a_batch_is_normalised_as_one_image(network, image):
    norms = SharedNorms(network, 8)
    halves = torch.cat(image.split(8, dim=3))
    whole = Box(0, 8, 0, 8)
    with norms.measuring([whole, whole]):
        measured = network(halves)
    expected = network(image)
    torch.testing.assert_close(torch.cat(measured.split(1), dim=3), expected)
    with norms.applying():
        torch.testing.assert_close(network(halves[1:]), expected[..., 8:])


def test_only_cores_are_looked_at(network, image):
    norms = SharedNorms(network, 8)
    spoilt = image[..., :8].clone()
    spoilt[..., 6:] = 1000
    with norms.measuring([Box(0, 8, 0, 6)]):
        network(spoilt)
    with norms.applying():
        found = network(image[..., :6])
    torch.testing.assert_close(found, network(image[..., :6]))


def test_several_batches_count_together(network, image):
    first = network[:1]  # what comes to the first norm does not depend on any other
    norms = SharedNorms(first, 8)
    for half in image.split(8, dim=3):
        with norms.measuring([Box(0, 8, 0, 8)]):
            first(half)
    with norms.applying():
        found = first(image)
    torch.testing.assert_close(found, first(image))


def test_the_network_is_left_as_it_was(network, image):
    expected = network(image)
    norms = SharedNorms(network, 8)
    with pytest.raises(RuntimeError, match="stopped"), norms.measuring([Box(0, 8, 0, 8)]):
        raise RuntimeError("stopped")
    assert not any("forward" in vars(module) for module in network)
    torch.testing.assert_close(network(image), expected)
