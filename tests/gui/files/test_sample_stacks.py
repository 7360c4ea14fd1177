"""The synthetic stacks behind the samples."""

from __future__ import annotations

import numpy as np

from napari_gmff._napari.files.sample_stacks import (
    FLUORESCENCE_VOXEL_UM,
    RELIEF_VOXEL_UM,
    fluorescence_sample,
    relief_sample,
)


def test_the_truth_of_the_relief_lies_within_its_slices():
    sample = relief_sample(64)
    assert sample.stack.data.shape == (1, 1, 12, 64, 64, 3)
    assert sample.depth_um.shape == (64, 64)
    assert sample.known.all()
    assert sample.depth_um.min() == 0
    assert sample.depth_um.max() == sample.stack.z_positions_um[-1] == 11 * RELIEF_VOXEL_UM[0]


def test_the_truth_of_the_epithelium_is_known_where_there_are_cells():
    sample = fluorescence_sample(128)
    assert sample.stack.data.shape == (1, 2, 12, 128, 128)
    assert [channel.name for channel in sample.stack.channels] == ["nuclei", "membranes"]
    assert 0.2 < sample.known.mean() < 0.9
    assert 0 <= sample.depth_um.min() < sample.depth_um.max() <= 11 * FLUORESCENCE_VOXEL_UM[0]


def test_cells_are_brighter_than_the_ground_and_noisy():
    sample = fluorescence_sample(128)
    pixels = sample.stack.data[0].compute().astype(float)
    brightest = pixels.max(1).sum(0)
    assert brightest[sample.known].mean() > 1.2 * brightest[~sample.known].mean()
    ground = pixels[:, :, ~sample.known]
    assert (ground.std(axis=(1, 2)) > 5).all()
    assert np.percentile(pixels, 99.9) > 4095, "16 bit, not 12"
