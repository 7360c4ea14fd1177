"""What a run says about itself: warnings for the user and the record kept with the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_gmff.engines.registry import package_of, preserves_pixels
from napari_gmff.errors import ParameterError
from napari_gmff.provenance import make_provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_gmff.engine_input import EngineInput
    from napari_gmff.engines.base import AnyEngine
    from napari_gmff.params import FuseParams
    from napari_gmff.plan import FusionPlan
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.unfinished.work import EarlierWork

_MOST_NUMBERS = 8
"""Slice numbers listed in a warning; a stack may have hundreds."""


def warnings_of_input(
    stack: FocusStack, plan: FusionPlan, inputs: Sequence[EngineInput]
) -> list[str]:
    """Say what the reader assumed, and where slices offer no choice."""
    warnings = list(stack.notes)
    if len(plan.slices) == 1:
        return [*warnings, "only one slice: there is nothing to choose from"]
    for time, one in zip(plan.times, inputs, strict=True):
        for part in one.parts:
            if part.constant_slices:
                numbers = [plan.slices[position] for position in part.constant_slices]
                where = f" of channel {part.scales[0].channel}" if plan.per_channel else ""
                where += f" of time point {time}" if stack.n_times > 1 else ""
                listed = _listed(numbers)
                warnings.append(f"constant slices{where}, with nothing to focus on: {listed}")
    return warnings


def check_blend(engine: AnyEngine, params: FuseParams) -> None:
    """Refuse to ask a blend for what it does not give.

    Raises
    ------
    ParameterError
        If depth is to be marked by confidence.
    """
    if not preserves_pixels(engine) and params.depth_min_confidence is not None:
        raise ParameterError(
            f"depth_min_confidence: engine {engine.name} computes pixels and gives neither depth "
            f"nor confidence, got {params.depth_min_confidence:g}"
        )


def warning_of_invalid(count: int) -> str:
    """Say how many voxels were left out of the choice."""
    what = "1 voxel is" if count == 1 else f"{count} voxels are"
    return f"{what} NaN or infinite; such a voxel is taken only where no slice has a finite one"


def note_of_resuming(earlier: EarlierWork) -> str:
    """Say that the run went on with unfinished work, and what of it was of no use."""
    times = (
        "1 interruption" if earlier.interruptions == 1 else f"{earlier.interruptions} interruptions"
    )
    if not earlier.n_damaged:
        return f"resumed after {times}"
    windows = "1 window was" if earlier.n_damaged == 1 else f"{earlier.n_damaged} windows were"
    return f"resumed after {times}; {windows} found damaged and fused again"


def record_of_run(
    stack: FocusStack,
    plan: FusionPlan,
    params: FuseParams,
    engine: AnyEngine,
    inputs: Sequence[EngineInput],
    *,
    ordered: bool,
    warnings: Sequence[str],
    interruptions: int = 0,
) -> dict[str, Any]:
    """Make the provenance of a finished run; reads the pixels of the stack's fingerprint."""
    described: dict[str, Any] = dict(engine.describe())
    z_um = plan.z_um(stack)
    return make_provenance(
        engine=engine.name,
        engine_method=engine.method,
        references=engine.references,
        engine_package=package_of(engine.name),
        score_kind=engine.score_kind if preserves_pixels(engine) else None,
        pixels_copied=preserves_pixels(engine),
        parameters=params.model_dump(mode="json"),
        source_name=stack.name,
        source_fingerprint=stack.fingerprint,
        source_axes=stack.axes,
        source_shape=stack.data.shape,
        source_dtype=stack.dtype.name,
        slices=plan.slices,
        z_um=None if z_um is None else z_um.tolist(),
        voxel_size_um=stack.voxel_size_um,
        inputs=_inputs(plan, inputs),
        slice_order="ordered" if ordered else "unordered",
        device=described.get("device", "unknown"),
        weights=described.get("weights"),
        times=plan.times,
        warnings=warnings,
        source_metadata=stack.metadata,
        interruptions=interruptions,
    )


def _inputs(plan: FusionPlan, inputs: Sequence[EngineInput]) -> list[dict[str, Any]]:
    return [
        {
            "t": time,
            "channel": scale.channel,
            "range": (scale.low, scale.high),
            "noise": scale.noise,
            "weight": scale.weight,
            "sigma_px": part.sigma_px,
        }
        for time, one in zip(plan.times, inputs, strict=True)
        for part in one.parts
        for scale in part.scales
    ]


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_NUMBERS]))
    more = len(numbers) - _MOST_NUMBERS
    return f"{shown} and {more} more" if more > 0 else shown
