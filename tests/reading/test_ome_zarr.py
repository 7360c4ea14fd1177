"""OME-Zarr 0.4 and 0.5, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_gmff.errors import SourceError
from napari_gmff.reading.open import list_series, read_stack

DATA = np.random.default_rng(6).integers(0, 60000, (2, 3, 4, 64, 48), dtype="u2")
UNITS = {"z": "nanometer", "y": "micrometer", "x": "millimeter"}
WINDOW = ("start", "end", "min", "max")
KINDS = {"t": "time", "c": "channel"}


def scale(level: int) -> list[float]:
    return [1, 1, 500, 0.2 * 2**level, 0.0002 * 2**level]


def multiscales(n_levels: int = 2, axes: str = "tczyx", **changes: Any) -> dict[str, Any]:
    listed = []
    for name in axes:
        axis = {"name": name, "type": KINDS.get(name, "space")}
        listed.append(axis | ({"unit": UNITS[name]} if name in UNITS else {}))
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": scale(level)[-len(axes) :]},
                {"type": "translation", "translation": [0, 0, 1000, 5, 0.007][-len(axes) :]},
            ],
        }
        for level in range(n_levels)
    ]
    return {"name": "img", "axes": listed, "datasets": datasets} | changes


def write_image(path: Path, version: str, data: np.ndarray = DATA, **changes: Any) -> Path:
    old = version == "0.4"
    facts: dict[str, Any] = {
        "multiscales": [multiscales(**changes) | ({"version": "0.4"} if old else {})],
        "omero": {
            "channels": [
                {"label": label, "color": color, "window": dict.fromkeys(WINDOW, 0)}
                for label, color in (("DAPI", "0000FF"), ("GFP", "00FF00"), ("raw", "FFFFFF"))
            ]
        },
    }
    if not old:
        facts = {"ome": {"version": "0.5", **facts}}
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3, attributes=facts)
    for level in range(2):
        part = data[..., :: 2**level, :: 2**level]
        names = {} if old else {"dimension_names": list("tczyx"[-part.ndim :])}
        array = group.create_array(
            str(level),
            **names,
            shape=part.shape,
            chunks=(1,) * (part.ndim - 2) + (16, 16),
            dtype=part.dtype,
        )
        array[...] = part
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_multiscale_image_is_read_with_its_scale_and_channels(tmp_path: Path, version: str) -> None:
    path = write_image(tmp_path / "a.ome.zarr", version)
    yaozarrs.validate_zarr_store(str(path))
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data.compute(), DATA)
        np.testing.assert_array_equal(stack.levels[1].compute(), DATA[..., ::2, ::2])
        assert stack.voxel_size_um == pytest.approx((0.5, 0.2, 0.2))
        np.testing.assert_allclose(stack.z_positions_um, [1, 1.5, 2, 2.5])
        assert stack.origin_yx_um == pytest.approx((5, 7))
        assert [one.name for one in stack.channels] == ["DAPI", "GFP", "raw"]
        assert stack.channels[0].color == "0000FF"
        assert stack.name == "a.ome.zarr"


def test_window_needs_only_its_own_chunks(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.zarr", "0.5")
    for file in (path / "0").rglob("*"):
        inside = file.parts[-5:] in {
            ("0", "0", str(z), y, x) for z in range(4) for y in "12" for x in "0"
        }
        if file.is_file() and file.name != "zarr.json" and not inside:
            file.write_bytes(b"garbage")
    with read_stack(path) as stack:
        np.testing.assert_array_equal(
            stack.data[0, 0, :, 16:48, :16].compute(), DATA[0, 0, :, 16:48, :16]
        )
        with pytest.raises(SourceError, match=r"a\.zarr: its data are damaged at .*Z 2,"):
            stack.data[0, 0, 2, :16, :16].compute()


def test_space_without_unit_stays_unknown(tmp_path: Path) -> None:
    axes = [{"name": name, "type": KINDS.get(name, "space")} for name in "tczyx"]
    path = write_image(tmp_path / "a.zarr", "0.5")
    group = zarr.open_group(path, mode="r+")
    facts = group.attrs["ome"]
    facts["multiscales"][0]["axes"] = axes
    group.attrs["ome"] = facts
    with read_stack(path) as stack:
        assert stack.voxel_size_um == (None, None, None)
        assert stack.z_positions_um is None


def test_group_of_images_is_read_by_series(tmp_path: Path) -> None:
    root = zarr.open_group(
        tmp_path / "g.zarr", mode="w", attributes={"ome": {"bioformats2raw.layout": 3}}
    )
    write_image(tmp_path / "g.zarr" / "0", "0.5")
    write_image(tmp_path / "g.zarr" / "1", "0.5", DATA[0, 0] + 1, axes="zyx")
    assert list_series(tmp_path / "g.zarr") == ["0", "1"]
    with read_stack(tmp_path / "g.zarr", series=1) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), DATA[0, 0] + 1)
    with read_stack(tmp_path / "g.zarr" / "0") as stack:
        assert stack.data.shape == DATA.shape
    with pytest.raises(SourceError, match="2 series"):
        read_stack(tmp_path / "g.zarr", series=2)
    root.create_group("OME", attributes={"ome": {"version": "0.5", "series": ["1", "0"]}})
    with read_stack(tmp_path / "g.zarr") as stack:
        assert stack.data.shape == (1, 1, 4, 64, 48)


def test_plain_zarr_array_needs_axes(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "p.zarr", data=DATA[0, 0], chunks=(1, 16, 16))
    with pytest.raises(SourceError, match="name them with axes"):
        read_stack(tmp_path / "p.zarr")
    with read_stack(tmp_path / "p.zarr", axes="ZYX") as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), DATA[0, 0])


@pytest.mark.parametrize("path", ["../b.zarr/0", "/etc", "C:\\x", "a\\..\\b", "0/../../b.zarr/0"])
def test_array_outside_the_group_is_refused(tmp_path: Path, path: str) -> None:
    write_image(tmp_path / "b.zarr", "0.5")
    changes = {"datasets": [{"path": path, "coordinateTransformations": []}]}
    write_image(tmp_path / "a.zarr", "0.5", **changes)
    with pytest.raises(SourceError, match="own folder"):
        read_stack(tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "multiscales are missing"),
        ({"multiscales": []}, "multiscales are missing"),
        ({"multiscales": [{"axes": []}]}, "damaged"),
        ({"multiscales": [{"datasets": [{"path": "nine"}]}]}, "'nine' it names is missing"),
        ({"plate": {}}, "is a plate"),
        ({"bioformats2raw.layout": 3}, "multiscales are missing"),
    ],
)
def test_metadata_that_name_no_image_are_refused(
    tmp_path: Path, facts: dict[str, Any], reason: str
) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w", attributes={"ome": facts})
    with pytest.raises(SourceError, match=reason):
        read_stack(tmp_path / "a.zarr")


def test_damaged_group_metadata_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(SourceError, match=r"a\.zarr: not a readable OME-Zarr"):
        read_stack(tmp_path / "a.zarr")


def test_chunks_of_whole_planes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_gmff.reading.arrays.BIG_CHUNK_PX", 100)
    zarr.create_array(tmp_path / "p.zarr", data=DATA[0], chunks=(1, 1, 64, 48))
    with read_stack(tmp_path / "p.zarr", axes="CZYX") as stack:
        np.testing.assert_array_equal(stack.data[0, :, 1:3].compute(), DATA[0, :, 1:3])
        for file in (tmp_path / "p.zarr" / "c").rglob("*"):
            if file.is_file():
                file.write_bytes(b"gone")
        # What was decoded before is not decoded again, other slices are.
        np.testing.assert_array_equal(stack.data[0, 0, 1, 3:9].compute(), DATA[0, 0, 1, 3:9])
        with pytest.raises(SourceError, match="damaged"):
            stack.data[0, 0, 0, :4].compute()
