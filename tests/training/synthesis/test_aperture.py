from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.training.synthesis.aperture import REACH_PX, Plane, seen_in_focus, seen_through


def wave(y, x):
    return (0.5 + 0.3 * np.sin(0.5 * x) * np.cos(0.4 * y)).astype(np.float32)


@pytest.mark.parametrize("quarters", [(0, 0), (1, 0), (0, 3), (2, -5), (-7, 6)])
def test_planes_move_by_quarters_of_a_pixel(quarters):
    y, x = np.indices((30, 34), np.float32)
    plane = Plane(wave(y, x), None, 0, (20, 24))
    light, passing = plane.shifted(0.0, quarters)
    down, right = (step / 4 for step in quarters)
    expected = wave(y + down, x + right)[5:-5, 5:-5]
    assert np.abs(light - expected).max() < 2e-3
    assert passing is None


def test_light_and_shadow_of_a_plane_move_together():
    y, x = np.indices((30, 30), np.float32)
    opacity = wave(x, y)
    plane = Plane(np.ones((30, 30), np.float32), opacity, 0, (20, 20))
    for sigma_px, steps in ((0.0, (3, -2)), (1.5, (2, 1))):
        light, passing = plane.shifted(sigma_px, steps)
        assert passing is not None
        assert np.allclose(light + passing, 1, atol=1e-4)


def test_points_of_the_aperture_spread_like_a_disk():
    ramp = np.indices((40, 40), np.float32)[1] - 19.5
    square = Plane(ramp * ramp, None, 0, (20, 20))
    for radius_px, tolerance in ((2.0, 0.1), (8.0, 0.8)):
        # The mean of squares grows by a disk's variance, a quarter of its squared radius.
        seen = seen_through([square], np.array([radius_px]), 200, 0.3)
        grown = (seen - (ramp * ramp)[10:-10, 10:-10]).mean()
        assert grown == pytest.approx(radius_px**2 / 4, abs=tolerance)


def test_one_point_sees_everything_sharp():
    rng = np.random.default_rng(0)
    lights = rng.random((2, 20, 20), np.float32)
    opacity = rng.random((20, 20), np.float32)
    border = REACH_PX
    planes = [
        Plane(lights[0], None, border, (20, 20)),
        Plane(lights[1], opacity, border, (20, 20)),
    ]
    view = (slice(border, -border), slice(border, -border))
    sharp, depth = seen_in_focus(planes, np.array([0.0, 5.0]), view)
    assert np.allclose(seen_through(planes, np.array([4.0, 9.0]), 1, 0.0), sharp, atol=1e-6)
    assert np.allclose(sharp, lights[0] * (1 - opacity) + lights[1] * opacity, atol=1e-6)
    assert np.array_equal(depth == 5, opacity > 0.5)
