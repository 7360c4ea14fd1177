"""Sizes that the source does not state are asked for, and only those."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_gmff._napari.heights.height_map import HeightScale
from napari_gmff._napari.heights.scale_fields import ScaleFields
from tests.gui.sets import fused_set
from tests.stacks import stack_of, textured


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def fields(qtbot):
    fields = ScaleFields(set())
    qtbot.addWidget(fields)
    return fields


def asked(fields: ScaleFields) -> tuple[bool, bool]:
    return tuple(not box.isHidden() for box in (fields.step, fields.pixel))


@pytest.mark.parametrize(
    ("voxel_um", "expected", "word"),
    [
        ((2.0, 0.5, 0.5), (False, False), ""),
        ((None, 0.5, 0.5), (True, False), "slice step"),
        ((2.0, None, None), (False, True), "pixel size"),
        ((None, None, None), (True, True), "neither slice step nor pixel size"),
    ],
)
def test_what_is_missing_is_asked_for_and_named(fields, viewer, voxel_um, expected, word):
    fields.use(fused_set(viewer, stack_of(textured((4, 64, 96)), voxel_size_um=voxel_um)))
    assert asked(fields) == expected
    assert word in fields.why
    assert fields.isHidden() == (expected == (False, False))


def test_what_was_entered_is_kept_for_each_fusion(fields, viewer):
    first, second = (fused_set(viewer, stack_of(textured((4, 64, 96)))) for _ in range(2))
    heard = []
    fields.changed.connect(lambda: heard.append(fields.scale()))
    fields.use(first)
    fields.step.setValue(2.0)
    assert fields.why
    fields.pixel.setValue(0.25)
    assert heard == [HeightScale((None, None), 2.0), HeightScale((0.25, 0.25), 2.0)]
    assert fields.why == ""
    fields.use(second)
    assert fields.scale() == HeightScale((None, None), None)
    assert fields.why
    fields.use(first)
    assert fields.scale() == heard[-1]
    assert len(heard) == 2
    fields.step.setValue(0)
    assert fields.scale() == HeightScale((0.25, 0.25), None)


def test_without_a_fusion_nothing_is_asked(fields):
    assert fields.scale() is None
    assert fields.isHidden()
