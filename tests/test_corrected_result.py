"""A corrected result equals one that was put together anew, at once or stroke by stroke."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_gmff import FocusStack, FusionResult, fuse, open_result
from napari_gmff import corrected_result as module
from napari_gmff.corrected_result import CorrectedResult, apply_corrections
from napari_gmff.corrections import Corrections
from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.params import CLASSICAL_ENGINE
from napari_gmff.provenance import read_provenance
from tests.stacks import images_of, stack_of, textured

ENGINE = {"engine": CLASSICAL_ENGINE}
VOXEL_UM = (2.0, 0.5, 0.5)
WHOLE = (slice(0, 60), slice(0, 50))


def random_labels(shape: tuple[int, ...], numbers: list[int], seed: int = 3) -> np.ndarray:
    """Return boxes and single pixels of random slices; about half of the pixels stay 0."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0] * 40 + [number + 1 for number in numbers], size=shape)
    frames = labels if labels.ndim == 3 else labels[None]
    for frame in frames:
        for _ in range(6):
            y, x = rng.integers(0, shape[-2] - 5), rng.integers(0, shape[-1] - 5)
            frame[y : y + 12, x : x + 9] = rng.choice(numbers) + 1
    return labels.astype(np.uint8)


def put_together(
    result: FusionResult, array: np.ndarray, labels: np.ndarray, z: np.ndarray
) -> dict[str, np.ndarray]:
    """Return all images of a correction, every pixel gathered again.

    `array` is (T, C, Z, Y, X) of what was fused; result and labels have a T axis too.
    """
    index = np.where(labels, labels - 1, result.focus_index.compute())
    expected = {
        "fused": np.take_along_axis(array, index[:, None, None].astype(int), axis=2)[:, :, 0],
        "focus_index": index.astype(result.focus_index.dtype),
        "corrected": (labels > 0).astype(np.uint8),
        "confidence": result.confidence.compute(),
    }
    for name in ("depth", "depth_unrefined"):
        if name in result.images:
            own = result.image(name).compute()
            expected[name] = np.where(labels, z[index], own).astype(np.float32)
    return expected


def assert_holds(result: FusionResult, expected: dict[str, np.ndarray]) -> None:
    assert result.images.keys() == expected.keys()
    for name, values in expected.items():
        found = result.image(name).compute()
        np.testing.assert_array_equal(found, values.reshape(found.shape), err_msg=name, strict=True)


@pytest.fixture
def stack() -> FocusStack:
    return stack_of(textured((4, 60, 50)), voxel_size_um=VOXEL_UM)


@pytest.fixture
def result(stack: FocusStack) -> Iterator[FusionResult]:
    with fuse(stack, **ENGINE) as made:
        yield made


def all_images(result: FusionResult) -> dict[str, np.ndarray]:
    return {name: result.image(name).compute() for name in result.images}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_it_equals_a_result_put_together_anew(dtype: str) -> None:
    array = textured((4, 60, 50), dtype)
    if dtype == "float32":
        array[2, 7, 7] = np.nan
    stack = stack_of(array, voxel_size_um=VOXEL_UM)
    with fuse(stack, **ENGINE) as result:
        labels = random_labels((60, 50), [0, 1, 2, 3])
        with apply_corrections(result, stack, Corrections.of(result, labels)) as corrected:
            z = stack.z_positions_um
            expected = put_together(_with_time(result), array[None, None], labels[None], z)
            assert_holds(corrected, expected)


def _with_time(result: FusionResult) -> FusionResult:
    """Give arrays a T axis where the result has none, for `put_together`."""

    class Timed:
        images = result.images

        def image(self, name: str) -> da.Array:
            found = result.image(name)
            return found if "t" in result.images[name].axes else found[None]

        focus_index = property(lambda self: self.image("focus_index"))
        confidence = property(lambda self: self.image("confidence"))

    return Timed()  # type: ignore[return-value]


