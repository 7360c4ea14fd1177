"""How an engine's result compares with the truth of a scene."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.metrics import auroc, psnr_db, ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.evaluation.scene import EvaluationScene

NAN = float("nan")

MOST_PSNR_DB = 99.0
"""Stands for equal images, whose infinite PSNR would spoil every mean."""


@dataclass(frozen=True)
class Outcome:
    """What an engine made of a scene.

    Attributes
    ----------
    fused : ndarray, (Y, X)
        In the stack's grey levels.
    index : ndarray, (Y, X), or None
        Chosen slices; None for a program that mixes pixels.
    depth : ndarray, (Y, X), or None
        In slices, refined.
    confidence : ndarray, (Y, X), or None
        Higher where the choice should be trusted.
    """

    fused: NDArray[Any]
    index: NDArray[Any] | None = None
    depth: NDArray[Any] | None = None
    confidence: NDArray[Any] | None = None


@dataclass(frozen=True)
class SceneScores:
    """Scores of one engine on one scene; NaN for what it does not give.

    Attributes
    ----------
    psnr_db, ssim : float
        Fused image against the sharp scene, on pixels that have a depth.
    psnr_below_truth_db : float
        By how much the fusion with the true index is better.
    accuracy : float
        Fraction of pixels of known depth whose slice is the right one.
    within_one : float
        The same, at most one slice off.
    object_accuracy, object_within_one : float
        Of the pixels of objects or texture.
    depth_error_slices : float
        Mean absolute error of refined depth on those pixels.
    auroc : float
        How well low confidence tells, of all pixels, those more than one slice off. Where nothing
        has a depth no slice is right.
    object_auroc : float
        The same on the pixels of objects or texture.
    """

    psnr_db: float = NAN
    ssim: float = NAN
    psnr_below_truth_db: float = NAN
    accuracy: float = NAN
    within_one: float = NAN
    object_accuracy: float = NAN
    object_within_one: float = NAN
    depth_error_slices: float = NAN
    auroc: float = NAN
    object_auroc: float = NAN


METRICS = tuple(field.name for field in fields(SceneScores))


def scores_of(scene: EvaluationScene, outcome: Outcome) -> SceneScores:
    """Compare a result with the truth."""
    known = scene.known
    psnr, best = (
        min(psnr_db(image[known], scene.sharp[known], scene.full_scale), MOST_PSNR_DB)
        for image in (outcome.fused, scene.pixels_at(scene.index))
    )
    # What lies on empty ground must not count through the windows of pixels beside it either.
    judged = np.where(known, outcome.fused, scene.sharp)
    values = {
        "psnr_db": psnr,
        "ssim": ssim(judged, scene.sharp, scene.full_scale, known),
        "psnr_below_truth_db": best - psnr,
    }
    if outcome.index is not None:
        values |= _index_scores(scene, scene.slices_off(outcome.index), outcome.confidence)
    if outcome.depth is not None and scene.is_ordered and scene.objects.any():
        error = np.abs(outcome.depth - scene.depth)
        values["depth_error_slices"] = float(error[scene.objects].mean())
    return SceneScores(**values)


def true_outcome(scene: EvaluationScene) -> Outcome:
    """Return the result of an engine that knows the nearest slice of every pixel."""
    index = scene.index
    return Outcome(scene.pixels_at(index), index, scene.true_place.astype(np.float32))


def mean_scores(scores: list[SceneScores]) -> SceneScores:
    """Average over scenes, leaving out what is not known."""
    means = {}
    for name in METRICS:
        values = np.array([getattr(one, name) for one in scores])
        known = values[~np.isnan(values)]
        means[name] = float(known.mean()) if known.size else NAN
    return SceneScores(**means)


def _index_scores(
    scene: EvaluationScene, off: NDArray[np.float64], confidence: NDArray[Any] | None
) -> dict[str, float]:
    def share(where: NDArray[np.bool_], most: int) -> float:
        return float((off[where] <= most).mean()) if where.any() else NAN

    values = {
        "accuracy": share(scene.known, 0),
        "within_one": share(scene.known, 1),
        "object_accuracy": share(scene.objects, 0),
        "object_within_one": share(scene.objects, 1),
    }
    if confidence is not None:
        wrong = (off > 1) | ~scene.known
        doubt = -confidence
        values["auroc"] = auroc(doubt, wrong)
        values["object_auroc"] = auroc(doubt[scene.objects], wrong[scene.objects])
    return values
