"""One model on disk: ``model.safetensors`` and the ``card.json`` that vouches for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, WeightsError
from napari_gmff.weights.card import CARD_FILE, TENSOR_FILE, ModelCard, read_card
from napari_gmff.weights.hashing import sha256_of

if TYPE_CHECKING:
    from torch import Tensor


def card_of_folder(folder: Path, name: str | None = None) -> ModelCard:
    """Read the card of a model folder, which inside the store must bear the folder's name.

    Raises
    ------
    WeightsError
        If the card is unreadable, or names another model than `name`.
    """
    card = read_card(folder)
    if name is not None and card.name != name:
        raise WeightsError(
            f"{folder / CARD_FILE}: must name the model as its folder does, {name!r}, "
            f"found {card.name!r}"
        )
    return card


def check_tensors(folder: Path, card: ModelCard) -> None:
    """Compare the tensors of a model folder with its card.

    Raises
    ------
    WeightsError
        If the file is missing or its SHA-256 is not the card's.
    """
    path = folder / TENSOR_FILE
    found = sha256_of(path)
    if found != card.sha256:
        raise WeightsError(
            f"{path}: sha256 must be {card.sha256} as in {CARD_FILE}, found {found}; "
            "remove the model and get it again"
        )


def save_tensors(state: dict[str, Tensor], path: Path) -> None:
    """Write ``model.safetensors`` into a model folder that is being made.

    Raises
    ------
    OutputError
        If the disk is full or refuses.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(state, path)
    except SafetensorError as error:  # how it reports a full disk
        raise OutputError(f"{path.parent.parent}: cannot store a model ({error})") from None
