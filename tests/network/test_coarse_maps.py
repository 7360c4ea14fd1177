from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.network.coarse_maps import coarse_maps


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch) -> Path:
    """Send scratch files to a folder of this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_small_maps_stay_in_memory(scratch):
    with coarse_maps((2, 8, 8, 24), 1) as maps:
        assert not isinstance(maps, np.memmap)
        assert list(scratch.iterdir()) == []


def test_maps_over_the_limit_go_to_a_file_that_is_gone_afterwards(scratch):
    with coarse_maps((12, 32, 32, 24), 1) as maps:
        assert isinstance(maps, np.memmap)
        assert [path.stat().st_size for path in scratch.rglob("*.f32")] == [maps.nbytes]
        maps[3] = 7
        assert (maps[3] == 7).all()
    assert list(scratch.iterdir()) == []


def test_scratch_file_is_gone_after_an_error(scratch):
    with pytest.raises(ValueError, match="stop"), coarse_maps((12, 32, 32, 24), 1):
        raise ValueError("stop")
    assert list(scratch.iterdir()) == []


def test_limit_is_compared_without_overflow(scratch):
    shape = (3000, 1024, 1024, 24)  # 302 GB: more than 2**32 values
    with pytest.MonkeyPatch.context() as patch:
        made = []
        patch.setattr(np, "memmap", lambda *a, **k: made.append(k["shape"]) or _NoMap())
        with coarse_maps(shape, 1024):
            pass
    assert made == [shape]


class _NoMap:
    """Stands for a file too large to make."""

    class _mmap:
        @staticmethod
        def close() -> None:
            """Do nothing."""