def test_channels_times_and_a_part_of_a_falling_stack() -> None:
    array = textured((3, 2, 6, 60, 50))
    stack = stack_of(array, "TCZYX", voxel_size_um=VOXEL_UM)
    stack = replace(stack, z_positions_um=np.array([9.0, 7.0, 6.0, 2.0, 1.0, 0.0]))
    options = {"region": ((8, 55), (3, 41)), "time": (1, 3), "z_range": (1, 5), **ENGINE}
    with fuse(stack, projections=True, **options) as result:
        labels = random_labels((2, 47, 38), [1, 2, 3, 4])
        with apply_corrections(result, stack, Corrections.of(result, labels)) as corrected:
            part = array[1:3, :, :, 8:55, 3:41]
            expected = put_together(result, part, labels, stack.z_positions_um)
            expected["max_projection"] = result.image("max_projection").compute()
            assert_holds(corrected, expected)


def test_colours_and_an_unknown_step() -> None:
    array = np.stack([textured((4, 60, 50), "uint8", seed) for seed in range(3)], axis=-1)
    stack = stack_of(array, "ZYXS")
    with fuse(stack, **ENGINE) as result:
        labels = random_labels((60, 50), [0, 1, 2, 3])
        with apply_corrections(result, stack, Corrections.of(result, labels)) as corrected:
            assert corrected.depth_unit == "slice"
            channels = np.moveaxis(array, -1, 0)[None]
            expected = put_together(_with_time(result), channels, labels[None], np.arange(4))
            assert_holds(corrected, expected)


def test_strokes_in_any_order_give_what_the_last_labels_say(
    stack: FocusStack, result: FusionResult
) -> None:
    rng = np.random.default_rng(8)
    labels = np.zeros((60, 50), np.uint8)
    live = CorrectedResult(result, stack)
    for stroke in range(30):
        y, x = rng.integers(0, 48), rng.integers(0, 38)
        place = (slice(y, y + 12), slice(x, x + 12))
        labels[place] = rng.integers(0, 5, (12, 12)) if stroke % 3 else 0
        live.correct(0, place, labels[place])
        if stroke % 7 == 0:
            live.flush()
    at_once = apply_corrections(result, stack, Corrections.of(result, labels))
    expected = all_images(at_once)
    assert_holds(live, expected)
    without_date = [
        {key: value for key, value in one.provenance["corrections"].items() if key != "date"}
        for one in (live, at_once)
    ]
    assert without_date[0] == without_date[1]
    np.testing.assert_array_equal(live.labels, labels)
    live.close()
    at_once.close()


def test_blocks_that_are_returned_are_those_of_the_result(
    stack: FocusStack, result: FusionResult
) -> None:
    with CorrectedResult(result, stack) as live:
        place = (slice(5, 30), slice(11, 40))
        blocks = live.correct(0, place, random_labels((25, 29), [0, 1, 2, 3]))
        assert blocks.keys() == live.images.keys() - {"confidence"}
        for name, block in blocks.items():
            np.testing.assert_array_equal(live.image(name)[place].compute(), block, strict=True)


def test_taking_everything_back_restores_the_original(
    stack: FocusStack, result: FusionResult
) -> None:
    before = all_images(result)
    with CorrectedResult(result, stack) as live:
        labels = random_labels((60, 50), [0, 1, 2, 3])
        live.correct(0, WHOLE, labels)
        assert "corrected" in live.images
        live.correct(0, WHOLE, np.zeros_like(labels))
        assert live.n_corrected == 0
        assert live.provenance == result.provenance
        assert_holds(live, before)
    assert_holds(result, before)


def test_the_record_counts_what_was_corrected(stack: FocusStack, result: FusionResult) -> None:
    with CorrectedResult(result, stack) as live:
        assert "corrections" not in live.provenance
        live.correct(0, (slice(0, 10), slice(0, 30)), np.full((10, 30), 2))
        live.correct(0, (slice(0, 5), slice(0, 10)), np.full((5, 10), 4))
        record = live.provenance["corrections"]
        assert record["n_pixels"] == live.n_corrected == 300
        assert record["fraction"] == 300 / 3000
        assert record["by_slice"] == {"1": 250, "3": 50}
        assert record["date"].startswith("20")
        assert "corrections" not in result.provenance


