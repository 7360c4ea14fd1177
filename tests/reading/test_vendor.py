"""Makers' own formats: read in µm with their package, and a clear sentence without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_gmff import list_positions, read_stack
from napari_gmff.errors import SourceError
from napari_gmff.reading.open import list_series
from napari_gmff.reading.vendor import vendor_kind
from tests.reading.made_vendor_files import write_czi, write_lif, write_nd2

RNG = np.random.default_rng(11)

PACKAGES = {"czi": "pylibCZIrw", "lif": "liffile", "nd2": "nd2"}

VOXEL_UM = {"czi": (0.5, 0.2, 0.1), "lif": (0.5, 0.2, 0.1), "nd2": (0.5, 0.2, 0.2)}


def pixels(*shape: int, dtype: str = "u2") -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def write(path: Path, kind: str, data: np.ndarray) -> Path:
    """Write positions (P, C, Z, Y, X) as one of the formats."""
    pytest.importorskip(PACKAGES[kind], reason=f"reads {kind.upper()}; extra vendor")
    if kind == "czi":
        return write_czi(path, data)
    if kind == "nd2":
        return write_nd2(path, data.transpose(0, 2, 3, 4, 1))
    images = {f"stack {number}": one.swapaxes(0, 1) for number, one in enumerate(data)}
    return write_lif(path, images)


@pytest.mark.parametrize("kind", PACKAGES)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_slices_channels_and_sizes_are_read(tmp_path: Path, kind: str, n_channels: int) -> None:
    data = pixels(1, n_channels, 4, 50, 60)
    path = write(tmp_path / f"a.{kind}", kind, data)
    assert vendor_kind(path) == kind
    with read_stack(path) as stack:
        assert stack.name == f"a.{kind}"
        np.testing.assert_array_equal(stack.data[0].compute(), data[0])
        window = stack.data[0, -1, 1:3, 11:40, 5:33]
        np.testing.assert_array_equal(window.compute(), data[0, -1, 1:3, 11:40, 5:33])
        assert stack.voxel_size_um == pytest.approx(VOXEL_UM[kind])
        np.testing.assert_allclose(stack.z_positions_um, [0, 0.5, 1, 1.5])
        names = [one.name for one in stack.channels]
        assert names == [f"{'channel' if kind == 'lif' else 'dye'} {c}" for c in range(n_channels)]
        assert stack.storage is not None
        assert stack.storage.files == (path,)


@pytest.mark.parametrize("kind", PACKAGES)
def test_scenes_points_and_images_are_positions(tmp_path: Path, kind: str) -> None:
    data = pixels(3, 2, 4, 20, 24)
    path = write(tmp_path / f"a.{kind}", kind, data)
    positions = list_positions(path)
    expected = {"czi": "scene 2", "lif": "stack 2", "nd2": "C"}[kind]
    assert positions[2].name == expected
    assert list_series(path)[2] == expected
    for position, one in zip(positions, data, strict=True):
        with read_stack(position) as stack:
            np.testing.assert_array_equal(stack.data[0].compute(), one)
    with read_stack(path) as stack:
        assert any("3 positions; this is the first" in note for note in stack.notes)
    with read_stack(path, series=1) as stack:
        np.testing.assert_array_equal(stack.data[0].compute(), data[1])
        assert stack.notes == ()
    with pytest.raises(SourceError, match=r"series must be below 3 .* got 3"):
        read_stack(path, series=3)


def test_colour_of_czi_is_red_green_blue(tmp_path: Path) -> None:
    pytest.importorskip("pylibCZIrw")
    data = pixels(1, 1, 3, 20, 24, 3, dtype="u1")
    path = write_czi(tmp_path / "a.czi", data)
    with read_stack(path) as stack:
        assert stack.axes == "TCZYXS"
        np.testing.assert_array_equal(stack.data[0].compute(), data[0])


def test_falling_slices_of_lif_fall(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    path = write_lif(tmp_path / "a.lif", {"a": pixels(4, 1, 20, 24)}, step_m=-1e-6)
    with read_stack(path) as stack:
        assert stack.voxel_size_um[0] == pytest.approx(1.0)
        np.testing.assert_allclose(stack.z_positions_um, [0, -1, -2, -3])


def test_images_of_lif_without_slices_are_no_positions(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    data = pixels(4, 1, 20, 24)
    images = {"overview": pixels(1, 1, 30, 30), "stack": data, "other": pixels(4, 2, 20, 24)}
    path = write_lif(tmp_path / "a.lif", images)
    assert [one.series for one in list_positions(path)] == [1]
    with read_stack(path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data[:, 0])


def test_nd2_pixels_without_calibration_have_no_size(tmp_path: Path) -> None:
    pytest.importorskip("nd2")
    path = write_nd2(tmp_path / "a.nd2", pixels(1, 3, 20, 24, 1), is_calibrated=False)
    with read_stack(path) as stack:
        assert stack.voxel_size_um == (0.5, None, None)


def test_a_missing_frame_of_nd2_is_refused_and_not_made_of_zeros(tmp_path: Path) -> None:
    pytest.importorskip("nd2")
    path = write_nd2(tmp_path / "a.nd2", pixels(1, 3, 20, 24, 1), left_out=[1])
    with pytest.raises(SourceError, match=r"a\.nd2: 3 planes are described, found 2"):
        read_stack(path)


def test_a_missing_plane_of_czi_is_refused_and_not_made_of_zeros(tmp_path: Path) -> None:
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path)) as file:
        for z in (0, 1, 3):
            file.write(pixels(20, 24), plane={"C": 0, "Z": z, "T": 0})
        file.write_metadata(document_name="made", channel_names={0: "dye"})
    with pytest.raises(SourceError, match=r"a\.czi: 4 planes are described for scene 0, found 3"):
        read_stack(path)


@pytest.mark.parametrize(
    ("segment", "offsets"),
    [(b"ZISRAWDIRECTORY", (128, 134, 160, 168)), (b"ZISRAWSUBBLOCK", (8, 16, 52, 56))],
)
def test_damage_of_czi_is_found_before_its_library_can_crash(
    tmp_path: Path, segment: bytes, offsets: tuple[int, ...]
) -> None:
    pytest.importorskip("pylibCZIrw")
    path = write_czi(tmp_path / "a.czi", pixels(1, 1, 3, 20, 24))
    data = path.read_bytes()
    for offset in offsets:
        changed = bytearray(data)
        changed[data.index(segment) + 32 + offset] ^= 0x40
        path.write_bytes(changed)
        with pytest.raises(SourceError, match=r"a\.czi: (damaged Zeiss CZI|3 planes are desc)"):
            read_stack(path)


@pytest.mark.parametrize("kind", PACKAGES)
@pytest.mark.parametrize("part", [0.0005, 0.3, 0.7, 0.99])
def test_a_cut_file_is_refused_in_one_sentence(tmp_path: Path, kind: str, part: float) -> None:
    path = write(tmp_path / f"a.{kind}", kind, pixels(1, 2, 4, 50, 60))
    path.write_bytes(path.read_bytes()[: max(20, int(path.stat().st_size * part))])
    with pytest.raises(SourceError) as caught, read_stack(path) as stack:
        stack.data.compute()
    assert f"a.{kind}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_closed_stack_says_so(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"a.{kind}", kind, pixels(1, 1, 3, 20, 24))
    with read_stack(path) as stack:
        data = stack.data
    with pytest.raises(SourceError, match="has been closed"):
        data.compute()


@pytest.mark.parametrize("kind", PACKAGES)
def test_axes_are_those_of_the_file(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"a.{kind}", kind, pixels(1, 1, 3, 20, 24))
    with pytest.raises(SourceError, match="names its axes itself, got 'ZYX'"):
        read_stack(path, axes="ZYX")


@pytest.mark.parametrize("kind", PACKAGES)
def test_without_its_package_a_file_says_what_to_install(tmp_path: Path, kind: str) -> None:
    starts = {"czi": b"ZISRAWFILE", "lif": b"p\0\0\0\0\0\0\0*", "nd2": b"\xda\xce\xbe\x0a"}
    path = tmp_path / f"a.{kind}"
    path.write_bytes(starts[kind].ljust(200, b"\0"))
    program = (
        f"import sys; sys.modules[{PACKAGES[kind]!r}] = None;"
        "from napari_gmff.cli.main import main; sys.exit(main(['info', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"needs the package {PACKAGES[kind]}" in line
    assert "pip install 'napari-gmff[vendor]'" in line


def test_a_lif_header_with_entities_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    path = write_lif(tmp_path / "a.lif", {"a": pixels(3, 1, 9, 9)})
    text = "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>".encode("utf-16-le")
    data = bytearray(path.read_bytes())
    data[13 : 13 + len(text)] = text
    path.write_bytes(data)
    with pytest.raises(SourceError, match="must not declare a document type"):
        read_stack(path)
