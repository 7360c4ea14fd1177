"""Tell from files whether a generative model made their pixels, so that nobody loses the mark.

Restored images that were moved, renamed or edited elsewhere are read as any stack is; they are
known by what this program writes into them, and by the digital source type of IPTC, which other
programs write too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.marks import AI_MARK, SOURCE_KEY, is_marked
from napari_gmff.reading.ome_text import XMP_TAG

if TYPE_CHECKING:
    from tifffile import TiffFile

    from napari_gmff.reading.stack import Channel, FocusStack
    from napari_gmff.reading.tiff_open import OpenedTiff

NOTE = (
    f"{AI_MARK} A generative model made pixels of this stack, as its files say: what is fused from "
    "it is no measurement."
)

HEAD_BYTES = 2**16
"""How much of a file is searched for XMP, which programs write before the pixels."""

# As the content or an attribute of XMP; a record of ours as JSON names the type in another way.
_SOURCE_TYPE = re.compile(
    rb"DigitalSourceType(?:>|\s*=\s*[\"']|\s+rdf:resource\s*=\s*[\"'])\s*"
    rb"https?://[^<\"']{1,80}trainedAlgorithmicMedia",
    re.IGNORECASE,
)


def with_mark(stack: FocusStack) -> FocusStack:
    """Return a stack that says that a generative model made pixels of it.

    Its name ends with the mark, and so do those of its layers and of what is fused from it.
    """
    if stack.is_restored:
        return stack
    return replace(
        stack, metadata={**stack.metadata, SOURCE_KEY: AI_MARK}, notes=(NOTE, *stack.notes)
    )


def names_are_marked(title: str, channels: Iterable[Channel]) -> bool:
    """Tell from the names of an image and of its channels."""
    return is_marked(title) or any(is_marked(channel.name) for channel in channels)


def is_generated_tiff(opened: OpenedTiff, series: int) -> bool:
    """Tell from what a TIFF says of one of its series, as OME, as ImageJ or as XMP.

    Parameters
    ----------
    opened : OpenedTiff
        Its headers.
    series : int
        Number of the series.
    """
    if _names_source_type(opened.xmp):
        return True
    if opened.ome:
        image = opened.ome[series]
        return names_are_marked(image.name, image.channels) or AI_MARK in image.description
    facts = opened.tiff.imagej_metadata or {}
    labels = facts.get("Labels", ())
    listed = [labels] if isinstance(labels, str) else list(labels)
    # What follows is the record, which also names the mark where an image beside this one has it.
    # Of images that ImageJ makes a stack of, the info becomes part of the slices' labels.
    said = (str(text).partition("\n{")[0] for text in (facts.get("Info", ""), *listed))
    return any(AI_MARK in text for text in said)


def xmp_of(tiff: TiffFile) -> bytes:
    """Return the XMP of the first page of an open TIFF; empty where there is none."""
    page: Any = tiff.pages.first
    value = page.tags[XMP_TAG].value if XMP_TAG in page.tags else b""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def is_generated_picture(path: Path) -> bool:
    """Tell from the XMP of a PNG or JPEG."""
    with path.open("rb") as file:
        return _names_source_type(file.read(HEAD_BYTES))


def _names_source_type(xmp: bytes) -> bool:
    return _SOURCE_TYPE.search(xmp) is not None
