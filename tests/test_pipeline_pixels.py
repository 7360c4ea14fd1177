"""Every fused pixel is a measured one, of the slice that the index names."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_gmff import fuse, read_stack
from tests.stacks import SMALL_BLOCKS, stack_of, textured

DTYPES = ("uint8", "uint16", "int16", "float32")


def chosen(planes: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return planes (Z, Y, X) at the slices of an index (Y, X)."""
    return np.take_along_axis(planes, index[None].astype(np.intp), axis=0)[0]


def assert_copied(found: np.ndarray, planes: np.ndarray, index: np.ndarray) -> None:
    """Compare the bits, so that NaN and -0.0 count too."""
    expected = chosen(planes, index)
    assert found.dtype == planes.dtype
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_grey_pixels_are_those_of_their_slice(dtype: str) -> None:
    array = textured((4, 150, 190), dtype)
    with fuse(stack_of(array), **SMALL_BLOCKS) as result:
        index = result.focus_index.compute()
        assert_copied(result.fused.compute(), array, index)
    assert np.unique(index).tolist() == [0, 1, 2, 3]
    middles = (np.arange(4) * 190 + 95) // 4
    assert (index[:, middles] == np.arange(4)).mean() > 0.95


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_samples_of_a_coloured_pixel_come_from_one_slice(dtype: str, samples: int) -> None:
    array = np.stack([textured((3, 60, 70), dtype, seed) for seed in range(samples)], axis=-1)
    with fuse(stack_of(array, "ZYXS")) as result:
        index = result.focus_index.compute()
        fused = result.fused.compute()
        names = [channel.name for channel in result.images["fused"].channels]
        assert result.geometry.is_rgb
    assert names == ["red", "green", "blue", "alpha"][:samples]
    for sample in range(samples):
        assert_copied(fused[sample], array[..., sample], index)


@pytest.mark.parametrize("dtype", DTYPES)
def test_time_points_and_channels_are_each_copied(dtype: str) -> None:
    # Axes T, C, Z, Y, X. The time points are sharp in different places.
    first = textured((2, 4, 60, 80), dtype)
    array = np.stack([first, first[:, ::-1], textured((2, 4, 60, 80), dtype, 7)])
    with fuse(stack_of(array, "TCZYX")) as result:
        index, fused = result.focus_index.compute(), result.fused.compute()
        assert result.images["fused"].axes == "tcyx"
        assert result.images["focus_index"].axes == "tyx"
    for t in range(3):
        for c in range(2):
            assert_copied(fused[t, c], array[t, c], index[t])
    np.testing.assert_array_equal(index[1, :, [10, 70]], 3 - index[0, :, [10, 70]])


def test_channels_of_colours_keep_every_sample() -> None:
    array = textured((2, 2, 3, 60, 50)).transpose(1, 2, 3, 4, 0)
    array = np.concatenate([array, array[..., :1]], axis=-1)  # C Z Y X S, S = 3
    with fuse(stack_of(array, "CZYXS")) as result:
        index, fused = result.focus_index.compute(), result.fused.compute()
        names = [channel.name for channel in result.images["fused"].channels]
        assert not result.geometry.is_rgb
    assert names[:4] == ["channel 0 red", "channel 0 green", "channel 0 blue", "channel 1 red"]
    for c in range(2):
        for s in range(3):
            assert_copied(fused[3 * c + s], array[c, ..., s], index)


def test_nan_and_infinite_pixels_are_never_chosen_while_another_slice_is_finite() -> None:
    array = textured((4, 70, 80), "float32")
    array[0, :40, :20] = np.nan  # where slice 0 is the sharp one
    array[1, 5, 60], array[2, 6, 60], array[3, 7, 60] = np.inf, -np.inf, np.nan
    array[:, 50:53, 10:12] = np.nan  # nothing to choose from
    array[:, 60, 60] = -0.0
    with fuse(stack_of(array)) as result:
        index, fused = result.focus_index.compute(), result.fused.compute()
        confidence, depth = result.confidence.compute(), result.depth.compute()
        (warning,) = result.provenance["warnings"]
    assert_copied(fused, array, index)
    assert np.argwhere(~np.isfinite(fused)).tolist() == [
        [y, x] for y in range(50, 53) for x in range(10, 12)
    ]
    assert (index[50:53, 10:12] == 0).all()
    assert (confidence[50:53, 10:12] == 0).all()
    assert np.isfinite(confidence).all()
    assert np.isfinite(depth).all()
    assert warning.startswith(f"{np.sum(~np.isfinite(array))} voxels are NaN or infinite")


def test_a_voxel_that_is_nan_in_one_channel_is_not_taken_from_any() -> None:
    array = textured((2, 3, 50, 60), "float32")
    array[1, 0, :, :20] = np.nan
    with fuse(stack_of(array, "CZYX"), channel=0) as result:
        assert (result.focus_index.compute()[:, :20] > 0).all()
        assert np.isfinite(result.fused.compute()).all()


