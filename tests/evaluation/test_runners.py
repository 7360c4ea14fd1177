from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_gmff.engines.registry import built_in_names
from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.evaluation.columns import standard_columns
from napari_gmff.evaluation.runners import (
    LAPLACIAN_FINE,
    LAPLACIAN_SMOOTH,
    TRUTH,
    EnfuseRunner,
    EngineRunner,
    LaplacianRunner,
    make_runners,
    runner_names,
)
from napari_gmff.evaluation.scene import EvaluationScene
from napari_gmff.evaluation.scoring import scores_of
from tests.evaluation.scenes_for_tests import striped_scene
from tests.stacks import random_weights

FAKE_ENFUSE = """#!{python}
import sys
import numpy as np
import tifffile

output = next(word[9:] for word in sys.argv if word.startswith("--output="))
slices = np.stack([tifffile.imread(word) for word in sys.argv[1:] if not word.startswith("--")])
{action}
"""


def relief_scene() -> EvaluationScene:
    (column,) = (column for column in standard_columns() if column.name == "relief")
    return column.make(0, 96)


def fake_enfuse(folder: Path, action: str) -> EnfuseRunner:
    """Return a program with the command line of enfuse, which is not on every machine."""
    program = folder / "enfuse"
    program.write_text(FAKE_ENFUSE.format(python=sys.executable, action=action))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return EnfuseRunner(str(program))


def test_an_engine_runs_as_users_run_it():
    scene = relief_scene()
    outcome = EngineRunner("laplacian-energy", {"engine": "laplacian-energy"}).run(scene, "relief")
    assert outcome.index is not None
    assert outcome.depth is not None
    assert outcome.confidence is not None
    np.testing.assert_array_equal(outcome.fused, scene.pixels_at(outcome.index))
    scores = scores_of(scene, outcome)
    assert scores.within_one > 0.9
    assert scores.depth_error_slices < 0.2
    assert scores.auroc > 0.7


def test_smoothing_saves_the_plain_laplacian_from_noise():
    (column,) = (one for one in standard_columns() if one.name == "200 photons + haze")
    scene = column.make(0, 192)
    fine, smooth = (
        scores_of(scene, LaplacianRunner("", *sigmas).run(scene, "")).object_within_one
        for sigmas in ((0.0, 3.0), (1.5, 6.0))
    )
    assert smooth > fine + 0.2


def test_without_names_every_engine_that_can_run_is_scored():
    runners, notes = make_runners([], [], {})
    names = [runner.name for runner in runners]
    assert names[:4] == [TRUTH, LAPLACIAN_FINE, LAPLACIAN_SMOOTH, "laplacian-energy"]
    left_out = [note.split()[0] for note in notes]
    assert {*names[3:], *left_out} == {*built_in_names(), "enfuse"}


def test_an_engine_that_computes_pixels_is_scored_on_them_alone():
    scene = relief_scene()
    outcome = EngineRunner("blend", {"engine": "weighted-average"}).run(scene, "relief")
    assert outcome.fused.shape == scene.stack.shape[1:]
    assert (outcome.index, outcome.depth, outcome.confidence) == (None, None, None)
    assert scores_of(scene, outcome).psnr_db > 20


def test_an_engine_asked_for_by_name_must_be_there(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ParameterError, match=r"engines: must be of laplacian-energy.*got 'best'"):
        make_runners(["best"], [], {})
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ParameterError, match="enfuse: is not installed"):
        make_runners(["enfuse"], [], {})


def test_weights_are_scored_under_the_name_of_their_file(tmp_path: Path):
    path = random_weights(tmp_path)
    runners, _ = make_runners(["laplacian-energy"], [str(path)], {"device": "cpu"})
    assert runners[-1].name == "random"
    outcome = runners[-1].run(striped_scene(), "stripes")
    assert outcome.fused.shape == (32, 32)


def test_missing_weights_end_the_run_before_it_begins(tmp_path: Path):
    with pytest.raises(WeightsError, match="weights file does not exist"):
        make_runners(["laplacian-energy"], [str(tmp_path / "none.pth")], {})


def test_names_of_weights_tell_them_apart():
    assert runner_names(["a/best.safetensors", "b/other.pth"]) == ["best", "other"]
    assert runner_names(["a/model", "b/model"]) == ["a/model", "b/model"]
    assert runner_names(["microscopy-v4.1"]) == ["microscopy-v4.1"]


def test_enfuse_gives_an_image_without_index(tmp_path: Path):
    runner = fake_enfuse(tmp_path, "tifffile.imwrite(output, slices.max(0))")
    scene = striped_scene()
    outcome = runner.run(scene, "stripes")
    np.testing.assert_array_equal(outcome.fused, scene.stack.max(0))
    assert outcome.index is None


def test_a_failing_enfuse_is_one_sentence(tmp_path: Path):
    runner = fake_enfuse(tmp_path, "sys.exit('enfuse: no memory')")
    with pytest.raises(ParameterError, match=r"enfuse: cannot fuse stripes \(enfuse: no memory\)"):
        runner.run(striped_scene(), "stripes")


def test_networks_alone_are_scored_again_without_smoothing(tmp_path: Path):
    path = random_weights(tmp_path)
    runners, _ = make_runners(["laplacian-energy"], [str(path)], {}, unsmoothed=True)
    assert [runner.name for runner in runners[3:]] == ["laplacian-energy", "random", "random, σ 0"]
    assert isinstance(runners[-1], EngineRunner)
    assert runners[-1].options["input_sigma_px"] == 0
