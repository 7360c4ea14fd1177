"""Spellings of units."""

from __future__ import annotations

import pytest

from napari_gmff.reading.units import um_per_unit


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        ("µm", 1),
        ("\u03bcm", 1),
        ("\\u00B5m", 1),
        ("Micrometres", 1),
        ("nanometer", 1e-3),
        ("Å", 1e-4),
        ("cm", 1e4),
        ("inch", 25400),
        ("pixel", None),
        ("reference frame", None),
        ("", None),
        (None, None),
    ],
)
def test_units_are_known_by_all_their_spellings(unit: str | None, um: float | None) -> None:
    assert um_per_unit(unit) == um
