"""Synthetic focus stacks with known truth: generators of scenes, and cameras that photograph them.

Each generator gives a `SyntheticStack`: slices, true index, true depth, sharp image and masks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Camera": "camera",
    "DISTRACTOR": "synthetic_stack",
    "ImageSource": "images",
    "KINDS": "mixture",
    "Mixture": "mixture",
    "SyntheticStack": "synthetic_stack",
    "blurred_stack": "blur",
    "brightfield_stack": "brightfield",
    "fluorescence_stack": "fluorescence",
    "overlap_stack": "overlap",
    "photographed": "camera",
    "random_camera": "camera",
    "random_scene": "mixture",
    "recipe_stack": "recipe",
    "relief_stack": "relief",
    "thin_lens_stack": "thin_lens",
    "with_distractors": "camera",
}

__all__ = [
    "DISTRACTOR",
    "KINDS",
    "Camera",
    "ImageSource",
    "Mixture",
    "SyntheticStack",
    "blurred_stack",
    "brightfield_stack",
    "fluorescence_stack",
    "overlap_stack",
    "photographed",
    "random_camera",
    "random_scene",
    "recipe_stack",
    "relief_stack",
    "thin_lens_stack",
    "with_distractors",
]

if TYPE_CHECKING:
    from napari_gmff.training.synthesis.blur import blurred_stack
    from napari_gmff.training.synthesis.brightfield import brightfield_stack
    from napari_gmff.training.synthesis.camera import (
        Camera,
        photographed,
        random_camera,
        with_distractors,
    )
    from napari_gmff.training.synthesis.fluorescence import fluorescence_stack
    from napari_gmff.training.synthesis.images import ImageSource
    from napari_gmff.training.synthesis.mixture import KINDS, Mixture, random_scene
    from napari_gmff.training.synthesis.overlap import overlap_stack
    from napari_gmff.training.synthesis.recipe import recipe_stack
    from napari_gmff.training.synthesis.relief import relief_stack
    from napari_gmff.training.synthesis.synthetic_stack import DISTRACTOR, SyntheticStack
    from napari_gmff.training.synthesis.thin_lens import thin_lens_stack


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
