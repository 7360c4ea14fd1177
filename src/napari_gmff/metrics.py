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


def ssim(
    image: NDArray[Any],
    truth: NDArray[Any],
    full_scale: float,
    where: NDArray[np.bool_] | None = None,
) -> float:
    """Return the structural similarity, with the Gaussian window of 1.5 px of its authors.

    Parameters
    ----------
    image, truth : ndarray, (Y, X), same shape
        In the same units, at least 11 px high and wide.
    full_scale : float
        Range of values, in those units.
    where : ndarray, (Y, X), bool, optional
        Pixels that count; all by default.

    Returns
    -------
    float
        1 for equal images; NaN where no pixel counts.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment:
       from error visibility to structural similarity", IEEE Transactions on Image Processing
       13(4), 600-612, 2004.
    """
    from skimage.metrics import structural_similarity

    mean, at_pixels = structural_similarity(  # type: ignore[no-untyped-call]
        image.astype(np.float64),
        truth.astype(np.float64),
        data_range=full_scale,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    if where is None:
        return float(mean)
    return float(at_pixels[where].mean()) if where.any() else float("nan")


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
