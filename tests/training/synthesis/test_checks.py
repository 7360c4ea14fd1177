from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.errors import ParameterError
from napari_gmff.training.synthesis import checks


@pytest.mark.parametrize("value", [0, -3, 1.0, True, "2", None])
def test_only_whole_numbers_from_the_least_on_count(value):
    checks.check_count("n", np.int64(1))
    with pytest.raises(ParameterError, match=r"^n must be a whole number of at least 1, got"):
        checks.check_count("n", value)


@pytest.mark.parametrize("value", [-0.1, 2.1, np.nan, np.inf])
def test_numbers_outside_their_limits_are_refused(value):
    checks.check_within("gain", 2, 0, 2)
    with pytest.raises(ParameterError, match="gain must be a finite number, 0 to 2, got"):
        checks.check_within("gain", value, 0, 2)


@pytest.mark.parametrize("shape_yx", [(3,), (3, 4, 5), (0, 4), (2.5, 4)])
def test_shapes_are_two_sizes(shape_yx):
    assert checks.checked_shape((1, 9)) == (1, 9)
    with pytest.raises(ParameterError, match="shape_yx must be two sizes"):
        checks.checked_shape(shape_yx)


@pytest.mark.parametrize("margin_px", [2, -1, 1.5])
def test_a_margin_must_leave_a_view(margin_px):
    assert checks.view_shape((4, 5), 1) == (2, 3)
    with pytest.raises(ParameterError, match="margin_px"):
        checks.view_shape((4, 5), margin_px)
