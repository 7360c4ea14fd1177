"""What holds of every fusion: of any shape, pixel type, storage, axis order, window and region."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from napari_gmff import FocusStack, fuse, read_stack
from tests.stacks import assert_same_images, random_weights, textured

SIDES = st.one_of(st.integers(1, 40), st.sampled_from([1, 2, 127, 128, 129, 255, 300, 517]))

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def bounded(max_examples: int) -> settings:
    """Return settings for so many fusions, which take as long as they take."""
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=SLOW)


@dataclass(frozen=True, repr=False)
class Case:
    """A stack (T, C, Z, Y, X[, S]), and how it is fused."""

    array: np.ndarray
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"Case({self.array.shape} {self.array.dtype}, {self.options})"

    @property
    def axes(self) -> str:
        return "TCZYXS"[: self.array.ndim]


@st.composite
def arrays(draw: st.DrawFn, sides: st.SearchStrategy[int] = SIDES) -> np.ndarray:
    """Draw a stack: textured, flat or extreme, with invalid pixels among floating ones."""
    height, width = draw(sides), draw(sides)
    outer = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 9)))
    samples = draw(st.sampled_from([1, 1, 3, 4]))
    dtype = draw(st.sampled_from(["uint8", "uint16", "int16", "float32"]))
    seed = draw(st.integers(0, 99))
    shape = (samples, *outer, height, width)
    array = np.moveaxis(textured(shape, dtype, seed), 0, -1)
    content = draw(st.sampled_from(["textured", "textured", "flat", "extreme", "invalid"]))
    rng = np.random.default_rng(seed)
    if content == "flat":
        array = np.full_like(array, array.flat[0])
    elif content == "extreme":
        limits = np.finfo(dtype) if dtype == "float32" else np.iinfo(dtype)
        array = np.where(rng.random(array.shape) < 0.5, limits.min, limits.max).astype(dtype)
    elif content == "invalid" and dtype == "float32":
        array = np.where(rng.random(array.shape) < 0.3, np.float32("nan"), array)
        array.flat[:: max(1, array.size // 5)] = np.inf
    return np.ascontiguousarray(array if samples > 1 else array[..., 0])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a stack and the options of its fusion."""
    block_px = draw(st.sampled_from([128, 256, 1024]))
    options = {
        "engine": "laplacian-energy",
        "block_px": block_px,
        "halo_px": draw(st.integers(0, block_px // 8 - 1)) * 4,
        "slice_order": draw(st.sampled_from(["auto", "ordered", "unordered"])),
        "input_sigma_px": draw(st.sampled_from(["auto", 0, 1.5])),
        "input_range": draw(st.sampled_from(["auto", "dtype"])),
        "projections": draw(st.booleans()),
    }
    case = Case(draw(arrays()), options)
    note(f"{case.array.shape} {case.array.dtype} {options}")
    return case


def images_of(stack: FocusStack, options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Fuse, and return all images with every axis of T, C, Y and X."""
    with stack, fuse(stack, **options) as result:
        return {
            name: result.image(name).compute().reshape(spec.n_times, -1, *spec.shape_yx)
            for name, spec in result.images.items()
        }


def planes_of(array: np.ndarray) -> np.ndarray:
    """Return a stack as (T, C, Z, Y, X), where samples are channels."""
    if array.ndim == 5:
        return array
    moved = np.moveaxis(array, -1, 2)
    return moved.reshape(moved.shape[0], -1, *moved.shape[3:])


@bounded(15)
@given(case=cases(), z_nm=st.lists(st.integers(-(10**6), 10**6), min_size=9, unique=True))
def test_every_result_keeps_its_promises(case: Case, z_nm: list[int]) -> None:
    n_slices = case.array.shape[2]
    stack = read_stack(case.array, axes=case.axes)
    ordered = case.options["slice_order"] == "ordered"
    positions = np.array(sorted(z_nm[:n_slices]) if ordered else z_nm[:n_slices]) / 1000
    stack = FocusStack(stack.data, "drawn", z_positions_um=positions)
    images = images_of(stack, case.options)
    index = images["focus_index"]
    assert index.dtype == np.uint8
    assert index.max() < n_slices
    expected = np.take_along_axis(planes_of(case.array), index[:, :, None].astype(np.intp), axis=2)
    assert images["fused"].dtype == case.array.dtype
    assert images["fused"].tobytes() == np.ascontiguousarray(expected[:, :, 0]).tobytes()
    confidence, depth = images["confidence"], images["depth"]
    assert confidence.dtype == depth.dtype == np.float32
    assert ((confidence >= 0) & (confidence <= 1)).all()
    slack_um = 1e-6 * np.abs(positions).max()
    inside = (depth >= positions.min() - slack_um) & (depth <= positions.max() + slack_um)
    assert (inside | np.isnan(depth)).all()
    unrefined = images.get("depth_unrefined", depth)
    np.testing.assert_allclose(unrefined, positions[index], rtol=1e-6, atol=1e-9)


def as_given(array: np.ndarray, axes: str, folder: Path, data: st.DataObject) -> FocusStack:
    """Return the same stack in another form: laid out, cut up or stored otherwise."""
    form = data.draw(st.sampled_from(["fortran", "strided", "swapped", "dask", "zarr", "tiff"]))
    chunks = tuple(data.draw(st.integers(1, max(1, length))) for length in array.shape)
    note(f"{form} {chunks}")
    if form == "tiff":
        # Of the axes of an OME-TIFF the samples are the last, and all others are there.
        options: dict[str, Any] = {"photometric": "rgb"} if array.ndim == 6 else {}
        layout = data.draw(
            st.sampled_from([{}, {"rowsperstrip": 3}, {"tile": (16, 32)}, {"compression": "lzw"}])
        )
        tifffile.imwrite(
            folder / "a.ome.tif",
            array,
            ome=True,
            metadata={"axes": axes},
            byteorder=data.draw(st.sampled_from("<>")),
            **({"photometric": "minisblack"} | options | layout),
        )
        return read_stack(folder / "a.ome.tif", axes=axes)
    if form == "zarr":
        zarr.create_array(folder / "a.zarr", data=array, chunks=chunks)
        return read_stack(folder / "a.zarr", axes=axes)
    others = {
        "fortran": np.asfortranarray(array),
        "strided": np.repeat(array, 2, axis=-1)[..., ::2][::-1][::-1],
        "swapped": array.astype(array.dtype.newbyteorder()),
        "dask": da.from_array(array, chunks=chunks),
    }
    return read_stack(others[form], axes=axes)


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for each example: a fixture would be shared by all."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@bounded(10)
@given(case=cases(), data=st.data())
def test_how_a_stack_is_stored_changes_nothing(case: Case, data: st.DataObject) -> None:
    expected = images_of(read_stack(case.array, axes=case.axes), case.options)
    with folder() as path:
        stack = as_given(case.array, case.axes, path, data)
        assert_same_images(images_of(stack, case.options), expected)


@bounded(8)
@given(case=cases(), data=st.data())
def test_the_order_of_axes_changes_nothing(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(case.array.ndim)))
    axes = "".join(case.axes[place] for place in order)
    note(axes)
    expected = images_of(read_stack(case.array, axes=case.axes), case.options)
    found = images_of(read_stack(case.array.transpose(order), axes=axes), case.options)
    assert_same_images(found, expected)


@bounded(8)
@given(case=cases(), data=st.data())
def test_a_region_is_the_crop_of_the_whole_for_every_kind_of_stack(
    case: Case, data: st.DataObject
) -> None:
    bounds = []
    for length in case.array.shape[3:5]:
        start = data.draw(st.integers(0, length - 1))
        bounds.append((start, data.draw(st.integers(start + 1, length))))
    note(str(bounds))
    stack = read_stack(case.array, axes=case.axes)
    whole = images_of(stack, case.options)
    part = images_of(stack, {**case.options, "region": tuple(bounds)})
    (y0, y1), (x0, x1) = bounds
    assert_same_images(part, {name: image[..., y0:y1, x0:x1] for name, image in whole.items()})


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return options that run the network with weights that nobody trained."""
    weights = str(random_weights(tmp_path_factory.mktemp("weights")))
    return {"engine": "stackmff-v4", "weights": weights, "device": "cpu", "block_px": 128}


@bounded(2)
@given(array=arrays(st.sampled_from([1, 33, 150])), data=st.data())
def test_the_network_keeps_its_promises_however_the_stack_is_stored(
    network: dict[str, Any], array: np.ndarray, data: st.DataObject
) -> None:
    case = Case(array[:1, :1, :3], {**network, "halo_px": 32})
    expected = images_of(read_stack(case.array, axes=case.axes), case.options)
    index = expected["focus_index"][:, :, None].astype(np.intp)
    pixels = np.take_along_axis(planes_of(case.array), index, axis=2)[:, :, 0]
    assert expected["fused"].tobytes() == np.ascontiguousarray(pixels).tobytes()
    assert ((expected["confidence"] >= 0) & (expected["confidence"] <= 1)).all()
    with folder() as path:
        stack = as_given(case.array, case.axes, path, data)
        assert_same_images(images_of(stack, case.options), expected)
