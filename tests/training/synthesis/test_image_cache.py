from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_gmff.errors import OutputError, SourceError
from napari_gmff.training.synthesis.image_cache import (
    GreyImages,
    cached_images,
    find_images,
    read_grey,
)


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them in a subfolder."""
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, shape in (("b.png", (6, 5)), ("a.JPG", (8, 9)), ("more/c.tif", (4, 7))):
        grey = rng.integers(0, 256, shape, np.uint8)
        if name.endswith("tif"):
            tifffile.imwrite(photos / name, grey)
        else:
            Image.fromarray(grey).save(photos / name)
    (photos / "SOURCE.md").write_text("where they are from")
    return photos


def names(paths):
    return [path.name for path in paths]


def test_images_are_found_in_subfolders_and_other_files_are_left_alone(folder):
    assert names(find_images([folder])) == ["a.JPG", "b.png", "c.tif"]


def test_files_patterns_and_exclusions_choose_images(folder):
    assert names(find_images([folder / "b.png", folder])) == ["b.png", "a.JPG", "c.tif"]
    assert names(find_images([f"{folder}/*.png"])) == ["b.png"]
    assert names(find_images([folder], ["b.*", "*/more/*"])) == ["a.JPG"]


def test_a_missing_source_and_one_without_images_are_named(folder, tmp_path):
    with pytest.raises(SourceError, match="nowhere: must be an existing file or folder"):
        find_images([tmp_path / "nowhere"])
    with pytest.raises(SourceError, match="photos: must hold a PNG, JPEG or TIFF image that is"):
        find_images([folder], ["*"])


def test_cached_pixels_are_those_of_the_files(folder, tmp_path):
    files = find_images([folder])
    images = GreyImages(cached_images(files, tmp_path / "cache"))
    assert len(images) == 3
    assert images.folders.tolist() == [0, 0, 1]
    for number, file in enumerate(files):
        assert np.array_equal(images[number], read_grey(file))


def test_a_second_use_decodes_nothing(folder, tmp_path):
    files = find_images([folder])
    cache = cached_images(files, tmp_path / "cache")
    # Marked without a change of length: if it were written anew, the mark would be gone.
    marked = bytearray(cache.read_bytes())
    marked[0] ^= 255
    cache.write_bytes(marked)
    assert cached_images(files, tmp_path / "cache") == cache
    assert cache.read_bytes() == marked


def test_a_changed_image_or_size_makes_a_new_cache(folder, tmp_path):
    files = find_images([folder])
    first = cached_images(files, tmp_path / "cache")
    assert cached_images(files, tmp_path / "cache", longest_side_px=5) != first
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "b.png")
    second = cached_images(files, tmp_path / "cache")
    assert second != first
    assert not GreyImages(second)[1].any()


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_broken_off_cache_is_made_again(folder, tmp_path, kept):
    files = find_images([folder])
    cache = cached_images(files, tmp_path / "cache")
    whole = cache.read_bytes()
    cache.write_bytes(whole[: int(kept * len(whole)) if kept == 0.5 else kept])
    with pytest.raises(SourceError, match="must be a complete cache"):
        GreyImages(cache)
    assert cached_images(files, tmp_path / "cache").read_bytes() == whole


def test_a_damaged_image_is_named_and_leaves_nothing_behind(folder, tmp_path):
    (folder / "z.png").write_bytes((folder / "b.png").read_bytes()[:40])
    with pytest.raises(SourceError, match=r"z\.png: must be a readable image"):
        cached_images(find_images([folder]), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_image_that_vanished_is_named(folder, tmp_path):
    files = find_images([folder])
    (folder / "b.png").unlink()
    with pytest.raises(SourceError, match=r"b\.png: must be a readable image"):
        cached_images(files, tmp_path / "cache")


def test_a_place_that_cannot_be_written_is_named(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cache.*cannot be written"):
        cached_images(find_images([folder]), tmp_path / "file" / "cache")


def test_colours_are_weighed_by_bt601(tmp_path):
    rgb = np.zeros((4, 3, 3), np.uint8)
    rgb[:, 0, 0] = rgb[:, 1, 1] = rgb[:, 2, 2] = 255
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    alpha = np.dstack([rgb, np.full((4, 3), 7, np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "rgba.png")
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb")
    for name in ("rgb.png", "rgba.png", "rgb.tif"):
        assert read_grey(tmp_path / name)[0].tolist() == [76, 150, 29]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_images_are_stretched_to_8(tmp_path, suffix):
    deep = np.linspace(300, 1300, 2500).astype(np.uint16).reshape(50, 50)
    path = tmp_path / f"deep{suffix}"
    tifffile.imwrite(path, deep) if suffix == ".tif" else Image.fromarray(deep).save(path)
    grey = read_grey(path)
    assert grey.dtype == np.uint8
    assert (grey[0, 0], grey[-1, -1]) == (0, 255)
    assert grey[25, 0] == pytest.approx(128, abs=2)


def test_an_even_16_bit_image_is_black_and_of_a_stack_the_first_page_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "even.tif", np.full((5, 6), 700, np.uint16))
    assert not read_grey(tmp_path / "even.tif").any()
    pages = np.stack([np.full((5, 6), value, np.uint8) for value in (10, 20)])
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    assert (read_grey(tmp_path / "pages.tif") == 10).all()


def test_palettes_are_looked_up(tmp_path):
    Image.fromarray(np.uint8([[[255, 0, 0], [0, 0, 255]]])).quantize(2).save(tmp_path / "p.png")
    assert read_grey(tmp_path / "p.png").tolist() == [[76, 29]]


def test_large_images_are_scaled_down_in_proportion(tmp_path):
    Image.fromarray(np.full((40, 80), 99, np.uint8)).save(tmp_path / "wide.png")
    assert read_grey(tmp_path / "wide.png", longest_side_px=20).shape == (10, 20)
