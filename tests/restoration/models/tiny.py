"""Tiny models in the layouts of the real ones, as files and in a store."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from napari_gmff.restoration.models.catalog import RESTORATION_MODELS
from napari_gmff.restoration.models.consent import give_consent
from napari_gmff.restoration.models.obtain import import_restoration_model
from napari_gmff.restoration.models.prompts import import_prompts
from napari_gmff.weights.store import ModelStore

REFERENCE = Path("reference") / "ifcontrolnet_tiny"
BASE_FILE = "sd21_layout.safetensors"


def write_control(shared_dir: Path, folder: Path) -> Path:
    """Write a torch checkpoint in the layout of DiffBIR v2, as its authors save it."""
    path = folder / "v2.pth"
    torch.save(load_file(shared_dir / REFERENCE / "ifcontrolnet_layout.safetensors"), path)
    return path


def write_prompts(shared_dir: Path, folder: Path) -> Path:
    """Write the reference's embedded prompts to a file of their own."""
    loaded = load_file(shared_dir / REFERENCE / "reference.safetensors")
    path = folder / "prompts.safetensors"
    save_file({name: loaded[name] for name in ("context_positive", "context_negative")}, path)
    return path


def agree_to_all(store: ModelStore) -> ModelStore:
    """Agree to the licences of all models."""
    for name in RESTORATION_MODELS:
        give_consent(name, store)
    return store


def store_tiny_models(store: ModelStore, shared_dir: Path, folder: Path) -> ModelStore:
    """Store the tiny models as tiny-base and diffbir-v2; `folder` takes files on the way."""
    agree_to_all(store)
    import_restoration_model(shared_dir / REFERENCE / BASE_FILE, store, name="tiny-base")
    import_restoration_model(write_control(shared_dir, folder), store, kind="diffbir-v2")
    import_prompts(write_prompts(shared_dir, folder), "tiny-base", store)
    return store
