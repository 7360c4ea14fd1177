"""The words by which restored images are told from measured ones, everywhere the same."""

from __future__ import annotations

from typing import Any

AI_MARK = "[AI-RESTORED, not measured]"
"""Ends the name of every image whose pixels a generative model made."""

NOT_MEASURED = "its pixels were restored by a generative model and are not measured"
"""Why a measurement refuses a restored image; part of a sentence."""

SPREAD_CAPTION = "spread of the model, not an error bar"

BANNER = (
    "Generative: invents plausible detail. Not a measurement. Not for quantification or diagnosis."
)

RESTORED_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
"""IPTC's digital source type of an image that a trained model made in part."""

FUSED_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/computationalCapture"
"""IPTC's digital source type of several exposures fused by computation."""

RESTORATION_KEY = "restoration"
"""Key of a record (provenance) that says how its images were restored; absent from a fusion's."""


SOURCE_KEY = "restored"
"""Key of the metadata of a stack whose own pixels a generative model made; holds the mark."""


def is_restored(provenance: object) -> bool:
    """Tell from a record whether a generative model made pixels of the result."""
    return isinstance(provenance, dict) and isinstance(provenance.get(RESTORATION_KEY), dict)


def is_of_restored(provenance: object) -> bool:
    """Tell from a record whether the very stack that was fused held restored pixels."""
    source = provenance.get("source") if isinstance(provenance, dict) else None
    metadata = source.get("metadata") if isinstance(source, dict) else None
    return isinstance(metadata, dict) and SOURCE_KEY in metadata


def marked(title: str) -> str:
    """Return a title that ends with the mark."""
    return title if is_marked(title) else f"{title} {AI_MARK}"


def is_marked(title: object) -> bool:
    """Tell from the name of an image, layer or channel whether a generative model made it."""
    return isinstance(title, str) and title.rstrip().endswith(AI_MARK)


def unmarked(title: str) -> str:
    """Return a title without the mark, for where the mark is added again."""
    return title.rstrip().removesuffix(AI_MARK).rstrip() if is_marked(title) else title


def mark_facts(record: Any) -> dict[str, Any]:
    """Return what layers, annotations and pictures carry of a restored image."""
    return {
        "mark": AI_MARK,
        "notice": BANNER,
        "digital_source_type": RESTORED_SOURCE_TYPE,
        "record": record,
    }
