from __future__ import annotations

import pytest

from napari_gmff import fuse
from napari_gmff.demo import demo_stack, score
from napari_gmff.scenes import relief_scene


def test_scores_compare_with_the_truth() -> None:
    scene = relief_scene(128, 6, seed=1)
    with fuse(demo_stack(scene)) as result:
        scores = score(scene, result)
        index = result.focus_index.compute()
    where = scene.textured
    assert scores.accuracy == pytest.approx((index == scene.index)[where].mean())
    assert scores.accuracy <= scores.within_one <= 1
    assert scores.slice_psnr_db < scores.psnr_db <= scores.best_psnr_db
    assert scores.depth_error_um < scores.unrefined_error_um < scene.z_step_um