@pytest.mark.parametrize("format", ["ome-zarr", "ome-tiff"])
def test_a_saved_result_keeps_mask_and_record(
    stack: FocusStack, result: FusionResult, tmp_path: Path, format: Any
) -> None:
    labels = random_labels((60, 50), [0, 1, 2, 3])
    with apply_corrections(result, stack, Corrections.of(result, labels)) as corrected:
        expected = all_images(corrected)
        out = corrected.save(tmp_path / "out", format=format)
        record = corrected.provenance["corrections"]
    assert read_provenance(out)["corrections"] == record
    if format == "ome-zarr":
        assert_holds(open_result(out), expected)
    else:
        import tifffile

        for name, values in expected.items():
            np.testing.assert_array_equal(tifffile.imread(out / f"{name}.ome.tif"), values)


def test_depth_of_a_doubtful_pixel_that_was_corrected_is_kept(
    stack: FocusStack, result: FusionResult, tmp_path: Path
) -> None:
    labels = np.zeros((60, 50), np.uint8)
    labels[:, :25] = 3
    with apply_corrections(result, stack, Corrections.of(result, labels)) as corrected:
        corrected.save(tmp_path / "out", depth_min_confidence=1.0)
    saved = open_result(tmp_path / "out")
    for name in ("depth", "depth_unrefined"):
        depth = saved.image(name).compute()
        assert (depth[:, :25] == 4.0).all()
        assert np.isnan(depth[:, 25:]).all()


def test_corrections_of_a_corrected_result_are_added(
    stack: FocusStack, result: FusionResult, tmp_path: Path
) -> None:
    first, second = (random_labels((60, 50), [0, 1, 2, 3], seed) for seed in (1, 2))
    with apply_corrections(result, stack, Corrections.of(result, first)) as once:
        once.save(tmp_path / "once")
    saved = open_result(tmp_path / "once")
    both = np.where(second, second, first)
    with (
        apply_corrections(saved, stack, Corrections.of(saved, second)) as added,
        apply_corrections(result, stack, Corrections.of(result, both)) as at_once,
    ):
        assert_holds(added, all_images(at_once))
        found, expected = (one.provenance["corrections"] for one in (added, at_once))
        assert {**found, "date": ""} == {**expected, "date": ""}


def test_what_is_applied_can_be_used_again(stack: FocusStack, result: FusionResult) -> None:
    labels = random_labels((60, 50), [0, 1, 2, 3])
    with CorrectedResult(result, stack) as live:
        live.correct(0, WHOLE, labels)
        kept = live.corrections
        live.correct(0, WHOLE, np.zeros_like(labels))
    with fuse(stack, input_sigma_px=3, **ENGINE) as again:
        with apply_corrections(again, stack, kept) as corrected:
            chosen = labels > 0
            index = corrected.focus_index.compute()
            np.testing.assert_array_equal(index[chosen], labels[chosen] - 1)
            np.testing.assert_array_equal(index[~chosen], again.focus_index.compute()[~chosen])


def test_a_label_without_a_slice_changes_nothing(stack: FocusStack, result: FusionResult) -> None:
    with CorrectedResult(result, stack) as live:
        for label in (5, -1):
            with pytest.raises(ParameterError, match=f"got {label}"):
                live.correct(0, WHOLE, np.full((60, 50), label))
        with pytest.raises(ParameterError, match="shape must be"):
            live.correct(0, WHOLE, np.zeros((50, 60), int))
        assert live.n_corrected == 0
        assert_holds(live, all_images(result))


def test_another_stack_is_refused(result: FusionResult) -> None:
    other = stack_of(textured((4, 60, 50), seed=9))
    with pytest.raises(ParameterError, match="must be the one that was fused"):
        apply_corrections(result, other, Corrections.of(result))


def test_a_closed_result_is_refused(stack: FocusStack, result: FusionResult) -> None:
    result.close()
    with pytest.raises(ParameterError, match="once it is closed"):
        CorrectedResult(result, stack)


def test_closing_deletes_the_copy_and_leaves_the_original(
    stack: FocusStack, result: FusionResult
) -> None:
    before = all_images(result)
    corrected = apply_corrections(result, stack, Corrections.of(result, np.ones((60, 50), int)))
    folder = corrected.store_path
    assert folder.is_dir()
    corrected.close()
    assert not folder.exists()
    with pytest.raises(ParameterError, match="gone once it is closed"):
        _ = corrected.fused
    assert_holds(result, before)


