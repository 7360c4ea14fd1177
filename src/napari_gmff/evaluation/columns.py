"""The columns of the scoreboard: one kind of scene each, with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_gmff.errors import ParameterError
from napari_gmff.evaluation.brightfield_scenes import brightfield, smear
from napari_gmff.evaluation.disturbances import (
    drifting,
    dusty,
    shuffled,
    with_distractors,
    with_shot_noise,
)
from napari_gmff.evaluation.microscope_scenes import fluorescence, relief
from napari_gmff.evaluation.photographs import photographs_in
from napari_gmff.evaluation.recipe_scenes import recipe_scene
from napari_gmff.evaluation.scene import EvaluationScene
from napari_gmff.evaluation.see_through_scenes import see_through

SceneMaker = Callable[[int, int], EvaluationScene]
"""From the number of a scene, 0 and up, and its side in pixels; always the same pixels."""

SEED = 45_000_000

OBJECTS = "object_within_one"
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Column:
    """One kind of scene.

    Attributes
    ----------
    name : str
    sentence : str
        What is in the scenes.
    make : callable
        See `SceneMaker`.
    main_metric : str
        Field of `SceneScores` that the column is judged by.
    is_noisy : bool
        Whether noise, not the scene, makes most errors.
    """

    name: str
    sentence: str
    make: SceneMaker
    main_metric: str = OBJECTS
    is_noisy: bool = False


def standard_columns() -> list[Column]:
    """Return the columns whose scenes need no file."""
    return [
        Column(
            "fluorescence",
            "Bright blobs of 10 % structure at single depths on a dark ground, no noise.",
            fluorescence,
        ),
        Column(
            "haze",
            "The same blobs under out-of-focus light from outside the stack.",
            lambda number, size_px: fluorescence(number, size_px, haze=0.3),
        ),
        Column(
            "2000 photons",
            "The same blobs with 2000 photons at white.",
            lambda number, size_px: fluorescence(number, size_px, photons=2000),
            is_noisy=True,
        ),
        Column(
            "200 photons + haze",
            "The same blobs with 200 photons at white, under haze.",
            lambda number, size_px: fluorescence(number, size_px, photons=200, haze=0.1),
            is_noisy=True,
        ),
        Column(
            "dim",
            "The same blobs in a tenth of the camera's range, 3000 photons at their white.",
            lambda number, size_px: fluorescence(number, size_px, gain=0.1, photons=30_000),
            is_noisy=True,
        ),
        Column("relief", "Tilted textured relief with hills and a step, 4000 photons.", relief),
        Column(
            "recipe",
            "Photographs blurred by the papers' recipe, 8 bit, no noise.",
            recipe_scene,
            ACCURACY,
        ),
        Column(
            "recipe + noise",
            "The same with Gaussian noise of 4 grey levels.",
            lambda number, size_px: recipe_scene(number, size_px, noise_grey=4),
            ACCURACY,
            is_noisy=True,
        ),
        Column(
            "brightfield",
            "Absorbing and phase objects at several depths in partially coherent light.",
            brightfield,
        ),
        Column("smear", "A flat smear of large smooth cells in the same light.", smear),
        Column(
            "24 slices",
            "Recipe, blobs with 2000 photons and relief in turn, of 24 slices.",
            _three_kinds(n_slices=24, blur_px_per_slice=0.5),
            ACCURACY,
        ),
        Column(
            "pairs",
            "The same three kinds, of 2 slices.",
            _three_kinds(n_slices=2, blur_px_per_slice=3.0),
            ACCURACY,
        ),
        Column(
            "unordered",
            "The same three kinds, 12 slices in a random order.",
            _three_kinds(shuffled),
            ACCURACY,
        ),
        Column(
            "distractors",
            "The same three kinds with two slices far out of focus and two doubled ones, "
            "in a random order.",
            _three_kinds(with_distractors),
            ACCURACY,
        ),
        Column(
            "see-through",
            "Two textured sheets on one line of sight, 5000 photons.",
            see_through,
        ),
        Column(
            "drift 1 px",
            "The three kinds, every slice shifted by up to 1 px in y and x.",
            _three_kinds(drifting),
            ACCURACY,
        ),
        Column(
            "dust",
            "The three kinds with dark specks and hot pixels that are sharp in every slice.",
            _three_kinds(dusty),
            ACCURACY,
        ),
    ]


def photograph_column(folder: Path) -> Column:
    """Return the recipe on the photographs of a folder, evenly chosen from all.

    Raises
    ------
    SourceError
        If it holds none.
    """
    pictures = photographs_in(folder)
    # A stride coprime to most counts visits a folder evenly whatever the number of scenes.
    stride = max(1, len(pictures) // 8)

    def make(number: int, size_px: int) -> EvaluationScene:
        picture = pictures[(number * stride + number // 8) % len(pictures)]
        return recipe_scene(number, size_px, picture=picture)

    return Column(
        "recipe on photographs",
        f"The papers' recipe on the photographs of the folder {folder.name}.",
        make,
        ACCURACY,
    )


def chosen_columns(columns: list[Column], names: list[str]) -> list[Column]:
    """Return the columns of these names, all if none is given, in the order of the board.

    Raises
    ------
    ParameterError
        For a name that no column has.
    """
    known = [column.name for column in columns]
    for name in names:
        if name not in known:
            raise ParameterError(f"columns: must be of {', '.join(known)}, got {name!r}")
    return [column for column in columns if not names or column.name in names]


_Disturbance = Callable[[EvaluationScene, np.random.Generator], EvaluationScene]


def _three_kinds(
    disturb: _Disturbance | None = None,
    n_slices: int = 12,
    blur_px_per_slice: float | None = None,
) -> SceneMaker:
    """Return a maker of recipe, fluorescence with 2000 photons and relief scenes in turn.

    Parameters
    ----------
    disturb : callable, optional
        Changes the scene before it gets its noise.
    n_slices : int
        Of every scene.
    blur_px_per_slice : float, optional
        Of fluorescence and relief; the recipe's is fixed.
    """
    blur = {} if blur_px_per_slice is None else {"blur_px_per_slice": blur_px_per_slice}

    def make(number: int, size_px: int) -> EvaluationScene:
        kind = number % 3
        if kind == 0:
            scene, photons, plain = recipe_scene(number, size_px, n_slices), np.inf, "recipe"
        elif kind == 1:
            scene = fluorescence(number, size_px, n_slices, **blur)
            photons, plain = 2000.0, "2000 photons"
        else:
            scene = relief(number, size_px, n_slices, photons=np.inf, **blur)
            photons, plain = 4000.0, "relief"
        rng = np.random.default_rng([SEED, number, n_slices])
        if disturb is not None:
            scene = disturb(scene, rng)
        if np.isfinite(photons):
            scene = with_shot_noise(scene, photons, rng)
        return replace(scene, plain_column=plain)

    return make
