"""What a restoration says about itself, kept with the result beside the record of the fusion."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.marks import AI_MARK, BANNER, RESTORATION_KEY, RESTORED_SOURCE_TYPE
from napari_gmff.provenance import library_versions, plain_values, versions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.part_work import RestoredPart
    from napari_gmff.restoration.restorer import Restorer

CONTRADICTED_FROM = 3.0
"""Noise levels from which on a pixel counts as contradicted; noise alone makes about 1."""


@dataclass
class RestorationNotes:
    """What a run gathers for its record.

    Attributes
    ----------
    parts : list of dict
        One for each image that the model was given.
    n_mask_pixels, n_changed, n_pixels : int
        Pixels of the result in the mask, of these those that changed, and all; of all time points.
    warnings : list of str
        What the user was told.
    """

    parts: list[dict[str, Any]] = field(default_factory=list)
    n_mask_pixels: int = 0
    n_changed: int = 0
    n_pixels: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the fingerprints of all that was restored."""
        self._pixels, self._mask = hashlib.sha256(), hashlib.sha256()

    def add(self, restored: RestoredPart) -> None:
        """Note one part: its place, its range, its fused pixels and what the slices say."""
        part, pixels, inside = restored.part, restored.fused, restored.inside
        header = f"{part.time} {part.channels} {tuple(part.box)} {pixels.dtype.name}".encode()
        little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
        self._pixels.update(header + np.ascontiguousarray(little).tobytes())
        self._mask.update(header + np.packbits(inside).tobytes())
        entry = {
            "t": part.time,
            "channels": part.channels,
            "box": {"y": part.box[:2], "x": part.box[2:]},
            "range": (restored.values.low, restored.values.high),
            "n_mask_pixels": int(inside.sum()),
        }
        if restored.contradiction is not None:
            entry["contradiction"] = _summary(restored.contradiction[inside])
        self.parts.append(entry)

    def add_counts(self, counts: tuple[int, int, int]) -> None:
        """Note how many pixels a time point has, in its mask, and changed."""
        self.n_pixels += counts[0]
        self.n_mask_pixels += counts[1]
        self.n_changed += counts[2]

    @property
    def fingerprints(self) -> dict[str, str]:
        """Sha256 of the fused pixels that the model was given, and of the mask on them."""
        return {
            "pixels_sha256": self._pixels.hexdigest(),
            "mask_sha256": self._mask.hexdigest(),
        }


def record_of_restoration(
    fusion: Mapping[str, Any],
    params: RestoreParams,
    restorer: Restorer,
    notes: RestorationNotes,
    *,
    is_mask_given: bool,
    is_checked: bool,
    date: datetime | None = None,
) -> dict[str, Any]:
    """Make the record of a restored image: that of its fusion, with the key ``restoration``.

    Parameters
    ----------
    fusion : mapping
        Record of the fusion.
    params : RestoreParams
        All parameters are kept.
    restorer : Restorer
        Says what the model is, and where it ran.
    notes : RestorationNotes
        Of the run.
    is_mask_given : bool
        Whether the mask was given, and not made from confidence.
    is_checked : bool
        Whether the stack was at hand.
    date : datetime, optional
        Time of the run, with time zone; now where left out.

    Returns
    -------
    dict
        Plain values. Under ``restoration``: ``date``, ``mark``, ``notice``,
        ``digital_source_type``, the facts of the restorer (``name``, ``title``, ``models``),
        ``device``, ``parameters``, ``seeds``, ``mask`` (``source``, ``below``, ``share``),
        ``input`` (fingerprints), ``parts``, ``changed_share``, ``contradiction`` (None without
        the stack), ``libraries`` and ``warnings``.
    """
    n_pixels = max(notes.n_pixels, 1)
    restoration = {
        "date": (date or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        "mark": AI_MARK,
        "notice": BANNER,
        "digital_source_type": RESTORED_SOURCE_TYPE,
        **restorer.facts,
        "device": restorer.device,
        "parameters": params.model_dump(mode="json"),
        "seeds": [params.seed + number for number in range(params.n_seeds)],
        "mask": {
            "source": "given" if is_mask_given else "confidence",
            "below": None if is_mask_given else params.mask_below,
            "share": notes.n_mask_pixels / n_pixels,
        },
        "input": notes.fingerprints,
        "parts": notes.parts,
        "changed_share": notes.n_changed / n_pixels,
        "contradiction": _overall(notes.parts) if is_checked else None,
        "libraries": {**library_versions(), **versions_of("diffusers")},
        "warnings": notes.warnings,
    }
    record = copy.deepcopy(dict(fusion))
    record[RESTORATION_KEY] = plain_values(restoration)
    return record


def _summary(contradiction: NDArray[np.float32]) -> dict[str, float]:
    """Sum up the contradiction of the pixels of one mask."""
    found = contradiction.astype(np.float64)
    return {
        "median": float(np.median(found)),
        "p99": float(np.percentile(found, 99)),
        "max": float(found.max()),
        "share_contradicted": float((found >= CONTRADICTED_FROM).mean()),
    }


def _overall(parts: list[dict[str, Any]]) -> dict[str, float] | None:
    """Sum up the contradictions of all parts, None where there are none."""
    checked = [part for part in parts if "contradiction" in part]
    if not checked:
        return None
    n_pixels = [part["n_mask_pixels"] for part in checked]
    shares = [part["contradiction"]["share_contradicted"] for part in checked]
    return {
        "from": CONTRADICTED_FROM,
        "share_contradicted": float(np.average(shares, weights=n_pixels)),
        "max": max(part["contradiction"]["max"] for part in checked),
    }
