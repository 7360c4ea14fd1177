from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.network.coarse_maps import MapsInFile, coarse_maps


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch) -> Path:
    """Send scratch files to a folder of this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_small_maps_stay_in_memory(scratch):
    with coarse_maps((2, 8, 8, 24), 1) as maps:
        assert isinstance(maps, np.ndarray)
        assert list(scratch.iterdir()) == []


def test_maps_over_the_limit_go_to_a_file_that_is_gone_afterwards(scratch):
    with coarse_maps((12, 32, 32, 24), 1) as maps:
        assert isinstance(maps, MapsInFile)
        sizes = [path.stat().st_size for path in scratch.rglob("*.f32")]
        assert sizes == [12 * 32 * 32 * 24 * 4]
        for k in range(12):
            maps[k] = np.full((32, 32, 24), k, np.float32)
        assert all((maps[k] == k).all() for k in range(12))
    assert list(scratch.iterdir()) == []


def test_scratch_file_is_gone_after_an_error(scratch):
    with pytest.raises(ValueError, match="stop"), coarse_maps((12, 32, 32, 24), 1):
        raise ValueError("stop")
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve space")
def test_disk_too_full_for_the_maps_is_an_error_before_anything_is_computed(scratch):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(OSError), coarse_maps((12, 64, 64, 24), 1):
            pytest.fail("there is no room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(scratch.iterdir()) == []
