"""What a file is called is the user's word, and only one."""

from __future__ import annotations

import pytest
import torch

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.restoration.models.identity import kind_of, looks_restorative


@pytest.fixture
def control(tmp_path):
    path = tmp_path / "some.pth"
    torch.save({"zero_convs.0.0.bias": torch.ones(1), "input_blocks.0.0.bias": torch.ones(1)}, path)
    return path


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "some.ckpt"
    names = ("model.diffusion_model.out.0.bias", "first_stage_model.quant_conv.bias")
    torch.save({"state_dict": {name: torch.ones(1) for name in names}}, path)
    return path


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"conv.weight": torch.ones(1)}, path)
    return path


def test_a_control_model_is_never_guessed(control):
    assert looks_restorative(control)
    with pytest.raises(ParameterError) as refused:
        kind_of(control)
    assert "--as ifcontrolnet (IFControlNet, IFControlNet.pt)" in str(refused.value)
    assert "--as diffbir-v2 (DiffBIR v2, v2.pth)" in str(refused.value)
    assert kind_of(control, "diffbir-v2").title == "DiffBIR v2"


def test_a_base_model_is_recognised(base):
    assert looks_restorative(base)
    assert kind_of(base).name == "sd21-base"


def test_weights_of_other_networks_are_left_to_others(other):
    assert not looks_restorative(other)
    with pytest.raises(WeightsError, match="not the weights of a model for restoration"):
        kind_of(other)


def test_an_unknown_kind_lists_those_there_are(control):
    with pytest.raises(ParameterError, match="one of sd21-base, ifcontrolnet, diffbir-v2, got 'x'"):
        kind_of(control, "x")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return print, ("code ran",)

    path = tmp_path / "v2.pth"
    torch.save({"zero_convs.0.0.bias": Evil()}, path)
    with pytest.raises(WeightsError, match="refused, loading it would call"):
        looks_restorative(path)
    path.write_bytes(pickle.dumps({"zero_convs.0.0.bias": 1}))
    with pytest.raises(WeightsError, match="a bare pickle can run code"):
        looks_restorative(path)