def test_index_holds_numbers_of_the_source_in_a_range_of_slices() -> None:
    array = textured((6, 60, 90))
    with fuse(stack_of(array), z_range=(2, 5)) as result:
        index = result.focus_index.compute()
        assert_copied(result.fused.compute(), array, index)
        assert result.provenance["slices"]["numbers"] == [2, 3, 4]
        np.testing.assert_array_equal(result.depth_unrefined.compute(), index)
    assert np.unique(index).tolist() == [2, 3, 4]


@pytest.mark.parametrize(("n_slices", "dtype"), [(256, "uint8"), (257, "uint16")])
def test_index_has_the_smallest_type_that_holds_every_slice(n_slices: int, dtype: str) -> None:
    array = textured((n_slices, 8, 8))
    with fuse(stack_of(array), engine="laplacian-energy") as result:
        index = result.focus_index.compute()
        assert_copied(result.fused.compute(), array, index)
    assert index.dtype == dtype


def test_one_index_for_all_channels_and_the_chosen_channel_decides() -> None:
    forth = textured((3, 60, 90))
    back = np.ascontiguousarray(forth[::-1])
    stack = read_stack(np.stack([forth, back]), axes="CZYX")
    found = {}
    for channel in (0, 1, "channel 1", "combined"):
        with fuse(stack, channel=channel) as result:
            found[channel] = result.focus_index.compute()
            fused = result.fused.compute()
        assert_copied(fused[0], forth, found[channel])
        assert_copied(fused[1], back, found[channel])
    np.testing.assert_array_equal(found[1], found["channel 1"])
    assert (found[0][:, :25] == 0).mean() > 0.95
    assert (found[1][:, :25] == 2).mean() > 0.95


def test_a_channel_of_noise_hardly_counts_among_combined_ones() -> None:
    signal = textured((3, 96, 96), "uint16")
    noise = np.random.default_rng(1).normal(100, 3, signal.shape).astype(np.uint16)
    stack = stack_of(np.stack([signal, noise]), "CZYX")
    with fuse(stack, channel=0) as alone, fuse(stack) as combined:
        same = alone.focus_index.compute() == combined.focus_index.compute()
        weights = [one["weight"] for one in combined.provenance["inputs"]]
    assert sum(weights) == pytest.approx(1)
    assert same.mean() > 0.9


def test_projection_is_the_maximum_of_the_used_slices() -> None:
    array = textured((2, 5, 60, 70), "int16")
    options = {"z_range": (1, 4), "region": ((3, 50), (10, 60)), "projections": True}
    with fuse(stack_of(array, "CZYX"), **options) as result:
        found = result.image("max_projection").compute()
    np.testing.assert_array_equal(found, array[:, 1:4, 3:50, 10:60].max(1), strict=True)


def test_a_nan_does_not_blank_the_projection() -> None:
    array = textured((3, 20, 20), "float32")
    array[1, 4, 4] = np.nan
    with fuse(stack_of(array), projections=True) as result:
        found = result.image("max_projection").compute()
    np.testing.assert_array_equal(found, np.nanmax(array, axis=0))


def test_a_projection_is_only_made_on_request() -> None:
    with fuse(stack_of(textured((2, 16, 16)))) as result:
        assert "max_projection" not in result.images


def test_a_region_puts_the_result_where_it_lies_in_the_source() -> None:
    stack = read_stack(textured((2, 40, 50)), axes="ZYX", voxel_size_um=(1, 0.5, 0.25))
    with fuse(stack, region=((10, 30), (20, 44))) as result:
        assert result.geometry.origin_um == (5.0, 5.0)
        assert result.geometry.pixel_size_um == (0.5, 0.25)
        assert result.fused.shape == (20, 24)


def test_images_that_are_smaller_than_the_filters_are_fused() -> None:
    for shape in ((2, 1, 1), (3, 1, 17), (3, 40, 2)):
        array = textured(shape)
        with fuse(stack_of(array)) as result:
            assert_copied(result.fused.compute(), array, result.focus_index.compute())


def test_bytes_of_a_foreign_order_are_read_as_numbers() -> None:
    array = textured((3, 30, 40), "uint16")
    with fuse(stack_of(array.astype(">u2"))) as result:
        assert_copied(result.fused.compute(), array, result.focus_index.compute())


def test_a_lazy_source_is_never_held_whole() -> None:
    array = textured((12, 256, 256))
    read: list[int] = []

    def block(block_info=None):
        place = block_info[None]["array-location"]
        read.append(int(np.prod([stop - start for start, stop in place])))
        return array[tuple(slice(*bounds) for bounds in place)]

    chunks = ((1,) * 12, (64,) * 4, (64,) * 4)
    lazy = da.map_blocks(block, chunks=chunks, dtype=array.dtype, meta=np.empty((0, 0, 0), "u2"))
    with fuse(stack_of(lazy), region=((0, 60), (0, 60)), **SMALL_BLOCKS) as result:
        assert_copied(result.fused.compute(), array[:, :60, :60], result.focus_index.compute())
    assert max(read) == 64 * 64
