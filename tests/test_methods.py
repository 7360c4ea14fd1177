from __future__ import annotations

from typing import Any

import pytest

from napari_gmff.engines.laplacian import LaplacianEnergy
from napari_gmff.engines.stackmff import StackMFFV4Engine
from napari_gmff.methods import methods_text
from napari_gmff.provenance import make_provenance

ENGINES = {engine.name: engine for engine in (LaplacianEnergy, StackMFFV4Engine)}


def record(engine: str = "stackmff-v4", **changes: Any) -> dict[str, Any]:
    known = ENGINES.get(engine)
    values: dict[str, Any] = {
        "engine": engine,
        "engine_method": known.method if known else "",
        "references": known.references if known else (),
        "score_kind": "logits",
        "weights": {"name": "authors-v4", "sha256": "c0ffee", "license": "MIT"},
        "parameters": {"block_px": 1024, "halo_px": 64, "channel": "combined"},
        "source_name": "moth.tif",
        "source_fingerprint": "abc123",
        "source_axes": "TCZYX",
        "source_shape": (1, 2, 12, 900, 700),
        "source_dtype": "uint16",
        "slices": range(2, 6),
        "z_um": [0.0, -2.5, -5.0, -7.5],
        "voxel_size_um": (2.5, 0.5, 0.25),
        "inputs": [{"t": 0, "channel": 0, "range": (12.0, 4000.0), "sigma_px": 0.8}],
        "slice_order": "ordered",
        "device": "cpu",
    }
    return make_provenance(**{**values, **changes})


def text(engine: str = "stackmff-v4", **changes: Any) -> str:
    return methods_text(record(engine, **changes))


def test_everything_needed_to_repeat_the_run_is_named() -> None:
    methods = text().split("\n\n")[0]
    from napari_gmff import __version__

    for part in (
        f"napari-gmff {__version__}",
        "moth.tif (700 × 900 pixels, uint16, fingerprint sha256 abc123)",
        "4 slices (numbers 2 to 5, counted from 0), 2.5 µm apart",
        "pixels of 0.5 µm (y) × 0.25 µm (x)",
        "the weights authors-v4 (sha256 c0ffee)",
        "windows of 1024 pixels",
        "margin of 64 pixels",
        "intensities from 12 to 4000 were scaled to 0 to 1",
        "Gaussian of sigma 0.8 pixels",
        "of all channels combined",
        "copied unchanged in every channel",
    ):
        assert part in methods


def test_the_version_of_the_weights_is_named_where_there_is_one() -> None:
    weights = {"name": "microscopy-v4", "version": "1.0", "sha256": "c0ffee", "license": "MIT"}
    expected = "StackMFF V4 [1] with the weights microscopy-v4, version 1.0 (sha256 c0ffee)"
    assert expected in text(weights=weights)
    assert "the weights microscopy-v4 (sha256" in text(weights={**weights, "version": ""})


def test_every_citation_number_has_its_reference() -> None:
    for engine in ENGINES:
        methods, _, references = text(engine=engine).split("\n\n")
        cited = [number for number in range(1, 9) if f"[{number}]" in methods]
        listed = [int(line[1]) for line in references.splitlines()[1:]]
        assert cited == listed


def test_only_the_engine_that_ran_is_cited() -> None:
    assert "Generative Multi-Focus Image Fusion" in text()
    assert "Focusing techniques" not in text()
    classical = text(engine="laplacian-energy", weights=None)
    assert "Focusing techniques" in classical
    assert "StackMFF" not in classical
    assert "weights" not in classical


def test_an_engine_nobody_described_is_named_without_a_citation() -> None:
    unknown = text(engine="my-measure", weights=None, slice_order="unordered")
    assert "scored with the focus measure my-measure," in unknown
    assert "[1]" not in unknown


def test_misuse_of_fused_intensities_is_warned_of() -> None:
    limits = text().split("\n\n")[1]
    for word in ("mix planes", "must not", "quantification", "photometry", "colocalisation"):
        assert word in limits
    assert "estimate from focus" in limits


def test_refinement_is_only_claimed_where_it_was_done() -> None:
    assert "refined between slices" in text()
    unordered = text(slice_order="unordered")
    assert "refined" not in unordered
    assert "Shape from focus" not in unordered


def test_depth_without_positions_is_a_slice_number() -> None:
    unknown = text(z_um=None, voxel_size_um=(None, None, None))
    assert "Depth is the slice number" in unknown
    assert "µm" not in unknown.split("\n\n")[0]


def test_uneven_spacing_and_gaps_are_told() -> None:
    uneven = text(slices=[0, 1, 4], z_um=[0.0, 1.0, 4.0])
    assert "3 slices (numbers 0, 1, 4, counted from 0)" in uneven
    assert "unevenly spaced from 0 to 4 µm" in uneven


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([{"range": (0, 255), "sigma_px": 0.0}], "from 0 to 255 were scaled to 0 to 1 and not"),
        (
            [{"range": (0, 9), "sigma_px": 0.0}, {"range": (3, 20), "sigma_px": 1.5}],
            "one range for each channel and time point (from 0 to 20) and smoothed with a "
            "Gaussian of sigma 0 to 1.5 pixels",
        ),
    ],
)
def test_what_the_engine_saw_is_told(inputs: list[dict[str, Any]], expected: str) -> None:
    assert expected in text(inputs=inputs)


def test_a_record_without_inputs_or_range_says_nothing_of_them() -> None:
    assert "For the scores only" not in text(inputs=[])
    assert "For the scores only, not smoothed" not in text(inputs=[{"range": None}])


def test_discarded_depth_and_the_region_are_told() -> None:
    parameters = {"depth_min_confidence": 0.25, "region": ((0, 50), (10, 60)), "channel": 1}
    methods = text(parameters=parameters)
    assert "depth where confidence is below 0.25 was discarded" in methods
    assert "in the region y 0 to 50, x 10 to 60" in methods
    assert "of channel 1 was chosen" in methods


def test_pixels_that_were_not_copied_are_not_called_so() -> None:
    assert "copied unchanged" not in text(pixels_copied=False)


@pytest.mark.parametrize(
    ("n_pixels", "fraction", "told"),
    [(1234, 0.004, "1234 pixels (0.4 %)"), (1, 1e-6, "one pixel (0.0001 %)"), (9, 1, "(100 %)")],
)
def test_corrections_by_hand_are_told(n_pixels: int, fraction: float, told: str) -> None:
    corrections = {"n_pixels": n_pixels, "fraction": fraction, "by_slice": {}, "date": ""}
    methods = methods_text({**record(), "corrections": corrections}).split("\n\n")[0]
    assert told in methods
    assert "by hand" in methods
    assert "by hand" not in text()
