"""How good a fusion is where the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray


def psnr_db(image: NDArray[Any], truth: NDArray[Any], full_scale: float) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal images.

    Parameters
    ----------
    image, truth : ndarray, same shape
        In the same units.
    full_scale : float
        Peak value, in those units.
    """
    error = np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(full_scale**2 / error))


def fraction_within(
    index: NDArray[Any], truth: NDArray[Any], where: NDArray[np.bool_], slices: int
) -> float:
    """Return the fraction of pixels whose index is at most so many slices off."""
    off = np.abs(index.astype(np.int64) - truth.astype(np.int64))
    return float((off[where] <= slices).mean())


def auroc(score: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of a score for a yes/no question.

    Parameters
    ----------
    score : ndarray
        Higher should mean yes.
    positive : ndarray of bool, same shape
        The answers.

    Returns
    -------
    float
        0.5 for chance, 1 for perfect; NaN where all answers are the same.
    """
    score, positive = score.ravel(), positive.ravel()
    yes = int(positive.sum())
    no = positive.size - yes
    if not yes or not no:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no))
