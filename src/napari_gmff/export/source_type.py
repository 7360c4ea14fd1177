"""How files tell programs, in the words of IPTC, whether a model made their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from napari_gmff.export.descriptions import printable
from napari_gmff.marks import (
    AI_MARK,
    BANNER,
    FUSED_SOURCE_TYPE,
    RESTORED_SOURCE_TYPE,
    mark_facts,
)

if TYPE_CHECKING:
    from napari_gmff.export.layout import ImageSpec

XMP_TAG = 700
"""Of TIFF, for the packet of `xmp_packet`."""

_BYTES = 1
"""Type of a TIFF tag."""

# Of Adobe's XMP specification, part 1, and IPTC's Photo Metadata Standard.
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def source_type_of(spec: ImageSpec) -> str | None:
    """Return the digital source type of an image; None for maps, which are no pictures."""
    if spec.is_generated:
        return RESTORED_SOURCE_TYPE
    return FUSED_SOURCE_TYPE if spec.kind == "intensity" else None


def xmp_packet(spec: ImageSpec, title: str, text: str) -> bytes | None:
    """Return XMP with the digital source type of an image.

    Parameters
    ----------
    spec : ImageSpec
        The image.
    title, text : str
        What it is.

    Returns
    -------
    bytes or None
        UTF-8; None for an image that has no such type.
    """
    source_type = source_type_of(spec)
    if source_type is None:
        return None
    parts = {"source_type": source_type, "title": title, "text": text}
    escaped = {key: escape(printable(part)) for key, part in parts.items()}
    return _PACKET.format(**escaped).encode()


def xmp_tags(spec: ImageSpec, title: str, text: str) -> list[tuple[int, int, int, bytes, bool]]:
    """Return the same as tags for `tifffile.TiffWriter.write`, none where there is no type."""
    packet = xmp_packet(spec, title, text)
    return [] if packet is None else [(XMP_TAG, _BYTES, len(packet), packet, True)]


def mark_texts(spec: ImageSpec) -> dict[str, str]:
    """Return what annotations and texts say of a generated image by name; nothing of others."""
    if not spec.is_generated:
        return {}
    return {"Mark": AI_MARK, "Notice": BANNER, "DigitalSourceType": RESTORED_SOURCE_TYPE}


def mark_attributes(spec: ImageSpec, record: Any) -> dict[str, Any]:
    """Return our own attributes of a generated image in OME-Zarr; none of others."""
    return {"restored": mark_facts(record)} if spec.is_generated else {}
