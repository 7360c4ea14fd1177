"""TIFFs of microscope programs: Micro-Manager, MetaMorph and Zeiss, imitated byte by byte."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gmff import list_positions, read_stack
from napari_gmff.errors import SourceError
from tests.reading.made_tiffs import write_lsm, write_mmstack, write_ndtiff, write_stk

RNG = np.random.default_rng(6)

MM_SUMMARY = {
    "Slices": 3,
    "Channels": 2,
    "Positions": 1,
    "z-step_um": -0.75,
    "PixelSize_um": 0.108,
    "ChNames": ["DAPI", "GFP"],
    "ChColors": [255, -16711936],
}


def pixels(*shape: int, dtype: str = "u2") -> np.ndarray:
    return RNG.integers(0, 250, shape).astype(dtype)


def mm_planes(data: np.ndarray, position: int = 0, frame: int = 0) -> dict:
    """Planes of (C, Z, Y, X) by their place in an MMStack file."""
    return {(c, z, frame, position): data[c, z] for z, c in np.ndindex(data.shape[1::-1])}


def assert_reads(source: object, expected: np.ndarray, **options: object) -> None:
    with read_stack(source, **options) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), expected)


@pytest.mark.parametrize("said", ["summary", "plane"])
def test_mmstack_has_its_step_pixel_size_and_channels_in_um(tmp_path: Path, said: str) -> None:
    data = pixels(2, 3, 12, 14)
    summary = MM_SUMMARY if said == "summary" else MM_SUMMARY | {"PixelSize_um": 0}
    plane = {"PixelSizeUm": 0.108} if said == "plane" else {}
    path = write_mmstack(tmp_path / "a_MMStack.ome.tif", mm_planes(data), summary, plane)
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data)
        assert stack.voxel_size_um == (0.75, 0.108, 0.108)
        np.testing.assert_allclose(stack.z_positions_um, [0, -0.75, -1.5])
        assert [(one.name, one.color) for one in stack.channels] == [
            ("DAPI", "0000FF"),
            ("GFP", "00FF00"),
        ]
        assert stack.storage is not None
        assert stack.storage.kind == "Micro-Manager stack"


@pytest.mark.parametrize("is_one_file", [True, False])
def test_positions_of_mmstack_are_found_in_one_file_or_several(
    tmp_path: Path, is_one_file: bool
) -> None:
    data = pixels(3, 2, 3, 12, 14)
    labels = [{"Label": f"well {one}"} for one in "ABC"]
    summary = MM_SUMMARY | {"Positions": 3, "StagePositions": labels, "Prefix": "exp"}
    planes = [mm_planes(one, position) for position, one in enumerate(data)]
    if is_one_file:
        together = planes[0] | planes[1] | planes[2]
        path = write_mmstack(tmp_path / "exp_MMStack.ome.tif", together, summary)
    else:
        for number, one in enumerate(planes):
            path = write_mmstack(tmp_path / f"exp_MMStack_Pos{number}.ome.tif", one, summary)
    for source in (path, tmp_path):
        assert [one.name for one in list_positions(source)] == ["well A", "well B", "well C"]
        assert_reads(source, data[0])
        assert_reads(source, data[2], position="well C")


def test_single_images_of_micro_manager_have_its_step_and_pixel_size(tmp_path: Path) -> None:
    data = pixels(3, 12, 14)
    for number, plane in enumerate(data):
        tifffile.imwrite(tmp_path / f"img_channel000_z{number:03}.tif", plane)
    summary = MM_SUMMARY | {"Channels": 1, "ChNames": ["DAPI"], "ChColors": [255]}
    (tmp_path / "metadata.txt").write_text(json.dumps({"Summary": summary, "Coords-a": {}}))
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        assert stack.voxel_size_um == (0.75, 0.108, 0.108)
        np.testing.assert_allclose(stack.z_positions_um, [0, -0.75, -1.5])
        assert stack.channels[0].name == "DAPI"
    for key, what in (("Channels", "2 channels"), ("Frames", "2 time points")):
        several = {"Summary": summary | {key: 2}}
        (tmp_path / "metadata.txt").write_text(json.dumps(several))
        with pytest.raises(SourceError, match=f"its images are of {what}"):
            read_stack(tmp_path)
    (tmp_path / "metadata.txt").write_text("notes of my own")
    with read_stack(tmp_path) as stack:
        assert stack.voxel_size_um == (None, None, None)


def test_mmstack_without_its_other_files_says_so(tmp_path: Path) -> None:
    data = pixels(2, 3, 12, 14)
    summary = MM_SUMMARY | {"Positions": 3, "Prefix": "exp"}
    path = write_mmstack(tmp_path / "exp_MMStack_Pos1.ome.tif", mm_planes(data, 1), summary)
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data)
        assert any("fewer planes than were planned" in note for note in stack.notes)


def test_a_missing_plane_of_mmstack_is_refused(tmp_path: Path) -> None:
    planes = mm_planes(pixels(2, 3, 12, 14))
    del planes[1, 1, 0, 0]
    path = write_mmstack(tmp_path / "a_MMStack.ome.tif", planes, MM_SUMMARY)
    with pytest.raises(SourceError, match="6 planes are described, found 5"):
        read_stack(path)


def nd_planes(data: np.ndarray, position: int | str | None = None) -> list:
    """Planes of (C, Z, Y, X) of an NDTiff dataset; slices are numbered from -1."""
    where = {} if position is None else {"position": position}
    return [
        (
            {**where, "channel": name, "z": z - 1},
            data[c, z],
            {"PixelSizeUm": 0.2, "ZPositionUm": 100 + 0.3 * z**2},
        )
        for (c, name), z in product(enumerate(("DAPI", "GFP")), range(data.shape[1]))
    ]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("planes_each", [1000, 4])
def test_ndtiff_is_read_from_its_index_with_the_height_of_each_slice(
    tmp_path: Path, version: int, planes_each: int
) -> None:
    data = pixels(2, 3, 12, 14)
    folder = tmp_path / "nd"
    options = {"version": version, "planes_each": planes_each}
    write_ndtiff(folder, nd_planes(data), {"z-step_um": 0.5}, **options)
    for source in (folder, folder / "NDTiffStack.tif"):
        with read_stack(source) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), data)
            window = stack.data[0, 1, 2, 3:9, 5:11].compute()
            np.testing.assert_array_equal(window, data[1, 2, 3:9, 5:11])
            assert stack.voxel_size_um == (0.5, 0.2, 0.2)
            np.testing.assert_allclose(stack.z_positions_um, [100, 100.3, 101.2])
            assert [one.name for one in stack.channels] == ["DAPI", "GFP"]


@pytest.mark.parametrize("positions", [(0, 1), ("A1", "B2")])
def test_positions_of_ndtiff_are_stacks_of_their_own(tmp_path: Path, positions: tuple) -> None:
    data = pixels(2, 2, 3, 12, 14)
    planes = [
        plane
        for one, position in zip(data, positions, strict=True)
        for plane in nd_planes(one, position)
    ]
    folder = write_ndtiff(tmp_path / "nd" / "Full resolution", planes, {}).parent
    (folder / "Downsampled_x2").mkdir()
    expected = [f"Pos{one}" if isinstance(one, int) else one for one in positions]
    assert [one.name for one in list_positions(folder)] == expected
    for number, one in enumerate(data):
        assert_reads(folder, one, position=number)


@pytest.mark.parametrize(
    ("named", "reason"),
    [("gone.tif", "is missing, 'gone.tif'"), ("../out.tif", "must lie in its own folder")],
)
def test_an_ndtiff_index_leads_nowhere_else(tmp_path: Path, named: str, reason: str) -> None:
    folder = write_ndtiff(tmp_path / "nd", nd_planes(pixels(2, 3, 12, 14)), {})
    index = folder / "NDTiff.index"
    old = b"NDTiffStack.tif"
    new = named.encode()
    changed = index.read_bytes().replace(
        len(old).to_bytes(4, "little") + old, len(new).to_bytes(4, "little") + new
    )
    index.write_bytes(changed)
    for source in (folder, folder / "NDTiffStack.tif"):
        with pytest.raises(SourceError, match=reason):
            read_stack(source)


@pytest.mark.parametrize("kind", ["mmstack", "ndtiff"])
def test_numbers_beyond_any_stack_are_damage_and_take_no_time(tmp_path: Path, kind: str) -> None:
    data = pixels(2, 3, 12, 14)
    if kind == "mmstack":
        planes = mm_planes(data) | {(0, 0, 0, 2**31): data[0, 0]}
        source = write_mmstack(tmp_path / "a_MMStack.ome.tif", planes, MM_SUMMARY)
    else:
        source = write_ndtiff(tmp_path / "nd", [*nd_planes(data, 0), *nd_planes(data, 2**31)], {})
    with pytest.raises(SourceError, match=r"its numbers make .* planes, of 1000000 at most"):
        read_stack(source)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_a_cut_ndtiff_index_is_refused(tmp_path: Path, part: float) -> None:
    folder = write_ndtiff(tmp_path / "nd", nd_planes(pixels(2, 3, 12, 14)), {})
    index = folder / "NDTiff.index"
    index.write_bytes(index.read_bytes()[: int(index.stat().st_size * part)])
    with pytest.raises(SourceError) as caught:
        read_stack(folder / "NDTiffStack.tif")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_stk_planes_are_slices_at_their_calibrated_distance(tmp_path: Path, dtype: str) -> None:
    data = pixels(4, 12, 14, dtype=dtype)
    path = write_stk(tmp_path / "a.stk", data, calibration=0.25, units="um", distance=1.5)
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        np.testing.assert_array_equal(stack.data[0, 0, 2, 3:5, 1:4].compute(), data[2, 3:5, 1:4])
        assert stack.voxel_size_um == (1.5, 0.25, 0.25)
        assert stack.storage is not None
        assert stack.storage.kind == "MetaMorph STK"


def test_stk_heights_of_the_stage_are_kept(tmp_path: Path) -> None:
    heights = [10.0, 11.0, 13.0, 16.0]
    path = write_stk(tmp_path / "a.stk", pixels(4, 12, 14), distance=1.0, stage=heights)
    with read_stack(path) as stack:
        np.testing.assert_allclose(stack.z_positions_um, heights)


def test_stk_pixels_without_calibration_have_no_size(tmp_path: Path) -> None:
    path = write_stk(tmp_path / "a.stk", pixels(4, 12, 14), units="pixel")
    with read_stack(path, axes="ZYX") as stack:
        assert stack.voxel_size_um == (None, None, None)


def test_lsm_sizes_in_metres_become_um_and_thumbnails_are_no_positions(tmp_path: Path) -> None:
    data = pixels(4, 3, 16, 24)
    path = write_lsm(tmp_path / "a.lsm", data, (0.5e-6, 0.1e-6, 0.09e-6))
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data.swapaxes(0, 1))
        assert stack.voxel_size_um == pytest.approx((0.5, 0.1, 0.09))
        assert stack.origin_yx_um == pytest.approx((2.0, 1.0))
        assert stack.notes == ()
        assert stack.storage is not None
        assert stack.storage.kind == "Zeiss LSM"
    assert len(list_positions(path)) == 1


@pytest.mark.parametrize("kind", ["mmstack", "stk", "lsm"])
@pytest.mark.parametrize("part", [0.03, 0.3, 0.6, 0.9])
def test_cut_files_of_microscope_programs_are_refused(
    tmp_path: Path, kind: str, part: float
) -> None:
    data = pixels(4, 3, 16, 24)
    path = tmp_path / f"a.{kind}"
    if kind == "mmstack":
        write_mmstack(path, mm_planes(data.swapaxes(0, 1)), {})
    elif kind == "stk":
        write_stk(path, data[:, 0], distance=1)
    else:
        write_lsm(path, data, (1e-6, 1e-6, 1e-6))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(SourceError) as caught:
        read_stack(path)
    assert "\n" not in str(caught.value)
    assert f"a.{kind}" in str(caught.value)