def test_the_original_cannot_be_overwritten(
    stack: FocusStack, result: FusionResult, tmp_path: Path
) -> None:
    saved = open_result(result.save(tmp_path / "saved"))
    with apply_corrections(saved, stack, Corrections.of(saved, np.ones((60, 50), int))) as changed:
        with pytest.raises(OutputError, match="apart from the source"):
            changed.save(tmp_path / "saved", overwrite=True)
    assert_holds(open_result(tmp_path / "saved"), images_of(stack, **ENGINE))


class Broken(Exception):
    """The drive of the source was pulled out."""


def test_a_source_that_cannot_be_read_changes_nothing_and_leaves_nothing(
    stack: FocusStack, result: FusionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(block: np.ndarray) -> np.ndarray:
        raise Broken("gone")

    broken = replace(stack, data=stack.data.map_blocks(fail, dtype=stack.dtype))
    broken.__dict__["fingerprint"] = stack.fingerprint
    with CorrectedResult(result, broken) as live:
        with pytest.raises(SourceError, match=r"slice 1: cannot be read \(gone\)"):
            live.correct(0, WHOLE, np.full((60, 50), 2))
        assert live.n_corrected == 0
        assert_holds(live, all_images(result))
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SourceError, match="slice 1"):
        apply_corrections(result, broken, Corrections.of(result, np.full((60, 50), 2)))
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_could_not_be_written_is_never_saved_half(
    stack: FocusStack, result: FusionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = module.write_block

    def full_disk(group: Any, spec: Any, *place: Any) -> None:
        if spec.name == "depth":
            raise OutputError("store: cannot be written (No space left on device)")
        written.append(spec.name)
        write(group, spec, *place)

    labels = random_labels((60, 50), [0, 1, 2, 3])
    with CorrectedResult(result, stack) as live:
        live.correct(0, WHOLE, labels)
        monkeypatch.setattr(module, "write_block", full_disk)
        for _ in range(2):
            with pytest.raises(OutputError, match="No space left"):
                live.save(tmp_path / "out")
        assert written, "part of it had been written"
        assert not (tmp_path / "out").exists()
        monkeypatch.setattr(module, "write_block", write)
        live.save(tmp_path / "out")
    with apply_corrections(result, stack, Corrections.of(result, labels)) as expected:
        assert_holds(open_result(tmp_path / "out"), all_images(expected))


def test_what_is_saved_while_strokes_come_in_belongs_together(
    stack: FocusStack, result: FusionResult, tmp_path: Path
) -> None:
    live = CorrectedResult(result, stack)
    stopped = threading.Event()

    def paint() -> None:
        rng = np.random.default_rng(4)
        while not stopped.is_set():
            y, x = rng.integers(0, 40), rng.integers(0, 30)
            place = (slice(y, y + 20), slice(x, x + 20))
            live.correct(0, place, np.full((20, 20), rng.integers(0, 5)))
            live.flush()

    painter = threading.Thread(target=paint)
    painter.start()
    try:
        outs = [live.save(tmp_path / f"out-{number}") for number in range(4)]
    finally:
        stopped.set()
        painter.join()
    array = textured((4, 60, 50))
    for out in outs:
        saved = open_result(out)
        index = saved.focus_index.compute()
        expected = np.take_along_axis(array, index[None].astype(int), axis=0)[0]
        np.testing.assert_array_equal(saved.fused.compute(), expected)
        n_pixels = int(saved.image("corrected").sum()) if "corrected" in saved.images else 0
        assert saved.provenance.get("corrections", {}).get("n_pixels", 0) == n_pixels
    live.close()


def test_the_focus_curve_is_still_the_engines(stack: FocusStack, result: FusionResult) -> None:
    with apply_corrections(result, stack, Corrections.of(result, np.ones((60, 50), int))) as made:
        np.testing.assert_array_equal(made.focus_curve(5, 6), result.focus_curve(5, 6))
