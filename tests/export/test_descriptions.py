from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_gmff.export.descriptions import description_of, models_of
from napari_gmff.export.layout import GENERATED, ImageSpec
from napari_gmff.marks import AI_MARK, BANNER
from tests.export.conftest import record

RESTORED = {
    **record(),
    "restoration": {
        "models": [{"name": "diffbir-v2", "title": "DiffBIR v2"}, {"name": "sd21-base"}, "odd"],
        "seeds": [1, 2, 3],
    },
}


def image(name: str, kind: Any = "intensity") -> ImageSpec:
    return ImageSpec(name, "yx", (4, 5), np.dtype("float32"), kind)


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_what_a_model_made_says_so_first(name: str) -> None:
    assert description_of(image(name), RESTORED).startswith(f"{AI_MARK} {BANNER} ")
    assert description_of(image(name), record()).startswith(f"{AI_MARK} {BANNER} "), "no record"


def test_models_and_seeds_are_named() -> None:
    assert "Restored by DiffBIR v2 and sd21-base." in description_of(image("restored"), RESTORED)
    assert "over 3 restorations" in description_of(image("spread", "amount"), RESTORED)
    assert [model["name"] for model in models_of(RESTORED)] == ["diffbir-v2", "sd21-base"]
    assert models_of(record()) == []


def test_the_fused_image_beside_a_restored_one_is_described_as_ever() -> None:
    assert description_of(image("fused"), RESTORED) == description_of(image("fused"), record())


def test_the_two_masks_are_not_taken_for_each_other() -> None:
    by_hand = description_of(image("corrected", "mask"), RESTORED)
    by_model = description_of(image("restoration_mask", "mask"), RESTORED)
    assert "by hand" in by_hand and "restored" in by_model and "by hand" not in by_model


def test_corrections_and_marks_for_no_data_are_told() -> None:
    changed = {
        **record(parameters={"depth_min_confidence": 0.25}),
        "corrections": {"n_pixels": 7},
    }
    depth = ImageSpec("depth", "yx", (4, 5), np.dtype("float32"), "depth", unit="µm")
    text = description_of(depth, changed)
    assert "Position of best focus in µm. The slice of 7 pixels was chosen by hand" in text
    assert "NaN marks pixels whose confidence is below 0.25" in text
