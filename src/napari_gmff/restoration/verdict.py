"""What a self-test means, in one plain sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_gmff.restoration.self_test_run import AreaComparison, SelfTest

_NOTICEABLE_DB = 0.2
"""Less is no difference that anybody would see."""

_NOTICEABLE_SSIM = 0.005


def verdict_of(test: SelfTest) -> str:
    """Say whether restoring brought an image closer to what was measured."""
    slices = (
        f"slice {test.dropped[0]}"
        if len(test.dropped) == 1
        else f"slices {', '.join(map(str, test.dropped))}"
    )
    inside = test.inside
    if not inside.restored_share:
        return (
            f"Without {slices}, restoring changed nothing where their focus is missing: there is "
            "nothing to judge."
        )
    return f"Without {slices}, {_inside(inside)}{_outside(test.outside)}."


def _inside(area: AreaComparison) -> str:
    assert area.fused is not None and area.restored is not None
    if math.isinf(area.restored.psnr_db):
        return "restoring made it better: inside the gap it equals the measured image"
    gain = area.restored.psnr_db - area.fused.psnr_db
    numbers = (
        f"(PSNR {area.fused.psnr_db:.1f} → {area.restored.psnr_db:.1f} dB, SSIM "
        f"{area.fused.ssim:.3f} → {area.restored.ssim:.3f})"
    )
    if math.isinf(gain):
        return "restoring made it worse: inside the gap it had equalled the measured image"
    if abs(gain) < _NOTICEABLE_DB:
        return (
            "restoring made no difference that counts: inside the gap it is as far from the "
            f"measured image as leaving it {numbers}"
        )
    better, way = ("better", "closer to") if gain > 0 else ("worse", "further from")
    return (
        f"restoring made it {better}: inside the gap it is {abs(gain):.1f} dB {way} the measured "
        f"image than leaving it {numbers}{_doubt(area, gain)}"
    )


def _doubt(area: AreaComparison, gain: float) -> str:
    """Say where the structure speaks against the intensities."""
    assert area.fused is not None and area.restored is not None
    risen = area.restored.ssim - area.fused.ssim
    if gain >= _NOTICEABLE_DB and risen < -_NOTICEABLE_SSIM:
        return ", but its structures are less like the measured ones"
    if gain <= -_NOTICEABLE_DB and risen > _NOTICEABLE_SSIM:
        return ", though its structures are more like the measured ones"
    return ""


def _outside(area: AreaComparison) -> str:
    if not area.restored_share or area.fused is None or area.restored is None:
        return "; outside the gap nothing was changed"
    before, after = area.fused.psnr_db, area.restored.psnr_db
    if math.isinf(after) or before - after < _NOTICEABLE_DB:
        return "; outside the gap it did no harm"
    lost = "" if math.isinf(before) else f", by {before - after:.1f} dB"
    return f"; outside the gap it spoilt what had been measured{lost}"
