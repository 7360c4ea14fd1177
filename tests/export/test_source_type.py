from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring

from napari_gmff.export.layout import GENERATED, ImageSpec
from napari_gmff.export.source_type import mark_attributes, mark_texts, source_type_of, xmp_packet
from napari_gmff.marks import AI_MARK, BANNER, FUSED_SOURCE_TYPE, RESTORED_SOURCE_TYPE

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def image(name: str, kind: Any = "intensity") -> ImageSpec:
    return ImageSpec(name, "yx", (4, 5), np.dtype("float32"), kind)


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_what_a_model_made_is_a_composite_with_a_trained_algorithm(name: str) -> None:
    assert source_type_of(image(name)) == RESTORED_SOURCE_TYPE
    assert mark_texts(image(name))["Notice"] == BANNER
    assert mark_attributes(image(name), {"seeds": [1]})["restored"]["mark"] == AI_MARK


def test_a_fused_image_is_a_computational_capture_and_a_map_is_no_picture() -> None:
    assert source_type_of(image("fused")) == FUSED_SOURCE_TYPE
    assert source_type_of(image("depth", "depth")) is None
    assert xmp_packet(image("depth", "depth"), "depth", "") is None
    assert mark_texts(image("fused")) == mark_attributes(image("fused"), {}) == {}


def test_a_packet_is_xml_whatever_the_image_is_called() -> None:
    title, text = "moth <wing> & {friends}\x00", "]]> \ud800 µm"
    packet = xmp_packet(image("restored"), title, text)
    assert packet is not None
    root = fromstring(packet.decode())
    assert [found.text for found in root.iter(IPTC)] == [RESTORED_SOURCE_TYPE]
    words = [found.text for found in root.iter() if str(found.tag).endswith("}li")]
    assert words == ["moth <wing> & {friends}?", "]]> ? µm"]
