"""What the dock asks of the program: models, consent, restorers, runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff._napari.common.called_steps import CallProgress, steps_of_call
from napari_gmff.errors import GmffError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff._napari.common.generator_run import Steps
    from napari_gmff.params import FuseParams
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.results import FusionResult

_COUNTED_PX = 512


@dataclass(frozen=True)
class ModelState:
    """A file of weights that a restoration needs.

    Attributes
    ----------
    name : str
        In the model store.
    title : str
        For people.
    consent_text : str
        Licence, its restrictions, and that content may be invented.
    has_consent : bool
        Whether the user agreed to that text.
    is_stored : bool
        Whether the file is on this computer.
    how_to_get : str
        Which file is needed, where it comes from, its size and sha256.
    download_bytes : int or None
        Size of the download; None where only a local file will do.
    """

    name: str
    title: str
    consent_text: str
    has_consent: bool
    is_stored: bool
    how_to_get: str
    download_bytes: int | None


@dataclass(frozen=True)
class Readiness:
    """What stands between the user and a restoration.

    Attributes
    ----------
    missing_extra : str
        What to install, as a sentence; empty where all is there.
    models : tuple of ModelState
        The models that the parameters name.
    """

    missing_extra: str
    models: tuple[ModelState, ...]

    @property
    def has_consent(self) -> bool:
        """Whether all models were agreed to."""
        return all(model.has_consent for model in self.models)

    @property
    def is_complete(self) -> bool:
        """Whether a restoration can be started."""
        is_stored = all(model.is_stored for model in self.models)
        return not self.missing_extra and self.has_consent and is_stored


class RestorationParts:
    """Models, consent and runs as the program has them; tests put others in their place.

    All is for a thread: it reads files, and imports what takes long.
    """

    def offered(self) -> dict[str, list[tuple[str, str]]]:
        """Return title and name of each model that can be chosen, by field of `RestoreParams`."""
        from napari_gmff.restoration.models.catalog import (
            RESTORATION_MODELS,
            is_for_restoration,
            model_of_architecture,
        )
        from napari_gmff.weights.store import ModelStore

        found = {model.name: (model.title, model.role) for model in RESTORATION_MODELS.values()}
        for stored in ModelStore().models():
            if stored.card is not None and is_for_restoration(stored.card.architecture):
                role = model_of_architecture(stored.card.architecture).role
                found.setdefault(stored.name, (f"{stored.card.title}: {stored.name}", role))
        fields = {"model": "control", "base": "base"}
        return {
            field: [(title, name) for name, (title, role) in found.items() if role == wanted]
            for field, wanted in fields.items()
        }

    def readiness(self, params: RestoreParams) -> Readiness:
        """Say what the models of a restoration still need."""
        return Readiness(
            missing_extra=missing_extra(),
            models=tuple(state_of(name) for name in (params.base, params.model)),
        )

    def give_consent(self, names: Iterable[str]) -> None:
        """Record that the user agreed to the terms of models."""
        from napari_gmff.restoration.models.consent import give_consent

        for name in names:
            give_consent(name)

    def import_file(self, name: str, path: Path) -> Steps:
        """Store a file of the user's as a model; yields how many bytes were read."""
        from napari_gmff.restoration.models.obtain import import_restoration_model

        return steps_of_call(
            "import", lambda report: import_restoration_model(path, kind=name, progress=report)
        )

    def download(self, name: str) -> Steps:
        """Download a model; yields how many bytes came."""
        from napari_gmff.restoration.models.obtain import download_restoration_model

        return steps_of_call(
            "download", lambda report: download_restoration_model(name, progress=report)
        )

    def mask_of(
        self, confidence: NDArray[np.floating[Any]], axes: str, below: float
    ) -> NDArray[np.bool_]:
        """Return where a restoration may change pixels.

        Parameters
        ----------
        confidence : ndarray or dask.array.Array
            From 0 to 1.
        axes : str
            Of `confidence`, of "tcyx". Where each channel has its own, one is enough.
        below : float
            Threshold, from 0 to 1.

        Returns
        -------
        ndarray, bool
            Axes (T)YX.
        """
        from napari_gmff.restoration.masks import mask_of_confidence

        planes = np.asarray(confidence)
        shape = planes.shape
        masks = [mask_of_confidence(plane, below) for plane in planes.reshape(-1, *shape[-2:])]
        mask = np.stack(masks).reshape(shape)
        return np.asarray(mask.any(axis=axes.index("c"))) if "c" in axes else mask

    def estimate_s(
        self, params: RestoreParams, masks: Sequence[NDArray[np.bool_]], n_groups: int
    ) -> float:
        """Estimate the seconds of a restoration with models of full size, before they are loaded.

        Parameters
        ----------
        params : RestoreParams
            Of the restoration.
        masks : sequence of ndarray
            Mask (Y, X) of each time point that is restored, nothing outside the region.
        n_groups : int
            Images that the model is given of each time point: channels, or 1 for colours.

        Raises
        ------
        DeviceError
            If the processor asked for is not there, or is a CPU and that was not allowed.
        """
        import torch

        from napari_gmff.restoration.diffusion.fitting import fit
        from napari_gmff.restoration.diffusion.speed import device_for, measured_speed, tile_flop
        from napari_gmff.restoration.diffusion.tiling import n_tiles
        from napari_gmff.restoration.masks import box_around

        device = device_for(params)
        is_fast = device.type == "cuda" and params.precision != "float32"
        speed = measured_speed(device, torch.bfloat16 if is_fast else torch.float32)
        boxes = [box for box in map(box_around, masks) if box is not None]
        sizes = [fit((box.y1 - box.y0, box.x1 - box.x0)).padded_yx for box in boxes]
        # Operations are known of tiles of 512 px; those of a smaller image are not filled.
        area = sum(
            n_tiles(size, params.tile_px)
            * math.prod(min(params.tile_px, side) / _COUNTED_PX for side in size)
            for size in sizes
        )
        return n_groups * params.n_seeds * area * tile_flop(params) / speed

    def load_restorer(self, params: RestoreParams) -> Restorer:
        """Load the models that the parameters name."""
        from napari_gmff.restoration.models.load import load_restorer

        return load_restorer(params)

    def restore(
        self,
        fused: FusionResult,
        restorer: Restorer,
        params: RestoreParams,
        stack: FocusStack | None,
        mask: NDArray[np.bool_] | None,
    ) -> Steps:
        """Restore a fused image; returns the `RestorationResult`.

        The dock calls it only after the user agreed.
        """
        from napari_gmff.restoration.run import iter_restore

        return iter_restore(
            fused,
            accept_generative=True,
            stack=stack,
            mask=mask,
            restorer=restorer,
            params=params,
        )

    def self_test(self, stack: FocusStack, fuse_params: FuseParams, params: RestoreParams) -> Steps:
        """Try a restoration on slices that were measured; returns the `SelfTest`."""
        from napari_gmff.restoration.self_test import iter_self_test

        yield CallProgress("load", 0, 0)
        return (
            yield from iter_self_test(
                stack,
                accept_generative=True,
                restorer=self.load_restorer(params),
                params=params,
                fuse_params=fuse_params,
            )
        )


def missing_extra() -> str:
    """Say what to install before anything can be restored; empty where all is there."""
    from napari_gmff.restoration.diffusion.extra import diffusers_module

    try:
        diffusers_module()
    except GmffError as error:
        return str(error)
    return ""


def state_of(name: str) -> ModelState:
    """Say what is known of a model: in words, and whether it is agreed to and stored.

    Parameters
    ----------
    name : str
        Of the catalogue, or that a model was imported under.
    """
    from napari_gmff.restoration.models.catalog import model_called
    from napari_gmff.restoration.models.consent import consent_text, has_consent
    from napari_gmff.weights.store import ModelStore

    model = model_called(name)
    known = model.published
    lines = [f"File: {model.file_name}", f"From: {model.source if known is None else known.url}"]
    if known is None:
        lines.append("Size and sha256: recorded when you choose the file")
    else:
        lines += [f"Size: {known.size_bytes:,} bytes", f"sha256: {known.sha256}"]
    return ModelState(
        name=model.name,
        title=model.title,
        consent_text=consent_text(name),
        has_consent=has_consent(name),
        is_stored=ModelStore().has(name),
        how_to_get="\n".join(lines),
        download_bytes=None if known is None else known.size_bytes,
    )
