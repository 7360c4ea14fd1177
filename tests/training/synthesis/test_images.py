from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.training.synthesis.images import ImageSource


@pytest.fixture
def noise_file(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (60, 50), np.uint8)
    Image.fromarray(grey).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def save_even(path, value, shape=(40, 40)):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)


@pytest.mark.parametrize("shape_yx", [(1, 1), (3, 17), (60, 50), (130, 40)], ids=str)
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_crops_have_the_size_wanted_even_if_the_image_is_smaller(
    noise_file, tmp_path, shape_yx, share
):
    images = ImageSource.from_files([noise_file], cache_dir=tmp_path / "c", procedural_share=share)
    rng = np.random.default_rng(1)
    for _ in range(8):
        crop = images.crop(rng, shape_yx)
        assert crop.shape == shape_yx
        assert crop.dtype == np.float32
        assert crop.flags.c_contiguous
        assert 0 <= crop.min() <= crop.max() <= 1


def test_crops_are_flipped_turned_and_scaled_down(tmp_path):
    # Bright towards the bottom: in a crop, the brightest side tells how it was turned.
    ramp = np.linspace(0, 255, 200).astype(np.uint8)[:, None] * np.ones((1, 200), np.uint8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    images = ImageSource.from_files([tmp_path / "ramp.png"], cache_dir=tmp_path / "c")
    rng = np.random.default_rng(2)
    slopes = []
    for _ in range(200):
        crop = images.crop(rng, (20, 20))
        slopes.append((np.ptp(crop[:, 10]) * np.sign(crop[-1, 10] - crop[0, 10]),
                       np.ptp(crop[10]) * np.sign(crop[10, -1] - crop[10, 0])))  # fmt: skip
    y, x = np.array(slopes).T
    for slope in (y, -y, x, -x):
        assert np.mean(slope > 0.01) > 0.1
    steepness = np.maximum(abs(y), abs(x)) / (19 / 199)
    assert steepness.min() == pytest.approx(1, abs=0.1)
    assert 2.3 < steepness.max() < 3.3


def test_crops_prefer_texture_to_sky_but_do_not_avoid_it(tmp_path):
    image = np.full((200, 200), 200, np.uint8)
    image[:, 150:] = np.random.default_rng(3).integers(0, 256, (200, 50))
    Image.fromarray(image).save(tmp_path / "sky.png")
    images = ImageSource.from_files([tmp_path / "sky.png"], cache_dir=tmp_path / "c")
    rng = np.random.default_rng(4)
    textured = np.mean([images.crop(rng, (20, 20)).std() > 0.02 for _ in range(300)])
    # By chance alone it would be about a third.
    assert 0.5 < textured < 0.95


def test_a_folder_of_many_images_does_not_drown_a_small_one(tmp_path):
    for number in range(25):
        save_even(tmp_path / "many" / f"{number}.png", 50)
    save_even(tmp_path / "one" / "0.png", 250)
    images = ImageSource.from_files([tmp_path / "many", tmp_path / "one"], cache_dir=tmp_path / "c")
    rng = np.random.default_rng(5)
    bright = np.mean([images.crop(rng, (2, 2)).mean() > 0.5 for _ in range(600)])
    assert bright == pytest.approx(1 / 6, abs=0.05)


def test_the_procedural_share_is_drawn(tmp_path):
    save_even(tmp_path / "even.png", 77)
    images = ImageSource.from_files(
        [tmp_path / "even.png"], cache_dir=tmp_path / "c", procedural_share=0.3
    )
    rng = np.random.default_rng(6)
    drawn = np.mean([images.crop(rng, (12, 12)).std() > 1e-3 for _ in range(300)])
    assert drawn == pytest.approx(0.3, abs=0.08)


def test_a_pickled_source_is_small_and_draws_the_same(noise_file, tmp_path):
    images = ImageSource.from_files([noise_file], cache_dir=tmp_path / "c", procedural_share=0.5)
    packed = pickle.dumps(images)
    assert len(packed) < 1000
    again = pickle.loads(packed)
    for seed in range(6):
        crops = [s.crop(np.random.default_rng(seed), (30, 30)) for s in (images, again)]
        assert np.array_equal(*crops)


def test_drawing_needs_no_files():
    images = ImageSource.procedural()
    assert len(images) == 0
    rng = np.random.default_rng(7)
    crops = [images.crop(rng, (40, 40)) for _ in range(40)]
    assert all(crop.std() > 0.01 for crop in crops)


def test_a_source_counts_its_images(noise_file, tmp_path):
    save_even(tmp_path / "even.png", 1)
    assert len(ImageSource.from_files([tmp_path], cache_dir=tmp_path / "c")) == 2


def test_bad_values_are_refused(noise_file, tmp_path):
    with pytest.raises(ParameterError, match=r"procedural_share must be .* 0 to 1, got 1\.5"):
        ImageSource.from_files([noise_file], cache_dir=tmp_path, procedural_share=1.5)
    with pytest.raises(ParameterError, match=r"longest_side_px must be .* got 0"):
        ImageSource.from_files([noise_file], cache_dir=tmp_path, longest_side_px=0)
    with pytest.raises(ParameterError, match="procedural_share"):
        ImageSource(None, 0.5)
    with pytest.raises(SourceError, match="must be a complete cache of grey images"):
        ImageSource(noise_file)
