"""A folder, pattern or list of images as slices."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_gmff.errors import SourceError
from napari_gmff.reading.folders import natural_key
from napari_gmff.reading.image_files import kind_of
from napari_gmff.reading.open import read_stack

RNG = np.random.default_rng(8)


def slices(n: int, *shape: int, dtype: str = "u1") -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, (n, *shape), dtype=dtype, endpoint=True)


def write_pngs(folder: Path, data: np.ndarray, name: str = "s{}.png") -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / name.format(index) for index in range(len(data))]
    for path, image in zip(paths, data, strict=True):
        path.write_bytes(imagecodecs.png_encode(image))
    return paths


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((20, 30), "u1"), ((20, 30), "u2"), ((20, 30, 3), "u1"), ((20, 30, 4), "u2")],
)
def test_png_folder_is_a_stack_in_natural_order(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    data = slices(12, *shape, dtype=dtype)
    write_pngs(tmp_path / "set", data)
    with read_stack(tmp_path / "set") as stack:
        assert stack.name == "set"
        assert stack.voxel_size_um == (None, None, None)
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)


def test_images_are_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    data = slices(3, 16, 24, 3)
    decoded = []
    for index, image in enumerate(data):
        encoded = imagecodecs.jpeg8_encode(image, level=90)
        (tmp_path / f"i{index}.png").write_bytes(encoded)
        decoded.append(imagecodecs.jpeg8_decode(encoded))
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), decoded)
    assert kind_of(tmp_path / "i0.png") == "jpeg"


def test_other_files_are_ignored_by_name_and_hidden_ones_silently(tmp_path: Path) -> None:
    write_pngs(tmp_path / "set", slices(2, 8, 8))
    (tmp_path / "set" / "notes.txt").write_text("focus 1 to 2")
    (tmp_path / "set" / ".DS_Store").write_bytes(b"x")
    with read_stack(tmp_path / "set") as stack:
        assert stack.n_slices == 2
        (note,) = stack.notes
        assert "notes.txt" in note
        assert ".DS_Store" not in note


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("planar", [False, True])
def test_tiff_slices_are_read_from_their_files(tmp_path: Path, options: dict, planar: bool) -> None:
    data = slices(4, 40, 50, 3, dtype="u2")
    for index, image in enumerate(data):
        tifffile.imwrite(
            tmp_path / f"{index}.tif",
            np.moveaxis(image, -1, 0) if planar else image,
            photometric="rgb",
            planarconfig="separate" if planar else "contig",
            **options,
        )
    with read_stack(str(tmp_path / "*.tif")) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        window = stack.data[0, 0, 1:3, 10:30, 5:45]
        np.testing.assert_array_equal(window.compute(), data[1:3, 10:30, 5:45])


def test_list_keeps_the_order_given(tmp_path: Path) -> None:
    data = slices(3, 8, 9)
    paths = write_pngs(tmp_path, data)
    with read_stack([str(path) for path in reversed(paths)]) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data[::-1])


def test_list_of_one_source_is_that_source(tmp_path: Path) -> None:
    data = slices(3, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata={"axes": "ZYX"})
    with read_stack([tmp_path / "a.tif"]) as stack:
        assert stack.n_slices == 3


def test_folder_of_one_image_is_a_stack_of_one_slice(tmp_path: Path) -> None:
    write_pngs(tmp_path, slices(1, 8, 9))
    with read_stack(tmp_path) as stack:
        assert stack.n_slices == 1


def test_palette_and_grey_alpha_png_become_plain_pixels(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.fromarray(slices(1, 12, 12)[0]).convert("P")
    (tmp_path / "p").mkdir()
    image.save(tmp_path / "p" / "a.png")
    with read_stack(tmp_path / "p") as stack:
        expected = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(stack.data[0, 0, 0].compute(), expected)
    grey = slices(1, 12, 12, 2)[0]
    (tmp_path / "la").mkdir()
    Image.fromarray(grey).save(tmp_path / "la" / "a.png")
    with read_stack(tmp_path / "la") as stack:
        np.testing.assert_array_equal(stack.data[0, 0, 0].compute(), grey[..., 0])
        assert any("transparency" in note for note in stack.notes)


@pytest.mark.parametrize("second", [np.zeros((8, 10), "u1"), np.zeros((8, 9), "u2")])
def test_slices_that_differ_are_named_with_both_sizes(tmp_path: Path, second: np.ndarray) -> None:
    write_pngs(tmp_path, slices(2, 8, 9))
    (tmp_path / "s2.png").write_bytes(imagecodecs.png_encode(second))
    with pytest.raises(SourceError, match=r"s2\.png: .*8 × .* but s0\.png has 8 × 9 uint8"):
        read_stack(tmp_path)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_truncated_images_are_found_when_opening(tmp_path: Path, kind: str, part: float) -> None:
    encode = imagecodecs.png_encode if kind == "png" else imagecodecs.jpeg8_encode
    for index, image in enumerate(slices(2, 64, 64)):
        (tmp_path / f"{index}.{kind}").write_bytes(encode(image))
    last = tmp_path / f"1.{kind}"
    data = last.read_bytes()
    last.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(SourceError, match=rf"1\.{kind}: truncated {kind.upper()}"):
        read_stack(tmp_path)


def test_damaged_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    paths = write_pngs(tmp_path, slices(2, 64, 64))
    data = bytearray(paths[1].read_bytes())
    data[100:2000] = bytes(1900)
    paths[1].write_bytes(data)
    with read_stack(tmp_path) as stack:
        stack.data[0, 0, 0].compute()
        with pytest.raises(SourceError, match=r"s1\.png: damaged PNG"):
            stack.data[0, 0, 1].compute()


def test_several_stacks_are_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tifffile.imwrite(
            tmp_path / f"{name}.tif",
            slices(3, 8, 9),
            photometric="minisblack",
            metadata={"axes": "ZYX"},
        )
        write_pngs(tmp_path / name, slices(2, 8, 9))
    both = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for source in (both, [tmp_path / "a", tmp_path / "b"], str(tmp_path / "*.tif")):
        with pytest.raises(SourceError, match="several stacks"):
            read_stack(source)
    with pytest.raises(SourceError, match="several stacks"):
        read_stack(tmp_path)


def test_numbers_in_names_sort_as_numbers() -> None:
    names = ["z10.png", "Z2.png", "z1.png", "a.png", "10.png", "9.png"]
    assert sorted(names, key=natural_key) == [
        "9.png", "10.png", "a.png", "z1.png", "Z2.png", "z10.png",
    ]  # fmt: skip


def test_many_files_share_a_few_handles(tmp_path: Path) -> None:
    listing = Path("/proc/self/fd")
    if not listing.exists():
        pytest.skip("open files can only be counted through /proc")
    data = slices(100, 8, 9)
    for index, image in enumerate(data):
        tifffile.imwrite(tmp_path / f"{index}.tif", image)
    before = len(list(listing.iterdir()))
    with read_stack(tmp_path) as stack:
        np.testing.assert_array_equal(stack.data[0, 0].compute(), data)
        assert len(list(listing.iterdir())) - before < 50
