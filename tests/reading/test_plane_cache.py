"""Planes that can only be decoded whole are decoded once, in memory or through a scratch file."""

from __future__ import annotations

import errno
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_gmff.errors import SourceError
from napari_gmff.reading.plane_cache import CachedPlanes
from napari_gmff.reading.planes import PlaneArray, lazy_array

PLANES = np.random.default_rng(2).integers(0, 60000, (5, 40, 30, 3), dtype="u2")


def counted(limit_bytes: int, band_rows: int | None) -> tuple[CachedPlanes, list[tuple]]:
    decoded: list[tuple] = []

    def decode(plane: int, rows: tuple[int, int]) -> np.ndarray:
        decoded.append((plane, rows))
        return PLANES[plane, slice(*rows)]

    cache = CachedPlanes(
        decode, 5, (40, 30, 3), PLANES.dtype, band_rows=band_rows, memory_limit_bytes=limit_bytes
    )
    return cache, decoded


@pytest.mark.parametrize("limit_bytes", [10**6, 0])
@pytest.mark.parametrize("band_rows", [None, 7, 40])
def test_windows_over_all_planes_decode_each_band_once(
    limit_bytes: int, band_rows: int | None
) -> None:
    cache, decoded = counted(limit_bytes, band_rows)

    def check(task: tuple[int, int, int]) -> None:
        plane, y, x = task
        window = cache.read(plane, (y, y + 11), (x, x + 9))
        np.testing.assert_array_equal(window, PLANES[plane, y : y + 11, x : x + 9])

    tasks = [(z, y, x) for y in (0, 5, 14, 22, 29) for x in (0, 21) for z in range(5)] * 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, tasks))
    assert len(decoded) == len(set(decoded))
    assert sum(rows[1] - rows[0] for _, rows in decoded) == 5 * 40
    cache.close()


def test_bands_outside_the_window_are_not_decoded() -> None:
    cache, decoded = counted(0, 10)
    cache.read(2, (12, 18), (0, 30))
    assert decoded == [(2, (10, 20))]
    cache.close()


def test_full_disk_names_the_source_and_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    # A disk cannot be filled in a test; everything after the refusal is real.
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    cache, _ = counted(0, None)
    with pytest.raises(SourceError, match=r"no room for its decoded planes.*No space left"):
        cache.read(0, (0, 4), (0, 4))


@pytest.mark.parametrize(
    "key",
    [
        np.s_[0, 0, 3, 7, 11, 2],
        np.s_[0, :, 1:4, ::-3, 5:29:4],
        np.s_[:, 0, -1, 39:2:-5, -2, 1:],
        np.s_[0, 0, :, 8:8, 3],
        np.s_[0, 0, 2:2],
    ],
)
def test_any_index_reads_what_numpy_would(key: tuple) -> None:
    cache, _ = counted(10**6, 7)
    array = PlaneArray(cache, (1, 1, 5))
    expected = PLANES[None, None][key]
    np.testing.assert_array_equal(array[key], expected)
    np.testing.assert_array_equal(lazy_array(array)[key].compute(), expected)
    cache.close()
