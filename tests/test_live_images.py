"""What a viewer shows while a result is filled and corrected: every level follows every block."""

from __future__ import annotations

import gc
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.pyramid import (
    halved_by_choice,
    halved_by_mean,
    is_averaged,
    level_shapes,
)
from napari_gmff.live_images import LiveImages

SHAPES_YX = [(600, 700), (513, 1025), (1030, 3), (257, 256), (256, 256), (1, 1)]


def spec_of(name: str, axes: str, shape: tuple[int, ...], dtype: str = "uint16") -> ImageSpec:
    kind = {"focus_index": "index", "depth": "depth", "confidence": "confidence"}.get(name)
    return ImageSpec(name, axes, shape, np.dtype(dtype), kind or "intensity")


def levels_from_scratch(spec: ImageSpec, image: np.ndarray) -> list[np.ndarray]:
    """Halve every plane of an image again and again."""
    reduce = halved_by_mean if is_averaged(spec) else halved_by_choice
    levels = [image]
    for shape_yx in level_shapes(spec.shape_yx)[1:]:
        planes = levels[-1].reshape(-1, *levels[-1].shape[-2:])
        halved = np.stack([reduce(plane) for plane in planes])
        assert halved.shape[-2:] == shape_yx
        levels.append(halved.reshape(*image.shape[:-2], *shape_yx))
    return levels


def random_image(spec: ImageSpec, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if spec.dtype.kind == "f":
        image = rng.random(spec.shape).astype(spec.dtype)
        image[rng.random(spec.shape) < 0.3] = np.nan
        return image
    return rng.integers(0, 60_000, spec.shape).astype(spec.dtype)


def random_places(
    shape_yx: tuple[int, int], count: int, seed: int = 1
) -> list[tuple[slice, slice]]:
    """Return blocks anywhere, of any size from one pixel to the whole, that may overlap."""
    rng = np.random.default_rng(seed)
    places = []
    for _ in range(count):
        ends = [sorted(rng.integers(0, side + 1, 2)) for side in shape_yx]
        (y0, y1), (x0, x1) = ((start, max(stop, start + 1)) for start, stop in ends)
        y0, x0 = min(y0, shape_yx[0] - 1), min(x0, shape_yx[1] - 1)
        places.append((slice(int(y0), int(y1)), slice(int(x0), int(x1))))
    return places


def times_of(spec: ImageSpec) -> range:
    return range(spec.n_times)


def plane_of(spec: ImageSpec, image: np.ndarray, time: int) -> np.ndarray:
    return image[time] if "t" in spec.axes else image


def put_blocks(
    images: LiveImages, spec: ImageSpec, image: np.ndarray, count: int = 12
) -> np.ndarray:
    """Put blocks of an image at random places; return full resolution as it must be now."""
    expected = images.levels(spec.name)[0].copy()
    for time in times_of(spec):
        for rows, columns in random_places(spec.shape_yx, count, seed=time):
            block = plane_of(spec, image, time)[..., rows, columns]
            images.put(spec.name, time, (rows, columns), block)
            plane_of(spec, expected, time)[..., rows, columns] = block
    return expected


def assert_levels(images: LiveImages, spec: ImageSpec, full: np.ndarray) -> None:
    found, expected = images.levels(spec.name), levels_from_scratch(spec, full)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("shape_yx", SHAPES_YX)
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("fused", "uint16"), ("fused", "uint8"), ("focus_index", "uint8"), ("depth", "float32")],
)
def test_levels_after_any_blocks_are_those_built_from_scratch(shape_yx, name, dtype):
    spec = spec_of(name, "yx", shape_yx, dtype)
    images = LiveImages([spec])
    full = put_blocks(images, spec, random_image(spec))
    assert_levels(images, spec, full)


@pytest.mark.parametrize(
    ("axes", "leading"), [("tyx", (2,)), ("cyx", (3,)), ("tcyx", (2, 3)), ("yx", ())]
)
def test_time_points_and_channels_are_kept_apart(axes, leading):
    spec = spec_of("fused", axes, (*leading, 515, 300))
    images = LiveImages([spec])
    full = put_blocks(images, spec, random_image(spec), count=5)
    assert_levels(images, spec, full)


def test_blocks_that_cover_the_image_give_the_image():
    spec = spec_of("fused", "cyx", (2, 530, 777))
    image, images = random_image(spec), LiveImages([spec])
    for y, x in itertools.product(range(0, 530, 101), range(0, 777, 333)):
        rows, columns = slice(y, min(y + 101, 530)), slice(x, min(x + 333, 777))
        images.put("fused", 0, (rows, columns), image[..., rows, columns])
    assert_levels(images, spec, image)


def test_what_was_not_put_yet_is_no_data_in_depth_and_zero_elsewhere():
    specs = [
        spec_of("fused", "yx", (300, 300)),
        spec_of("focus_index", "yx", (300, 300), "uint8"),
        spec_of("depth", "yx", (300, 300), "float32"),
        spec_of("confidence", "yx", (300, 300), "float32"),
    ]
    images = LiveImages(specs)
    assert list(images.specs) == ["fused", "focus_index", "depth", "confidence"]
    for spec in specs:
        for level in images.levels(spec.name):
            assert np.isnan(level).all() if spec.name == "depth" else not level.any()


def test_levels_are_the_arrays_themselves_so_that_layers_see_changes():
    images = LiveImages([spec_of("fused", "yx", (300, 300))])
    shown = images.levels("fused")
    images.put("fused", 0, (slice(0, 2), slice(0, 2)), np.full((2, 2), 8, np.uint16))
    assert shown[0][1, 1] == shown[1][0, 0] == 8


def test_an_image_that_is_not_there_is_refused():
    with pytest.raises(KeyError):
        LiveImages([]).levels("fused")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Send scratch files to a folder of this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("axes", ["yx", "tcyx"])
def test_large_results_in_scratch_files_equal_those_in_memory(axes, scratch):
    leading = (2, 2) if axes == "tcyx" else ()
    specs = [
        spec_of("fused", axes, (*leading, 520, 411)),
        spec_of("depth", axes.replace("c", ""), (*leading[:1], 520, 411), "float32"),
    ]
    on_disk, in_memory = LiveImages(specs, memory_bytes=0), LiveImages(specs)
    assert len(list(scratch.rglob("*.npy"))) == 2 * 3
    for spec in specs:
        image = random_image(spec)
        full = put_blocks(on_disk, spec, image, count=4)
        put_blocks(in_memory, spec, image, count=4)
        assert_levels(on_disk, spec, full)
        assert_levels(in_memory, spec, full)


def test_scratch_files_are_made_only_above_the_limit_and_go_with_the_images(scratch):
    spec = spec_of("fused", "yx", (300, 300))
    n_bytes = 2 * (300 * 300 + 150 * 150)
    kept = LiveImages([spec], memory_bytes=n_bytes)
    assert list(scratch.iterdir()) == []
    images = LiveImages([spec], memory_bytes=n_bytes - 1)
    assert len(list(scratch.iterdir())) == 1
    del images
    gc.collect()
    assert list(scratch.iterdir()) == []
    assert len(kept.levels("fused")) == 2
