from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from napari_gmff.errors import DeviceError
from napari_gmff.network.devices import pick_device

WAYS_TO_LOWER_PRECISION = {
    "old names": "torch.backends.cuda.matmul.allow_tf32 = True",
    "for all products": "torch.set_float32_matmul_precision('medium')",
    "new names": "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "new names, everywhere": "torch.backends.fp32_precision = 'tf32'",
}

PROGRAM = """
import torch
from napari_gmff.network.devices import torch_scope

def attempt(read):
    try:
        return read()
    except RuntimeError:  # torch's answer where old and new names were mixed
        return "mixed"

def settings():
    b = torch.backends
    new = [
        place.fp32_precision
        for place in (b, b.cuda.matmul, b.cudnn, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul)
    ]
    old = [
        attempt(lambda: b.cuda.matmul.allow_tf32),
        attempt(lambda: b.cudnn.allow_tf32),
        attempt(torch.get_float32_matmul_precision),
    ]
    return new + old + [torch.get_num_threads()]

def is_exact():
    b = torch.backends
    places = (b.cuda.matmul, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul)
    return all(place.fp32_precision == "ieee" for place in places)

torch.set_num_threads(2)
before = settings()
with torch_scope(1):
    assert is_exact(), settings()
    assert torch.get_num_threads() == 1
assert settings() == before, (before, settings())
with torch_scope(None):
    assert torch.get_num_threads() == 2
try:
    with torch_scope(1):
        raise ValueError("inside")
except ValueError:
    pass
assert settings() == before, (before, settings())
"""


@pytest.mark.parametrize("way", WAYS_TO_LOWER_PRECISION)
def test_scope_is_exact_inside_and_restores_all_settings_also_after_an_exception(way):
    # In a process of its own: torch remembers which names for its settings were ever used.
    statement = WAYS_TO_LOWER_PRECISION[way]
    program = f"import torch\n{statement}\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
    with pytest.raises(DeviceError, match=rf"device: {name} is not available.* 0 CUDA devices"):
        pick_device(name)


def test_missing_second_cuda_device_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(DeviceError, match=r"cuda:1 is not available.* 1 CUDA device"):
        pick_device("cuda:1")


def test_missing_mps_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="mps is not available"):
        pick_device("mps")
