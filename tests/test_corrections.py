"""Corrections name slices by hand, and their file says what they belong to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_gmff import FusionResult, fuse
from napari_gmff.corrections import Corrections, load_corrections
from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.params import CLASSICAL_ENGINE
from tests.stacks import stack_of, textured

ENGINE = {"engine": CLASSICAL_ENGINE}


@pytest.fixture(scope="module")
def result() -> Any:
    with fuse(stack_of(textured((4, 60, 50))), **ENGINE) as made:
        yield made


def some_labels(shape: tuple[int, ...] = (60, 50)) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[..., 5:20, 10:20] = 3
    labels[..., 29, 7] = 1
    return labels


def test_pixels_are_counted_by_slice(result: FusionResult) -> None:
    corrections = Corrections.of(result, some_labels())
    assert corrections.n_pixels == 151
    assert corrections.by_slice == {0: 1, 2: 150}
    assert Corrections.of(result).n_pixels == 0
    assert Corrections.of(result).by_slice == {}


def test_labels_get_the_smallest_type_that_holds_every_slice(result: FusionResult) -> None:
    labels = some_labels().astype(np.int64)
    corrections = Corrections.of(result, labels)
    assert corrections.labels.dtype == np.uint8
    labels[:] = 4
    assert corrections.labels.max() == 3, "must be a copy"
    with fuse(stack_of(np.zeros((255, 8, 8), np.uint8)), **ENGINE) as long:
        assert Corrections.of(long).labels.dtype == np.uint8
    with fuse(stack_of(np.zeros((256, 8, 8), np.uint8)), **ENGINE) as longer:
        assert longer.focus_index.dtype == np.uint8
        assert Corrections.of(longer).labels.dtype == np.uint16


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.full((60, 50), 5), r"slices 0 to 3 that were fused, got 5"),
        (np.full((60, 50), -1), r"got -1"),
        (np.zeros((50, 60), int), r"shape must be \(60, 50\), got \(50, 60\)"),
        (np.zeros((1, 60, 50), int), r"shape must be"),
        (np.zeros((60, 50)), r"must be integers, got float64"),
    ],
    ids=["too high", "negative", "turned", "an axis more", "fractions"],
)
def test_labels_that_mean_nothing_are_refused(
    result: FusionResult, labels: np.ndarray, told: str
) -> None:
    with pytest.raises(ParameterError, match=told):
        Corrections.of(result, labels)


def test_only_slices_that_were_fused_may_be_chosen() -> None:
    with fuse(stack_of(textured((6, 40, 40))), z_range=(2, 5), **ENGINE) as some:
        assert Corrections.of(some, np.full((40, 40), 5)).by_slice == {4: 1600}
        for label in (1, 2, 6):
            with pytest.raises(ParameterError, match=f"slices 2 to 4 that were fused, got {label}"):
                Corrections.of(some, np.full((40, 40), label))


def test_later_corrections_lie_over_earlier_ones(result: FusionResult) -> None:
    first, second = some_labels(), np.zeros((60, 50), np.uint8)
    second[10, :] = 4
    both = Corrections.of(result, second).over(Corrections.of(result, first))
    assert both.labels[10, 15] == 4
    assert both.labels[11, 15] == 3
    assert both.by_slice == {0: 1, 2: 140, 3: 50}


def test_a_file_holds_them_exactly(result: FusionResult, tmp_path: Path) -> None:
    corrections = Corrections.of(result, some_labels())
    path = corrections.save(tmp_path / "moth.corrections.npz")
    loaded = load_corrections(path)
    np.testing.assert_array_equal(loaded.labels, corrections.labels, strict=True)
    assert loaded.target == corrections.target
    loaded.check_fits(result)
    assert [file.name for file in tmp_path.iterdir()] == ["moth.corrections.npz"]
    assert path.stat().st_size < 2_000


def test_the_file_holds_no_code_and_says_what_it_is(result: FusionResult, tmp_path: Path) -> None:
    path = Corrections.of(result, some_labels()).save(tmp_path / "a.npz")
    with np.load(path, allow_pickle=False) as archive:
        record = json.loads(str(archive["record"]))
    assert record["program"] == "napari-gmff"
    assert record["n_pixels"] == 151
    assert record["source"]["fingerprint"] == result.provenance["source"]["fingerprint"]


def test_an_existing_file_is_replaced_only_on_request(result: FusionResult, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("precious")
    with pytest.raises(OutputError, match="already exists"):
        Corrections.of(result).save(path)
    assert path.read_text() == "precious"
    Corrections.of(result, some_labels()).save(path, overwrite=True)
    assert load_corrections(path).n_pixels == 151


def test_times_and_region_survive_the_file(tmp_path: Path) -> None:
    stack = stack_of(textured((3, 4, 60, 50)), "TZYX")
    options = {"region": ((10, 40), (5, 45)), "time": (1, 3), **ENGINE}
    with fuse(stack, **options) as part:
        corrections = Corrections.of(part, some_labels((2, 30, 40)))
        loaded = load_corrections(corrections.save(tmp_path / "a.npz"))
        assert loaded.target == corrections.target
        assert loaded.target.region == ((10, 40), (5, 45))
        assert loaded.target.times == (1, 2)
        loaded.check_fits(part)


def test_they_fit_a_run_with_other_parameters(result: FusionResult) -> None:
    corrections = Corrections.of(result, some_labels())
    with fuse(stack_of(textured((4, 60, 50))), input_sigma_px=2, **ENGINE) as again:
        corrections.check_fits(again)


@pytest.mark.parametrize(
    ("seed", "options", "told"),
    [
        (1, {}, r"made for the stack .* got array"),
        (0, {"region": ((0, 60), (0, 40))}, "made for the whole image .*region 0:60,0:40"),
        (0, {"z_range": (0, 2)}, "slices 0 to 1 that were fused, got 3"),
    ],
    ids=["stack", "region", "slices"],
)
def test_they_do_not_fit_another_stack_part_or_slices(
    result: FusionResult, seed: int, options: dict[str, Any], told: str
) -> None:
    corrections = Corrections.of(result, some_labels())
    with (
        fuse(stack_of(textured((4, 60, 50), seed=seed)), **options, **ENGINE) as other,
        pytest.raises(ParameterError, match=told),
    ):
        corrections.check_fits(other)


def _write_archive(path: Path, **changes: Any) -> None:
    record = {
        "program": "napari-gmff",
        "kind": "corrections",
        "schema_version": 1,
        "source": {"name": "a", "fingerprint": "b"},
        "region": None,
        "times": [0],
    }
    labels = changes.pop("labels", np.zeros((3, 3), np.uint8))
    np.savez(path, record=np.array(json.dumps({**record, **changes})), labels=labels)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"program": "other"}, "record says other"),
        ({"kind": "thing"}, "thing"),
        ({"schema_version": 2}, "schema version must be 1, got 2"),
        ({"source": {}}, "not a file of corrections"),
        ({"region": 5}, "not a file of corrections"),
        ({"labels": np.zeros((3, 3))}, "unsigned integers, got float64"),
        ({"labels": np.array([print], object)}, "not a file of corrections"),
    ],
    ids=str,
)
def test_an_archive_of_something_else_is_named(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    path = tmp_path / "a.npz"
    _write_archive(path, **changes)
    with pytest.raises(SourceError, match=rf"a\.npz: .*{told}|{told}"):
        load_corrections(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"], ids=str)
def test_a_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.npz: not a file of corrections"):
        load_corrections(path)
    with pytest.raises(SourceError, match=r"b\.npz: cannot be read \(No such file"):
        load_corrections(tmp_path / "b.npz")
    with pytest.raises(SourceError, match="not a file of corrections"):
        load_corrections(tmp_path)


def test_a_damaged_file_is_named(result: FusionResult, tmp_path: Path) -> None:
    path = Corrections.of(result, some_labels()).save(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    middle = content.index(b"labels.npy") + 30
    content[middle : middle + 12] = b"\xff" * 12
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.npz"):
        load_corrections(path)
