from __future__ import annotations

import pytest
import torch

from napari_gmff.errors import DeviceError
from napari_gmff.network.devices import pick_device, torch_scope

Settings = tuple[int, bool, bool]


def settings() -> Settings:
    """Return what `torch_scope` may change."""
    return (
        torch.get_num_threads(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.allow_tf32,
    )


@pytest.fixture
def tf32_wanted(monkeypatch) -> Settings:
    """Have a user who switched TF32 on."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    return settings()


def test_scope_sets_threads_and_switches_tf32_off(tf32_wanted):
    with torch_scope(1):
        assert settings() == (1, False, False)
    assert settings() == tf32_wanted


def test_scope_restores_after_an_exception(tf32_wanted):
    with pytest.raises(ValueError, match="inside"), torch_scope(1):
        raise ValueError("inside")
    assert settings() == tf32_wanted


def test_scope_without_threads_leaves_them(tf32_wanted):
    with torch_scope(None):
        assert settings()[0] == tf32_wanted[0]


def test_cpu_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")


def test_auto_takes_the_first_of_cuda_mps_cpu(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_missing_cuda_device_is_an_error_that_names_it(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=f"device: {name} is not available.* 0 CUDA devices"):
        pick_device(name)


def test_missing_second_cuda_device_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(DeviceError, match="cuda:1 is not available.* 1 CUDA device"):
        pick_device("cuda:1")


def test_missing_mps_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="mps is not available"):
        pick_device("mps")
