"""One model on disk: ``model.safetensors`` and the ``card.json`` that vouches for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, WeightsError
from napari_gmff.weights.card import (
    CARD_FILE,
    CHECKPOINT_FILE,
    TENSOR_FILE,
    ModelCard,
    ModelDescription,
    described,
    description_of,
    read_card,
    write_card,
)
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.staged_folder import publish, staged_folder

if TYPE_CHECKING:
    from torch import Tensor

README_FILE = "README.md"
"""The card for people; programs read `CARD_FILE` only."""


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


def tensor_file(folder: Path) -> Path:
    """Return where the tensors of a model folder are, or would be."""
    kept = folder / CHECKPOINT_FILE
    return kept if kept.is_file() and not (folder / TENSOR_FILE).exists() else folder / TENSOR_FILE


def check_tensors(
    folder: Path, card: ModelCard, *, remedy: str = "remove the model and get it again"
) -> None:
    """Compare the tensors of a model folder with its card.

    Raises
    ------
    WeightsError
        If the file is missing or its SHA-256 is not the card's; says what to do about it.
    """
    path = tensor_file(folder)
    found = sha256_of(path)
    if found != card.sha256:
        raise WeightsError(
            f"{path}: sha256 must be {card.sha256} as in {CARD_FILE}, found {found}; {remedy}"
        )


def save_tensors(state: dict[str, Tensor], path: Path) -> None:
    """Write ``model.safetensors`` into a model folder that is being made.

    Raises
    ------
    OutputError
        If the disk is full or refuses.
    """
    from safetensors.torch import save

    # Its own way to write makes a file that nobody else may read, useless in a shared store.
    content = save(state)
    try:
        path.write_bytes(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{path.parent.parent}: cannot store a model ({reason})") from None


def write_model_folder(
    folder: Path,
    state: Mapping[str, Tensor],
    description: ModelDescription,
    *,
    overwrite: bool = False,
) -> ModelCard:
    """Write trained weights as a model folder, with its card and a README; whole or not at all.

    The folder can be given to ``--weights``, imported into the store, or passed on.

    Parameters
    ----------
    folder : Path
        To be made; its parents are made too.
    state : mapping of str to Tensor
        The network's state in our layout, of any floating type and on any device; stored as
        float32.
    description : ModelDescription
        What the card states, `training` included; see `napari_gmff.weights.card.described`.
    overwrite : bool
        Replace a model folder; anything else in its place is left alone.

    Returns
    -------
    ModelCard
        As written. Its ``source_sha256`` is the tensors' own: they were not converted from a file.

    Raises
    ------
    WeightsError
        If `state` does not belong to the architecture, or holds NaN or Inf.
    OutputError
        If something is there already, or the folder cannot be written.
    """
    from napari_gmff.weights.architectures import in_our_layout

    _check_replaceable(folder, overwrite)
    on_cpu = {name: tensor.detach().cpu() for name, tensor in state.items()}
    ours = in_our_layout(on_cpu, description.architecture, folder)
    with staged_folder(folder.parent) as staged:
        save_tensors(ours, staged / TENSOR_FILE)
        sha256 = sha256_of(staged / TENSOR_FILE)
        card = ModelCard(
            **dict(description),
            sha256=sha256,
            source_sha256=sha256,
            created=datetime.now(UTC).replace(microsecond=0),
        )
        _write_texts(card, staged)
        publish(staged, folder)
    return card


def restate_card(folder: Path, **changes: object) -> ModelCard:
    """Change what a model folder's card states; its tensors, and what identifies them, stay.

    A trained model gets its scores and its known limits this way, once it has been evaluated.

    Parameters
    ----------
    folder : Path
        As `write_model_folder` made it.
    **changes
        Fields of `ModelDescription`, such as ``name``, ``version`` or ``training``.

    Returns
    -------
    ModelCard
        As written, to ``card.json`` and to the README.

    Raises
    ------
    WeightsError
        If the folder holds no model, or its tensors are not those of its card.
    ParameterError
        Naming each field that breaks its rule.
    OutputError
        If a file cannot be written.
    """
    card = card_of_folder(folder)
    check_tensors(folder, card)
    description = described(**(dict(description_of(card)) | changes))
    card = ModelCard(
        **dict(description),
        sha256=card.sha256,
        source_sha256=card.source_sha256,
        created=card.created,
    )
    with staged_folder(folder.parent) as staged:
        _write_texts(card, staged)
        for name in (CARD_FILE, README_FILE):
            (staged / name).replace(folder / name)
    return card


def _write_texts(card: ModelCard, folder: Path) -> None:
    from napari_gmff.weights.card_text import card_markdown

    write_card(card, folder)
    (folder / README_FILE).write_text(card_markdown(card), encoding="utf-8")


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise OutputError(f"{folder}: exists already, and is replaced only on request")
    if not (folder / CARD_FILE).is_file():
        raise OutputError(f"{folder}: not replaced, it is not a model folder ({CARD_FILE} missing)")
