"""The weights that come with the package: there at once, offline, and always the same.

The folder is package data. `SHIPPED_NAME` means these weights and nothing else: no model can be
stored under that name, so what the default engine does never depends on the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.weights.catalog import ALIASES, canonical_name
from napari_gmff.weights.model_folder import card_of_folder, check_tensors

if TYPE_CHECKING:
    from napari_gmff.weights.card import ModelCard

SHIPPED_NAME = "microscopy-v4"
"""StackMFF V4 trained for microscopes by this project."""

_ROOT = Path(__file__).with_name("shipped")


def shipped_folder() -> Path:
    """Return where the shipped model is; it may be missing from a source tree."""
    return _ROOT / SHIPPED_NAME


def is_shipped(name: str) -> bool:
    """Tell whether a name means the shipped weights, be they there or not."""
    return name == SHIPPED_NAME


def has_shipped() -> bool:
    """Tell whether this copy of the package holds the weights."""
    return shipped_folder().is_dir()


def shipped_card() -> ModelCard:
    """Return the card of the shipped model.

    Raises
    ------
    WeightsError
        If this copy of the package lacks it, or it is damaged.
    """
    if not has_shipped():
        raise WeightsError(
            f"{SHIPPED_NAME}: this copy of the package lacks its weights ({shipped_folder()} is "
            "missing); name other weights, or choose --engine laplacian-energy"
        )
    return card_of_folder(shipped_folder(), SHIPPED_NAME)


def verify_shipped() -> ModelCard:
    """Compare the shipped tensors with the SHA-256 in their card.

    Raises
    ------
    WeightsError
        If they differ, or as `shipped_card`.
    """
    card = shipped_card()
    check_tensors(shipped_folder(), card, remedy="install the package again")
    return card


def is_reserved(name: str) -> bool:
    """Tell whether a name always means something else than a model in the store."""
    return name == SHIPPED_NAME or name in ALIASES


def check_not_reserved(name: str) -> None:
    """Refuse a name for the store that would never be looked up there.

    Raises
    ------
    ParameterError
        If it is the shipped model's, or another name of a model of the catalogue.
    """
    if not is_reserved(name):
        return
    other = "the weights that come with the package" if is_shipped(name) else canonical_name(name)
    raise ParameterError(f"model name: {name!r} always means {other}; choose another name")
