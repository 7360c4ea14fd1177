"""From a synthetic stack to what the network is shown and what it should answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_gmff.sampling import percentile_range

if TYPE_CHECKING:
    from napari_gmff.training.config import LossConfig
    from napari_gmff.training.synthesis.synthetic_stack import SyntheticStack

Floats = NDArray[np.float32]

SEEN_LIMITS = (-1.0, 2.0)
"""What the engine clips its input to."""

_LARGEST_DETAIL = 4.0
"""Times the mean, beyond which detail counts no more."""


@dataclass(frozen=True)
class Example:
    """One stack as the network is trained on it.

    Attributes
    ----------
    seen : ndarray, (N, Y, X), float32
        About 0 to 1, as the engine scales a user's stack.
    target : ndarray, (N, Y, X), float32
        Probability that each slice is the one to take; adds up to 1 over the slices.
    weight : ndarray, (Y, X), float32
        How much each pixel counts; mean 1.
    """

    seen: Floats
    target: Floats
    weight: Floats


def make_example(
    sample: SyntheticStack, loss: LossConfig, rng: np.random.Generator | None
) -> Example:
    """Make an example of a photographed stack.

    Parameters
    ----------
    sample : SyntheticStack
        As a camera delivers it.
    loss : LossConfig
        Decides targets and weights.
    rng : numpy.random.Generator or None
        Draws what range of grey levels the stack is seen in: that of a larger image it may be a
        part of, or inverted. None for its own range.
    """
    spread_slices = (loss.spread_slices or {}).get(sample.kind)
    if spread_slices is None:
        target = targets(sample, loss.neighbour_share)
    else:
        target = targets(sample, 1.0, spread_slices)
    return Example(_seen(sample.stack, rng), target, _weights(sample, loss))


def targets(sample: SyntheticStack, neighbour_share: float, spread_slices: float = 1.0) -> Floats:
    """Return the probability that each slice should be taken, (N, Y, X), float32.

    Copies of a slice share its probability. Where nothing is known, all slices are alike.

    Parameters
    ----------
    sample : SyntheticStack
        N slices of (Y, X).
    neighbour_share : float
        Share split between the slices around the true depth in proportion to nearness.
    spread_slices : float
        Distance at which that share falls to 0; 1 for the two slices next to the true depth.
    """
    places = np.array(sample.order)[:, None, None]
    nearest = np.array(sample.order)[sample.index]
    hard = (places == nearest).astype(np.float32)
    nearness = 1 - np.abs(places - sample.depth) / spread_slices
    soft = (np.clip(nearness, 0, None) * (places >= 0)).astype(np.float32)
    target = (1 - neighbour_share) * _shared(hard) + neighbour_share * _shared(soft, hard)
    target[:, ~sample.known] = 1 / len(places)
    return np.asarray(target, np.float32)


def _shared(votes: Floats, otherwise: Floats | None = None) -> Floats:
    total = votes.sum(0)
    if otherwise is not None:  # depth beyond the slices there are
        votes = np.where(total > 0, votes, otherwise)
        total = votes.sum(0)
    return np.asarray(votes / total, np.float32)


def _weights(sample: SyntheticStack, loss: LossConfig) -> Floats:
    """Let sparse objects count as much, stack for stack, as a textured photograph."""
    weight = np.where(sample.texture, 1.0, loss.flat_weight)
    weight = np.where(sample.known, weight, loss.unknown_weight)
    if loss.detail_weight:
        weight = weight * (1 + loss.detail_weight * _detail(sample))
    return np.asarray(weight / max(weight.mean(), 1e-6), np.float32)


def _detail(sample: SyntheticStack) -> Floats:
    """Return how much a pixel loses in the next slice, roughly, relative to the others."""
    lost = np.abs(sample.sharp - ndimage.gaussian_filter(sample.sharp, 1.0))
    return np.asarray(np.clip(lost / max(float(lost.mean()), 1e-6), 0, _LARGEST_DETAIL))


def _seen(stack: Floats, rng: np.random.Generator | None) -> Floats:
    low, high = percentile_range(stack)
    if rng is not None:
        extent = high - low
        if rng.random() < 0.35:  # part of an image with brighter objects elsewhere
            high = low + extent * float(np.exp(rng.uniform(0, np.log(6))))
        if rng.random() < 0.25:
            low -= extent * rng.uniform(0, 0.7)
        if rng.random() < 0.25:  # part of an image with few bright objects: clipped
            high = low + (high - low) * rng.uniform(0.6, 1)
    seen = (stack - np.float32(low)) * np.float32(1 / max(high - low, 1e-6))
    if rng is not None and rng.random() < 0.1:
        seen = 1 - seen
    return np.asarray(np.clip(seen, *SEEN_LIMITS), np.float32)
