"""Restorations with a spot planted by hand, where no model is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_gmff.export.layout import ImageSpec
from napari_gmff.export.working import create_working_store
from napari_gmff.marks import BANNER, RESTORATION_KEY, RESTORED_SOURCE_TYPE
from napari_gmff.restoration.images import restoration_images
from napari_gmff.restoration_result import RestorationResult
from napari_gmff.results import FusionResult
from tests.export.conftest import fill

SPOT = (slice(10, 20), slice(15, 40))
"""Rows and columns of what is invented; the mask is as large."""

SPREAD, CONTRADICTION = 2.5, 7.0


def made_restoration(
    fused: FusionResult, folder: Path, *, n_seeds: int = 1, has_contradiction: bool = True
) -> RestorationResult:
    """Plant a brighter spot, as much brighter as its seed says, and write what belongs to it."""
    specs = restoration_images(fused, n_seeds=n_seeds, has_contradiction=has_contradiction)
    folder.parent.mkdir(parents=True, exist_ok=True)
    group = create_working_store(folder, specs.values())
    for spec in specs.values():
        fill(group, spec, _values(spec, fused))
    share = (SPOT[0].stop - SPOT[0].start) * (SPOT[1].stop - SPOT[1].start)
    record: dict[str, Any] = {
        "models": [{"name": "planted", "sha256": "c0ffee", "license": "none"}],
        "parameters": {"n_seeds": n_seeds, "steps": 5},
        "seeds": list(range(231, 231 + n_seeds)),
        "changed_share": share / np.prod(fused.images["fused"].shape_yx),
        "digital_source_type": RESTORED_SOURCE_TYPE,
        "notice": BANNER,
    }
    provenance = {**fused.provenance, RESTORATION_KEY: record}
    return RestorationResult(specs, fused.geometry, provenance, folder, is_temporary=True)


def _values(spec: ImageSpec, fused: FusionResult) -> np.ndarray:
    if spec.name == "fused":
        return fused.fused.compute()
    values = np.zeros(spec.shape, spec.dtype)
    if spec.kind == "intensity":
        values = fused.fused.compute()
        spot = values[..., *SPOT]
        # Down where there is no room above, so that nothing wraps around.
        middle, step = (128, 50) if spec.dtype.itemsize == 1 else (1000, 500)
        values[..., *SPOT] = np.where(spot > middle, spot - step, spot + step)
        return values
    changed = _values(ImageSpec("restored", fused.images["fused"].axes, fused.images["fused"].shape,
                                fused.images["fused"].dtype, "intensity"), fused)  # fmt: skip
    change = changed.astype(np.float32) - fused.fused.compute().astype(np.float32)
    if spec.name in ("difference", "abs_difference"):
        return change if spec.name == "difference" else np.abs(change)
    planted = {"restoration_mask": 1, "spread": SPREAD, "contradiction": CONTRADICTION}
    values[..., *SPOT] = planted[spec.name]
    return values
