"""A restoration from the mask to the result: what may change, and what must not."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import napari_gmff
from napari_gmff import FusionResult, RestorationResult, fuse, iter_restore, open_result, restore
from napari_gmff.errors import (
    ConsentError,
    DeviceError,
    GmffError,
    OutputError,
    ParameterError,
    RestorationCancelled,
)
from napari_gmff.marks import AI_MARK
from tests.restoration.restorers import PaintedRestorer, brighter, noisy, unchanged
from tests.stacks import stack_of, textured

FAST = {"engine": "laplacian-energy", "device": "cpu"}
AREA = (slice(20, 50), slice(10, 60))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep temporary stores in a folder of the test, so that what is left behind is seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def fused() -> Iterator[FusionResult]:
    with fuse(stack_of(textured()), **FAST) as result:
        yield result


def area_mask(shape: tuple[int, ...] = (90, 70)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[..., *AREA] = True
    return mask


def restored_with(fused: FusionResult, restorer: PaintedRestorer, **options) -> RestorationResult:
    options.setdefault("mask", area_mask())
    return restore(fused, accept_generative=True, restorer=restorer, **options)


def as_channels(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, *array.shape[-2:])


@pytest.mark.parametrize("agreed", [False, None, 1, "yes"])
def test_nothing_is_generated_unless_that_was_asked_for_in_so_many_words(fused, agreed):
    restorer = brighter()
    with pytest.raises(ConsentError, match=r"accept_generative: must be True.*may be invented"):
        restore(fused, accept_generative=agreed, restorer=restorer, mask=area_mask())
    assert restorer.given == []


@pytest.mark.parametrize(
    ("axes", "shape", "dtype"),
    [
        ("ZYX", (3, 90, 70), "uint8"),
        ("ZYX", (3, 90, 70), "uint16"),
        ("ZYX", (3, 90, 70), "int16"),
        ("ZYX", (3, 90, 70), "float32"),
        ("CZYX", (2, 3, 90, 70), "uint8"),
        ("TZYX", (2, 3, 90, 70), "int16"),
        ("TCZYX", (2, 2, 3, 90, 70), "float32"),
    ],
)
def test_outside_the_mask_every_bit_is_that_of_the_fused_image(axes: str, shape, dtype: str):
    with fuse(stack_of(textured(shape, dtype), axes), **FAST) as fused:
        with restored_with(fused, brighter(), n_seeds=2) as result:
            before, mask = fused.fused.compute(), area_mask()
            assert result.fused.dtype == before.dtype
            np.testing.assert_array_equal(result.fused, before, strict=True)
            for name in ("restored", "restored_mean"):
                after = result.image(name).compute()
                assert after.dtype == before.dtype
                np.testing.assert_array_equal(after[..., ~mask], before[..., ~mask], strict=True)
            after = result.restored.compute()
            np.testing.assert_array_equal(
                result.mask, np.broadcast_to(mask, result.mask.shape).astype(np.uint8), strict=True
            )
            inside = np.zeros_like(mask)
            inside[30:40, 20:50] = True
            full = np.iinfo(dtype).max if dtype != "float32" else np.inf
            room = before[..., inside].astype(np.float64) < 0.7 * full
            assert (after[..., inside] > before[..., inside])[room].all()


def test_outside_the_mask_of_colour_pictures_every_bit_stays_and_alpha_everywhere():
    rng = np.random.default_rng(3)
    stack = rng.integers(0, 255, (3, 90, 70, 4), dtype=np.uint8)
    with fuse(stack_of(stack, "ZYXS"), **FAST) as fused:
        restorer = PaintedRestorer(lambda image, _: image * np.float32([[[0.5]], [[1]], [[0.8]]]))
        with restored_with(fused, restorer) as result:
            before, after = fused.fused.compute(), result.restored.compute()
    assert len(restorer.given) == 1
    np.testing.assert_array_equal(after[:, ~area_mask()], before[:, ~area_mask()])
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_array_equal(after[3], before[3])
    deep = (slice(32, 38), slice(25, 45))
    # Half of what the model saw, whose black is the range's lower limit.
    low, high = result.restoration["parts"][0]["range"]
    seen = np.clip((before[0][deep] - low) / (high - low), 0, 1)
    expected = before[0][deep] - 0.5 * seen * (high - low)
    np.testing.assert_allclose(after[0][deep], expected, atol=0.51)


@pytest.mark.parametrize(
    ("dtype", "input_range"),
    [
        ("uint8", "auto"),
        ("uint8", (0.2, 0.7)),
        ("uint16", "auto"),
        ("uint16", "dtype"),
        ("int16", "dtype"),
        ("float32", "auto"),
        ("float32", (0.2, 0.7)),
    ],
)
def test_a_model_that_changes_nothing_changes_no_bit(dtype: str, input_range):
    stack = stack_of(textured(dtype=dtype))
    with fuse(stack, **FAST) as fused:
        with restored_with(
            fused, unchanged(), input_range=input_range, stack=stack, n_seeds=2
        ) as result:
            np.testing.assert_array_equal(result.restored, fused.fused)
            for name in ("difference", "abs_difference", "spread", "contradiction"):
                assert not result.image(name).compute().any(), name
            assert result.changed_share == 0


def test_values_beyond_the_range_keep_what_lies_beyond():
    with fuse(stack_of(textured()), **FAST) as fused:
        before = fused.fused.compute().astype(np.int64)
        with restored_with(
            fused, brighter(0.5), input_range=(1000.0, 2000.0), feather_px=0
        ) as result:
            after = result.restored.compute().astype(np.int64)
    expected = np.minimum(before + 500, 65535)
    np.testing.assert_array_equal(after[AREA], expected[AREA])


def test_the_mask_fades_in_from_its_edge(fused):
    with restored_with(fused, brighter(), feather_px=8, input_range=(0, 1000)) as result:
        change = result.difference.compute()
    row = change[35, 8:20]
    assert (row[:2] == 0).all() and row[2] > 0
    assert (np.diff(row[2:10]) > 0).all()
    assert row[10] == row[11] == 250


def test_by_default_only_pixels_of_low_confidence_change(fused):
    confidence = fused.confidence.compute()
    below = float(np.quantile(confidence, 0.3))
    with restored_with(fused, brighter(), mask=None, mask_below=below) as result:
        changed = result.abs_difference.compute() > 0
        mask = result.mask.compute() > 0
    assert changed.any()
    assert (confidence[changed] < below).all()
    assert (confidence[mask] < below).all()


def test_where_each_channel_was_focused_by_itself_each_has_its_own_mask():
    stack = textured((2, 4, 90, 70))
    stack[1] = stack[1][..., ::-1]
    with fuse(stack_of(stack, "CZYX"), channel="per-channel", **FAST) as fused:
        confidence = fused.confidence.compute()
        below = float(np.quantile(confidence, 0.3))
        with restored_with(fused, brighter(), mask=None, mask_below=below) as result:
            changed = result.abs_difference.compute() > 0
            mask = result.mask.compute() > 0
    assert changed[0].any() and changed[1].any() and (changed[0] != changed[1]).any()
    assert (confidence[changed] < below).all()
    assert mask[changed.any(axis=0)].all()


def test_a_blend_needs_a_mask_and_says_why():
    with fuse(stack_of(textured()), engine="weighted-average", device="cpu") as fused:
        with pytest.raises(ParameterError, match=r"mask: must be given, .*computes pixels"):
            restored_with(fused, brighter(), mask=None)
        with restored_with(fused, brighter()) as result:
            assert result.difference.compute().any()


def test_nothing_of_low_confidence_is_refused_before_the_model_is_asked(fused):
    restorer = brighter()
    with pytest.raises(ParameterError, match=r"no area of .* confidence below 0"):
        restored_with(fused, restorer, mask=None, mask_below=0)
    assert restorer.given == []


def test_pixels_without_data_stay_without_and_the_model_sees_them_filled():
    stack = textured(dtype="float32")
    stack[:, 30:34, 20:30] = np.nan
    stack[:, 36:38, 40:42] = np.inf
    restorer = brighter()
    with (
        fuse(stack_of(stack), **FAST) as fused,
        restored_with(fused, restorer, n_seeds=2) as result,
    ):
        before, after = fused.fused.compute(), result.restored.compute()
        mask, difference = result.mask.compute(), result.difference.compute()
    gaps = ~np.isfinite(before)
    assert gaps.any()
    np.testing.assert_array_equal(after[gaps], before[gaps])
    assert not mask[gaps].any()
    assert np.isfinite(difference).all()
    assert all(np.isfinite(image).all() for image in restorer.given)


def test_a_mask_of_nothing_but_gaps_is_refused():
    stack = textured(dtype="float32")
    stack[:, *AREA] = np.nan
    with fuse(stack_of(stack), **FAST) as fused:
        with pytest.raises(ParameterError, match="mask: selects no pixel with data"):
            restored_with(fused, brighter())


def test_the_model_is_given_the_mask_with_its_surroundings_only():
    stack = textured((3, 700, 900))
    mask = np.zeros((700, 900), bool)
    mask[100:120, 800:830] = True
    restorer = brighter()
    with (
        fuse(stack_of(stack), **FAST) as fused,
        restored_with(fused, restorer, mask=mask) as result,
    ):
        box = result.restoration["parts"][0]["box"]
        changed = result.abs_difference.compute() > 0
    assert restorer.given[0].shape == (3, 512, 512)
    assert box == {"y": [0, 512], "x": [388, 900]}
    np.testing.assert_array_equal(changed, mask)


def test_several_seeds_give_the_first_their_mean_and_their_spread(fused):
    restorer = noisy()
    options = {"feather_px": 0, "input_range": (0.0, 40000.0)}
    with restored_with(fused, restorer, n_seeds=4, seed=7, **options) as result:
        first, mean = result.restored.compute(), result.restored_mean.compute()
        spread = result.spread.compute()
    assert restorer.seeds == [7, 8, 9, 10]
    singles = []
    for seed in restorer.seeds:
        with restored_with(fused, noisy(), seed=seed, **options) as one:
            assert one.spread is None and one.restored_mean is None
            singles.append(one.restored.compute())
    np.testing.assert_array_equal(first, singles[0])
    free = (np.stack(singles) > 0).all(axis=0) & (np.stack(singles) < 65535).all(axis=0)
    inside = area_mask() & free
    assert inside.sum() > 100
    np.testing.assert_allclose(mean[inside], np.mean(singles, axis=0)[inside], atol=1)
    np.testing.assert_allclose(spread[inside], np.std(singles, axis=0, ddof=1)[inside], atol=1)
    assert not spread[~area_mask()].any()


def test_one_time_point_of_a_region_is_restored_alone():
    stack = textured((3, 3, 90, 70))
    with fuse(stack_of(stack, "TZYX", voxel_size_um=(1, 0.5, 0.25)), **FAST) as fused:
        with restored_with(fused, brighter(), time=(1, 2), region=((30, 80), (20, 70))) as result:
            assert result.images["restored"].axes == "yx"
            before = fused.fused[1, 30:80, 20:70].compute()
            after, mask = result.restored.compute(), area_mask()[30:80, 20:70]
            np.testing.assert_array_equal(result.fused, before)
            np.testing.assert_array_equal(after[~mask], before[~mask])
            assert (after != before)[mask].mean() > 0.9
            assert result.geometry.origin_um == (15.0, 5.0)


def test_regions_and_times_outside_are_refused(fused):
    with pytest.raises(ParameterError, match="region: 0:95,0:70 is outside the 90 × 70"):
        restored_with(fused, brighter(), region=((0, 95), (0, 70)))
    with pytest.raises(ParameterError, match="time: 0:2 is outside the 1 time points"):
        restored_with(fused, brighter(), time=(0, 2))


def test_the_record_says_what_was_done(fused):
    with restored_with(fused, brighter(), n_seeds=2, seed=5, steps=3) as result:
        record = result.restoration
        mask = result.mask.compute() > 0
        assert {key: value for key, value in result.provenance.items() if key != "restoration"} == (
            fused.provenance
        )
        changed = (result.abs_difference.compute() > 0).mean()
    assert record["seeds"] == [5, 6]
    assert record["models"][0]["license"] == "CC0-1.0"
    assert record["parameters"]["n_seeds"] == 2
    assert record["mask"] == {"source": "given", "below": None, "share": mask.mean()}
    assert record["changed_share"] == pytest.approx(changed)
    assert record["contradiction"] is None
    assert record["digital_source_type"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert set(record["libraries"]) >= {"numpy", "torch", "diffusers"}
    assert len(record["input"]["pixels_sha256"]) == 64


def test_the_fingerprint_of_the_input_tells_images_and_masks_apart(fused):
    def fingerprints(image: FusionResult, mask: np.ndarray) -> tuple[str, str]:
        with restored_with(image, unchanged(), mask=mask) as result:
            found = result.restoration["input"]
            return found["pixels_sha256"], found["mask_sha256"]

    other_mask = area_mask()
    other_mask[60:70, 60:70] = True
    first, again = fingerprints(fused, area_mask()), fingerprints(fused, area_mask())
    with_mask = fingerprints(fused, other_mask)
    with fuse(stack_of(textured(seed=1)), **FAST) as other:
        with_pixels = fingerprints(other, area_mask())
    assert first == again
    assert with_mask[0] == first[0] and with_mask[1] != first[1]
    assert with_pixels[0] != first[0] and with_pixels[1] == first[1]


def test_a_result_that_is_saved_opens_as_a_restoration(fused, tmp_path: Path):
    out = tmp_path / "restored.ome.zarr"
    with restored_with(fused, brighter(), output=out) as result:
        assert not result.is_temporary and result.store_path == out
    opened = open_result(out)
    assert isinstance(opened, RestorationResult)
    assert opened.images["restored"].title.endswith(AI_MARK)
    assert opened.difference.compute().any()


def test_other_formats_are_saved_too(fused, tmp_path: Path):
    out = tmp_path / "restored"
    with restored_with(fused, brighter(), output=out, format="ome-tiff") as result:
        assert result.is_temporary
    assert any(out.iterdir())


def test_an_output_that_is_there_is_refused_before_the_model_is_asked(fused, tmp_path: Path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years")
    restorer = brighter()
    with pytest.raises(OutputError, match="mine"):
        restored_with(fused, restorer, output=out)
    assert restorer.given == []
    assert (out / "thesis.txt").read_text() == "years"


def test_the_fused_image_is_never_replaced_even_where_overwriting_is_allowed(fused, tmp_path: Path):
    saved = fused.save(tmp_path / "fused.ome.zarr")
    opened, restorer = open_result(saved), brighter()
    for out in (saved, saved / "restored"):
        with pytest.raises(OutputError, match=r"fused\.ome\.zarr"):
            restored_with(opened, restorer, output=out, overwrite=True)
    assert restorer.given == []
    np.testing.assert_array_equal(open_result(saved).fused, fused.fused)


def test_an_earlier_restoration_is_replaced_only_on_request(fused, tmp_path: Path):
    out = tmp_path / "restored.ome.zarr"
    restored_with(fused, brighter(0.1), output=out).close()
    with pytest.raises(OutputError, match=r"restored\.ome\.zarr"):
        restored_with(fused, brighter(0.2), output=out)
    first = open_result(out).restored.compute()
    restored_with(fused, brighter(0.2), output=out, overwrite=True).close()
    assert (open_result(out).restored.compute() != first).any()


def test_every_step_of_the_model_is_reported(fused):
    steps = []
    restored_with(fused, noisy(), n_seeds=2, seed=3, steps=3, on_progress=steps.append).close()
    model = [step for step in steps if step.stage == "restore"]
    assert [step.done for step in model] == [0, 1, 2, 3, 3, 4, 5, 6]
    assert {step.total for step in model} == {6}
    assert [step.seed for step in model] == [3] * 4 + [4] * 4
    assert [step.seed_number for step in model] == [1] * 4 + [2] * 4
    assert {(step.image_number, step.n_images) for step in model} == {(1, 1)}


def test_what_the_model_has_to_say_is_told_once_and_kept(fused):
    restorer, told = brighter(), []
    restorer.notes = ["told before"]

    def listen(progress) -> None:
        told.extend(progress.notes)
        if progress.stage == "restore" and progress.done == 1:
            restorer.notes.append("tiles of 256 px: memory ran out")

    with restored_with(fused, restorer, n_seeds=2, on_progress=listen) as result:
        assert told == result.restoration["warnings"] == ["tiles of 256 px: memory ran out"]


def test_a_cancelled_run_leaves_nothing_behind(fused, temporary: Path, tmp_path: Path):
    before = sorted(temporary.iterdir())
    restorer, out = brighter(), tmp_path / "out.ome.zarr"
    run = iter_restore(
        fused,
        accept_generative=True,
        restorer=restorer,
        mask=area_mask(),
        output=out,
        should_stop=lambda: len(restorer.given) > 0,
    )
    with pytest.raises(RestorationCancelled, match="stopped on request"):
        list(run)
    assert restorer.n_closed == 1
    assert sorted(temporary.iterdir()) == before
    assert not out.exists()


def test_a_closed_run_leaves_nothing_behind(fused, temporary: Path):
    before, restorer = sorted(temporary.iterdir()), brighter()
    with closing(
        iter_restore(fused, accept_generative=True, restorer=restorer, mask=area_mask())
    ) as run:
        while not restorer.given:
            next(run)
        assert sorted(temporary.iterdir()) != before
    assert sorted(temporary.iterdir()) == before
    assert restorer.n_closed == 1


def failing(error: Exception) -> PaintedRestorer:
    def paint(image: np.ndarray, seed: int) -> np.ndarray:
        raise error

    return PaintedRestorer(paint)


@pytest.mark.parametrize(
    ("error", "shown", "kind"),
    [
        (RuntimeError("CUDA error"), "restoring failed .*CUDA error", GmffError),
        (DeviceError("cuda:0: out of memory"), "out of memory", DeviceError),
        (OSError(28, "No space left on device"), "No space left", OutputError),
    ],
)
def test_a_failing_model_leaves_nothing_behind(fused, temporary: Path, error, shown, kind):
    before = sorted(temporary.iterdir())
    with pytest.raises(kind, match=shown) as caught:
        restored_with(fused, failing(error))
    assert not isinstance(caught.value, RuntimeError)
    assert sorted(temporary.iterdir()) == before


@pytest.mark.parametrize(
    ("paint", "shown"),
    [
        (lambda image, _: image[:, :-1], "must give an image of"),
        (lambda image, _: np.full_like(image, np.nan), "gave NaN or infinity"),
    ],
)
def test_nonsense_of_a_model_is_no_result(fused, paint, shown: str):
    with pytest.raises(GmffError, match=shown):
        restored_with(fused, PaintedRestorer(paint))


def test_restoring_a_restored_image_is_refused(fused):
    with restored_with(fused, brighter()) as result:
        with pytest.raises(ParameterError, match="fused: must be a FusionResult"):
            restored_with(result, brighter())


def test_another_stack_is_refused_by_name(fused):
    other = stack_of(textured(seed=9))
    with pytest.raises(ParameterError, match="stack: must be the one that was fused"):
        restored_with(fused, brighter(), stack=other)


def test_back_projection_needs_the_stack(fused):
    with pytest.raises(ParameterError, match="back_projection: needs the stack"):
        restored_with(fused, brighter(), back_projection=3)


def test_a_field_that_does_not_exist_is_refused(fused):
    with pytest.raises(ParameterError, match="stepps"):
        restored_with(fused, brighter(), stepps=3)


def test_the_fused_result_stays_as_it_was(fused):
    def state() -> str:
        files = sorted(path for path in fused.store_path.rglob("*") if path.is_file())
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    before, record = state(), dict(fused.provenance)
    with restored_with(fused, brighter()):
        pass
    assert state() == before and fused.provenance == record


def test_the_public_names_are_the_functions_of_this_module():
    assert napari_gmff.restore is restore and napari_gmff.iter_restore is iter_restore
