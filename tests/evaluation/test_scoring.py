from __future__ import annotations

import math

import numpy as np
import pytest

from napari_gmff.evaluation.scoring import (
    MOST_PSNR_DB,
    Outcome,
    SceneScores,
    mean_scores,
    scores_of,
    true_outcome,
)
from tests.evaluation.scenes_for_tests import striped_scene


def test_the_true_index_scores_full_marks():
    scene = striped_scene()
    scores = scores_of(scene, true_outcome(scene))
    assert scores.accuracy == scores.within_one == scores.object_within_one == 1
    assert scores.psnr_db == MOST_PSNR_DB
    assert scores.psnr_below_truth_db == 0
    assert scores.ssim == pytest.approx(1)
    assert scores.depth_error_slices == 0


def test_a_constant_index_scores_what_can_be_counted():
    scene = striped_scene()
    index = np.zeros(scene.depth.shape, np.uint8)
    scores = scores_of(scene, Outcome(scene.pixels_at(index), index, index.astype(np.float32)))
    assert scores.accuracy == 0.25
    assert scores.within_one == 0.5
    assert scores.depth_error_slices == 1.5
    assert scores.psnr_db < 20
    assert scores.psnr_below_truth_db == pytest.approx(MOST_PSNR_DB - scores.psnr_db)


def test_objects_and_known_pixels_are_counted_apart():
    upper = np.arange(32)[:, None] + np.zeros(32) < 16
    scene = striped_scene(objects=upper, known=np.arange(32)[:, None] + np.zeros(32) < 24)
    index = np.zeros(scene.depth.shape, np.uint8)
    scores = scores_of(scene, Outcome(scene.pixels_at(index), index))
    assert scores.object_accuracy == 0.5
    assert scores.object_within_one == 1
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.within_one == pytest.approx(2 / 3)


def test_the_image_is_judged_only_where_something_has_a_depth():
    known = np.zeros((32, 32), bool)
    known[:16] = True
    scene = striped_scene(known=known)
    fused = scene.pixels_at(scene.index)
    fused[16:] = 0
    scores = scores_of(scene, Outcome(fused))
    assert scores.psnr_db == MOST_PSNR_DB
    assert scores.ssim == pytest.approx(1)


def test_confidence_is_good_where_it_is_low_on_wrong_pixels_and_on_empty_ground():
    known = np.ones((32, 32), bool)
    known[:, :4] = False
    scene = striped_scene(known=known, objects=known)
    index = np.zeros(scene.depth.shape, np.uint8)
    right = (scene.slices_off(index) <= 1) & known
    told = right.astype(np.float32)
    fused = scene.pixels_at(index)
    good = scores_of(scene, Outcome(fused, index, None, told))
    bad = scores_of(scene, Outcome(fused, index, None, 1 - told))
    assert (good.auroc, good.object_auroc) == (1, 1)
    assert (bad.auroc, bad.object_auroc) == (0, 0)
    trusting = np.where(known, told, 1).astype(np.float32)
    assert scores_of(scene, Outcome(fused, index, None, trusting)).auroc < 1


def test_depth_is_not_judged_where_the_order_is_lost():
    scene = striped_scene(order=(1, 0, 2, 3))
    assert math.isnan(scores_of(scene, true_outcome(scene)).depth_error_slices)


def test_an_image_without_index_gets_scores_of_the_image_alone():
    scene = striped_scene()
    scores = scores_of(scene, Outcome(scene.sharp))
    assert scores.psnr_db == MOST_PSNR_DB
    assert math.isnan(scores.accuracy)


def test_means_leave_out_what_is_unknown():
    mean = mean_scores([SceneScores(accuracy=0.5), SceneScores(accuracy=1.0, auroc=0.7)])
    assert mean.accuracy == 0.75
    assert mean.auroc == 0.7
    assert math.isnan(mean.ssim)
