from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_gmff.errors import OutputError, ParameterError
from napari_gmff.height_profile import HeightProfile, height_profile

SIZE_UM = (0.5, 0.25)


def plane(shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Return heights of 3 µm per row and 0.5 µm per column above 10 µm."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (10 + 3.0 * y + 0.5 * x).astype(np.float32)


def test_a_slanted_line_over_a_plane_has_its_length_and_heights() -> None:
    profile = height_profile(plane(), [(10, 10), (40, 50)], SIZE_UM)
    assert profile.length_um == pytest.approx(math.hypot(30 * 0.5, 40 * 0.25))
    assert profile.height_difference_um == pytest.approx(30 * 3 + 40 * 0.5)
    expected = 10 + 3 * profile.y_px + 0.5 * profile.x_px
    np.testing.assert_allclose(profile.height_um, expected, atol=1e-4)
    assert len(profile.distance_um) == 51
    np.testing.assert_allclose(np.diff(profile.distance_um), profile.length_um / 50)


def test_the_difference_has_the_sign_of_the_way_and_the_range_has_none() -> None:
    up = height_profile(plane(), [(10, 10), (40, 10)], SIZE_UM)
    down = height_profile(plane(), [(40, 10), (10, 10)], SIZE_UM)
    assert up.height_difference_um == -down.height_difference_um == pytest.approx(90)
    assert up.height_range_um == down.height_range_um == pytest.approx(90)


def test_a_bent_line_passes_through_each_corner() -> None:
    corners = [(5.0, 5.0), (5.0, 20.5), (30.0, 20.5)]
    profile = height_profile(plane(), corners, SIZE_UM)
    places = np.column_stack([profile.y_px, profile.x_px])
    for corner in corners:
        assert np.abs(places - corner).max(axis=1).min() == 0
    assert profile.length_um == pytest.approx(15.5 * 0.25 + 25 * 0.5)


def test_width_averages_across_the_line_and_not_along_it() -> None:
    y, x = np.mgrid[:60, :80]
    ridges = np.where(y % 2 == 0, 4.0, 6.0) + x
    narrow = height_profile(ridges, [(30, 10), (30, 60)], SIZE_UM)
    wide = height_profile(ridges, [(30, 10), (30, 60)], SIZE_UM, width_px=20)
    np.testing.assert_allclose(narrow.height_um, 4 + narrow.x_px)
    np.testing.assert_allclose(wide.height_um, 5 + wide.x_px)


def test_pixels_without_depth_do_not_count_and_are_gaps_where_they_are_alone() -> None:
    depth = plane()
    depth[:, 30] = np.nan
    depth[20, 50] = np.nan
    profile = height_profile(depth, [(20, 10), (20, 70)], SIZE_UM)
    gaps = profile.x_px[np.isnan(profile.height_um)]
    np.testing.assert_array_equal(gaps, [30, 50])
    wide = height_profile(depth, [(20, 10), (20, 70)], SIZE_UM, width_px=3)
    np.testing.assert_array_equal(wide.x_px[np.isnan(wide.height_um)], [30])
    at_50 = wide.height_um[wide.x_px == 50]
    np.testing.assert_allclose(at_50, 10 + 3 * 20 + 0.5 * 50)


def test_between_pixels_a_height_comes_from_those_that_have_one() -> None:
    depth = np.array([[1.0, np.nan], [1.0, np.nan]], np.float32)
    profile = height_profile(depth, [(0, 0.0), (0, 0.4), (0, 0.9)], SIZE_UM)
    np.testing.assert_array_equal(profile.height_um, [1, 1, np.nan])


def test_outside_the_image_there_is_no_height() -> None:
    profile = height_profile(plane(), [(-10, 40), (10, 40)], SIZE_UM)
    np.testing.assert_array_equal(np.isnan(profile.height_um), profile.y_px < -0.5)
    assert profile.height_difference_um == pytest.approx(30)
    away = height_profile(plane(), [(-10, 40), (-5, 40)], SIZE_UM)
    assert np.isnan(away.height_um).all()
    assert math.isnan(away.height_difference_um)
    assert math.isnan(away.height_range_um)


def test_a_height_is_read_at_any_distance() -> None:
    profile = height_profile(plane(), [(10, 10), (20, 10)], SIZE_UM)
    assert profile.height_at(2.25) == pytest.approx(10 + 3 * 14.5 + 5)
    assert profile.height_at(99) == profile.height_um[-1]


def test_the_table_has_units_and_leaves_unknown_heights_empty(tmp_path: Path) -> None:
    depth = plane()
    depth[12, 10] = np.nan
    profile = height_profile(depth, [(10, 10), (14, 10)], SIZE_UM)
    path = profile.save_csv(tmp_path / "profile.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["distance_um", "height_um", "y_px", "x_px"]
    assert [row[1] for row in rows] == ["45", "48", "", "54", "57"]
    assert [float(row[0]) for row in rows] == [0, 0.5, 1, 1.5, 2]
    assert profile.as_table("\t").splitlines()[1] == "0\t45\t10\t10"


def test_a_high_stage_does_not_cost_digits() -> None:
    profile = height_profile(np.full((9, 9), 35000.25), [(1, 1), (5, 5)], SIZE_UM)
    assert profile.as_table().splitlines()[1].split(",")[1] == "35000.25"


def test_a_table_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    path = tmp_path / "profile.csv"
    path.write_text("precious")
    profile = height_profile(plane(), [(10, 10), (14, 10)], SIZE_UM)
    with pytest.raises(OutputError, match="already exists"):
        profile.save_csv(path)
    assert path.read_text() == "precious"
    profile.save_csv(path, overwrite=True)
    assert path.read_text().startswith("distance_um")


def test_of_a_lazy_map_only_the_part_around_the_line_is_read() -> None:
    read = []

    def block(block_info: Any = None) -> np.ndarray:
        (rows, columns) = block_info[None]["array-location"]
        read.append((rows[0], columns[0]))
        return np.full((100, 100), float(columns[0]))

    chunks = ((100,) * 5, (100,) * 5)
    lazy = da.map_blocks(block, chunks=chunks, dtype=np.float64, meta=np.empty((0, 0)))
    profile = height_profile(lazy, [(120, 210), (180, 290)], SIZE_UM)
    assert read == [(100, 200)]
    assert (profile.height_um == 200).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": np.zeros((2, 9, 9))}, "axes Y and X"),
        ({"line_points_px": [(1, 1)]}, "two or more of"),
        ({"line_points_px": [(1, 1, 1), (2, 2, 2)]}, "two or more of"),
        ({"line_points_px": [(1, 1), (1, 1)]}, "two different points"),
        ({"line_points_px": [(1, 1), (1, math.inf)]}, "finite"),
        ({"pixel_size_um": (0.5, None)}, "pixel_size_um: lengths are measured in µm"),
        ({"pixel_size_um": (0.5, -1.0)}, "above 0"),
        ({"width_px": 0}, "width_px: must be from 1"),
        ({"depth_unit": "slice"}, "heights are measured in µm, got a depth in units of 'slice'"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    sound = {
        "depth": plane(),
        "line_points_px": [(1, 1), (5, 5)],
        "pixel_size_um": SIZE_UM,
    }
    with pytest.raises(ParameterError, match=message):
        height_profile(**{**sound, **arguments})


def test_a_profile_is_measured_on_a_result() -> None:
    from napari_gmff import fuse
    from tests.stacks import stack_of, textured

    stack = stack_of(textured(), voxel_size_um=(2.0, *SIZE_UM))
    with fuse(stack, engine="laplacian-energy") as result:
        profile = height_profile(
            result.depth,
            [(45, 5), (45, 65)],
            result.geometry.pixel_size_um,
            width_px=9,
            depth_unit=result.depth_unit,
        )
    assert isinstance(profile, HeightProfile)
    # The stack's slices are sharp from left to right, 2 µm apart.
    assert profile.height_difference_um == pytest.approx(6, abs=1)
