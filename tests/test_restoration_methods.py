"""The words for a paper on a restored image."""

from __future__ import annotations

from typing import Any

import pytest

import napari_gmff
from napari_gmff import methods_text
from tests.test_methods import record

BASE = {
    "name": "sd21-base",
    "title": "Stable Diffusion 2.1-base",
    "role": "base",
    "sha256": "ba5e",
    "license": "CreativeML Open RAIL++-M",
    "citation": "Rombach R, et al. High-Resolution Image Synthesis. CVPR 2022.",
}
DIFFBIR = {
    "name": "diffbir-v2",
    "title": "DiffBIR v2",
    "role": "control",
    "sha256": "d1ff",
    "license": "Apache-2.0",
    "citation": "Lin X, et al. DiffBIR. ECCV 2024.",
}


def restored(**changes: Any) -> dict[str, Any]:
    restoration: dict[str, Any] = {
        "date": "2026-11-22T02:00:00+00:00",
        "models": [DIFFBIR, BASE],
        "device": "cuda:0",
        "parameters": {"steps": 50, "guidance": 4.0, "feather_px": 8, "back_projection": 0},
        "seeds": [231],
        "mask": {"source": "confidence", "below": 0.2, "share": 0.0345},
        "parts": [{"range": [12.0, 4000.0]}],
        "changed_share": 0.031,
        "contradiction": None,
    }
    return {**record(), "restoration": {**restoration, **changes}}


def text(**changes: Any) -> str:
    return methods_text(restored(**changes))


def test_fusions_are_described_as_before_and_never_as_restored():
    assert "generative" not in methods_text(record()).split("References")[0]
    assert "To disclose" not in methods_text(record())


def test_the_fusion_is_described_first_and_what_to_disclose_before_the_references():
    found = text()
    fusion, restoration = found.index("Focus stacks were fused"), found.index("generative model")
    assert fusion < restoration < found.index("To disclose") < found.index("References\n")


def test_weights_of_diffbir_are_never_called_ifcontrolnet():
    assert "DiffBIR v2" in text()
    assert "IFControlNet" not in text()


def test_every_model_is_named_with_its_file_its_licence_and_its_paper():
    found = text()
    for model in (DIFFBIR, BASE):
        assert f"(sha256 {model['sha256']}, licence {model['license']})" in found
        assert model["citation"] in found.split("References")[1]
    assert "conditional control" in found.split("References")[1]
    assert found.split("References")[1].count("2512.21495") == 1


def test_a_model_that_is_no_control_network_cites_none():
    assert "conditional control" not in text(models=[BASE])


def test_the_mask_and_what_it_changed_are_stated():
    found = text()
    assert "focus confidence below 0.2 (3.45 % of the pixels)" in found
    assert "fading in over 8 pixels" in found
    assert "bit for bit; 3.1 % of the pixels changed" in found
    given = text(mask={"source": "given", "below": None, "share": 0.5})
    assert "limited to a mask that was given (50 % of the pixels)" in given


def test_settings_and_seeds_are_stated():
    assert "denoising steps 50, guidance 4.0, seed 231" in text()
    several = text(seeds=[1, 2, 3])
    assert "seeds 1, 2, 3" in several
    assert "not an error bar" in several and "not an error bar" not in text()


def test_the_comparison_with_the_slices_is_stated_or_that_there_was_none():
    assert "was not compared with the slices" in text()
    found = text(contradiction={"from": 3.0, "share_contradicted": 0.125, "max": 9.0})
    assert "12.5 % of the restored pixels contradict" in found
    assert "by 3 or more standard deviations" in found


@pytest.mark.parametrize(("rounds", "words"), [(1, "one round"), (4, "4 rounds")])
def test_back_projection_is_stated(rounds: int, words: str):
    assert f"by {words} of back-projection" in text(parameters={"back_projection": rounds})


def test_the_public_name_is_the_one_that_tells_of_restorations():
    assert "DiffBIR v2" in napari_gmff.methods_text(restored())
