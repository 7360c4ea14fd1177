from __future__ import annotations

import numpy as np
import pytest

from napari_gmff.correction_labels import check_labels, label_dtype, only_known, unknown_labels
from napari_gmff.errors import ParameterError


def test_unknown_labels_are_named_in_order() -> None:
    assert unknown_labels(np.array([[0, 3, 9], [2, 7, 7]]), [1, 2]) == [7, 9]
    assert unknown_labels(np.array([[1, 5]]), [0, 2, 4]) == []
    assert unknown_labels(np.array([[1, 2, 5]]), [0, 2, 4]) == [2]
    assert unknown_labels(np.zeros((0, 4), int), [0]) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_unknown_labels_become_unchanged(dtype: str) -> None:
    labels = np.array([[0, 1, 3], [4, 200, 3]], dtype)
    known = only_known(labels, [2, 3])
    np.testing.assert_array_equal(known, np.array([[0, 0, 3], [4, 0, 3]], dtype), strict=True)
    check_labels(known, (2, 3), [2, 3])
    with pytest.raises(ParameterError, match="got 1"):
        check_labels(labels, (2, 3), [2, 3])


def test_the_type_of_labels_holds_every_slice() -> None:
    assert label_dtype([0, 254]) == np.uint8
    assert label_dtype([255]) == np.uint16
