"""What the pixels of an image are, in words, for the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_gmff.marks import AI_MARK, BANNER, RESTORATION_KEY, SPREAD_CAPTION

if TYPE_CHECKING:
    from napari_gmff.export.layout import ImageSpec

_BY_KIND = {
    "intensity": "Fused intensities, each copied from the slice that focus_index names; "
    "neighbouring pixels may come from different slices",
    "index": "Number of the slice each pixel was taken from, from 0",
    "depth": "Position of best focus in {unit}",
    "confidence": "Trust in the choice of slice, from 0 to 1",
    "mask": "1 where the slice was chosen by hand, else 0",
}

_BY_NAME = {
    "max_projection": "Maximum over all slices, for comparison only",
    "restored": "Restored by {models}. Equal to the fused image, bit for bit, where the "
    "restoration mask is 0",
    "restored_mean": "Mean over {n_seeds} restorations by {models}",
    "restoration_mask": "1 where the restored image may differ from the fused one, else 0",
    "difference": "Restored minus fused, in grey levels",
    "abs_difference": "How far restored and fused are apart, in grey levels",
    "spread": "Standard deviation over {n_seeds} restorations, in grey levels: " + SPREAD_CAPTION,
    "contradiction": "How far the restored image, blurred as a slice is, is from that slice "
    "beyond what the fused image is, in standard deviations of the slice's noise",
}


def description_of(spec: ImageSpec, provenance: Mapping[str, Any]) -> str:
    """Say in a sentence or two what the pixels of an image are.

    Parameters
    ----------
    spec : ImageSpec
        The image; what a generative model made begins with the mark and its notice.
    provenance : mapping
        Record of the result.
    """
    text = _by_name(spec, provenance) if spec.name in _BY_NAME else _by_kind(spec, provenance)
    corrected = provenance.get("corrections", {}).get("n_pixels")
    if corrected and spec.kind in ("intensity", "index", "depth", "mask"):
        text += f". The slice of {corrected} pixels was chosen by hand"
    least = provenance.get("parameters", {}).get("depth_min_confidence")
    note = no_data_note(spec, least)
    text = f"{text}. {note}." if note else f"{text}."
    return f"{AI_MARK} {BANNER} {text}" if spec.is_generated else text


def no_data_note(spec: ImageSpec, depth_min_confidence: float | None) -> str | None:
    """Say what NaN means in an image; None where it has no such pixels on purpose."""
    if spec.kind != "depth" or depth_min_confidence is None:
        return None
    return f"NaN marks pixels whose confidence is below {depth_min_confidence:g}"


def _by_kind(spec: ImageSpec, provenance: Mapping[str, Any]) -> str:
    if spec.kind == "intensity" and not provenance.get("pixels_copied", True):
        engine = provenance.get("engine")
        return (
            f"Blended intensities, computed from all slices by {engine}; they are not measured "
            "values"
        )
    return _BY_KIND[spec.kind].format(unit=spec.unit or "slice numbers")


def _by_name(spec: ImageSpec, provenance: Mapping[str, Any]) -> str:
    record = provenance.get(RESTORATION_KEY) or {}
    models = " and ".join(str(one.get("title") or one.get("name")) for one in models_of(provenance))
    n_seeds = len(record.get("seeds") or ()) or "several"
    return _BY_NAME[spec.name].format(models=models or "a generative model", n_seeds=n_seeds)


def models_of(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the files of weights that a restoration used, as its record describes them.

    Parameters
    ----------
    provenance : mapping
        Record of a result; none are listed in that of a fusion.
    """
    record = provenance.get(RESTORATION_KEY) or {}
    listed = record.get("models") or ()
    return [one for one in listed if isinstance(one, Mapping)]


def printable(text: str) -> str:
    """Replace what XML 1.0 cannot hold, such as control characters and lone surrogates."""
    allowed = (
        character if character in "\t\n" or (character >= " " and not _unfit(character)) else "?"
        for character in text
    )
    return "".join(allowed)


def _unfit(character: str) -> bool:
    return 0xD800 <= ord(character) <= 0xDFFF or ord(character) in (0xFFFE, 0xFFFF)
