"""Labels of corrections: 0 is unchanged, k + 1 means slice k of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_gmff.results import FusionResult


def check_labels(labels: NDArray[Any], shape: tuple[int, ...], numbers: Iterable[int]) -> None:
    """Check labels before they are used.

    Parameters
    ----------
    labels : ndarray
        Any integer type: 0 is unchanged, k + 1 means slice k.
    shape : tuple of int
        What it must be.
    numbers : iterable of int
        Slices that may be chosen.

    Raises
    ------
    ParameterError
        If the shape is another, or a label is none of these.
    """
    if labels.shape != shape:
        raise ParameterError(f"corrections: shape must be {shape}, got {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise ParameterError(f"corrections: must be integers, got {labels.dtype}")
    unknown = unknown_labels(labels, numbers)
    if unknown:
        allowed = sorted(numbers)
        raise ParameterError(
            f"corrections: labels must be 0 or slice + 1, of the slices {allowed[0]} to "
            f"{allowed[-1]} that were fused, got {unknown[0]}"
        )


def unknown_labels(labels: NDArray[Any], numbers: Iterable[int]) -> list[int]:
    """Return the labels, in rising order, that are neither 0 nor k + 1 for one of the slices k."""
    if labels.size == 0:
        return []
    allowed = {0, *(number + 1 for number in numbers)}
    low, high = int(labels.min()), int(labels.max())
    if low in allowed and high in allowed and _has_no_gap(allowed, max(low, 1), high):
        return []
    return [label for label in np.unique(labels).tolist() if label not in allowed]


def only_known(labels: NDArray[Any], numbers: Iterable[int]) -> NDArray[Any]:
    """Return labels with 0 in place of those that `check_labels` would refuse.

    Parameters
    ----------
    labels : ndarray
        Any shape; uint8 or uint16.
    numbers : iterable of int
        Slices that may be chosen.
    """
    is_known = np.zeros(np.iinfo(labels.dtype).max + 1, bool)
    is_known[[number + 1 for number in numbers]] = True
    return np.where(is_known[labels], labels, 0).astype(labels.dtype)


def slice_numbers(result: FusionResult) -> list[int]:
    """Return the slices of a result's stack that were fused, from which may be chosen."""
    return [int(number) for number in result.provenance["slices"]["numbers"]]


def label_dtype(numbers: Iterable[int]) -> np.dtype[np.unsignedinteger[Any]]:
    """Return the smallest unsigned type that holds slice + 1 for each of some slices."""
    return np.min_scalar_type(max(numbers) + 1)


def _has_no_gap(allowed: set[int], low: int, high: int) -> bool:
    return all(label in allowed for label in range(low, high + 1))
