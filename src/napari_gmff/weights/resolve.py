"""From what a user typed after ``--weights`` to tensors for the network and their card."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import WeightsError
from napari_gmff.weights.architectures import in_our_layout
from napari_gmff.weights.card import CARD_FILE, TENSOR_FILE, ModelCard, ModelDescription
from napari_gmff.weights.catalog import canonical_name, entry_with_sha256
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.load import load_state_dict
from napari_gmff.weights.model_folder import card_of_folder, check_tensors, tensor_file
from napari_gmff.weights.shipped_models import is_shipped, shipped_folder, verify_shipped
from napari_gmff.weights.store import ModelStore

if TYPE_CHECKING:
    from torch import Tensor

_FALLBACK_NAME = "model"


def resolve_weights(
    name_or_file: str | Path, architecture: str, *, store: ModelStore | None = None
) -> tuple[dict[str, Tensor], ModelCard]:
    """Load the weights of a network from the package, the store or a file.

    The shipped model's name never means another one, and a stored name wins over a file of the
    same name in the working folder, so that what a name means never depends on where the program
    was started; write ``./name`` for the file.

    Parameters
    ----------
    name_or_file : str or Path
        Name of the shipped or of a stored model, ``"authors"``, a model folder, or a
        ``.safetensors``/``.pth``/``.pt`` file in our layout or that of the network's authors. A
        `Path` is always a file.
    architecture : str
        Network the weights must belong to, such as ``"stackmff-v4"``.
    store : ModelStore, optional
        Instead of the user's store.

    Returns
    -------
    state : dict of str to Tensor
        CPU tensors, float32, in our layout.
    card : ModelCard
        Of the model, or made up for a loose file, with the file's SHA-256.

    Raises
    ------
    WeightsError
        If there is no such model or file, it is damaged or unsafe, its SHA-256 is not its card's,
        or it belongs to another network.
    """
    store = ModelStore() if store is None else store
    if isinstance(name_or_file, str):
        name_or_file = canonical_name(name_or_file)
        if is_shipped(name_or_file):
            _check_architecture(shipped_folder(), card := verify_shipped(), architecture)
            return _loaded(shipped_folder(), card), card
        if store.has(name_or_file):
            return _from_folder(store.folder(name_or_file), architecture, name_or_file)
    path = Path(name_or_file).expanduser()
    if not path.exists():
        raise WeightsError(_missing_message(name_or_file, path, store))
    if path.name == TENSOR_FILE and (path.parent / CARD_FILE).is_file():
        path = path.parent
    if path.is_dir():
        return _from_folder(path, architecture)
    return _from_file(path, architecture)


def describe_file(path: Path, sha256: str, architecture: str) -> ModelDescription:
    """Describe a loose file: from the catalogue if it is known by its SHA-256, else by its name."""
    entry = entry_with_sha256(sha256)
    if entry is not None:
        return entry.description
    return ModelDescription(
        name=_name_from(path),
        title=path.name,
        architecture=architecture,
        source=path.name,
    )


def _from_folder(
    folder: Path, architecture: str, name: str | None = None
) -> tuple[dict[str, Tensor], ModelCard]:
    card = card_of_folder(folder, name)
    # Before gigabytes of a model for something else are hashed.
    _check_architecture(folder, card, architecture)
    check_tensors(folder, card)
    return _loaded(folder, card), card


def _check_architecture(folder: Path, card: ModelCard, architecture: str) -> None:
    if card.architecture != architecture:
        raise WeightsError(
            f"{folder}: weights must be of {architecture}, found those of {card.architecture}"
        )


def _loaded(folder: Path, card: ModelCard) -> dict[str, Tensor]:
    path = tensor_file(folder)
    return in_our_layout(load_state_dict(path), card.architecture, path)


def _from_file(path: Path, architecture: str) -> tuple[dict[str, Tensor], ModelCard]:
    state = in_our_layout(load_state_dict(path), architecture, path)
    sha256 = sha256_of(path)
    description = describe_file(path, sha256, architecture)
    card = ModelCard(
        **dict(description),
        sha256=sha256,
        source_sha256=sha256,
        created=datetime.fromtimestamp(int(path.stat().st_mtime), UTC),
    )
    return state, card


def _missing_message(given: str | Path, path: Path, store: ModelStore) -> str:
    looks_like_path = isinstance(given, Path) or path.suffix in (
        ".pth",
        ".pt",
        ".safetensors",
    )
    if looks_like_path or len(path.parts) > 1:
        return f"{path}: weights file does not exist"
    return store.unknown_message(str(given))


def _name_from(path: Path) -> str:
    """Make a store name of a file's name: ``My Model (2).pth`` becomes ``my-model-2``."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower())[:64].strip("._-")
    return slug or _FALLBACK_NAME
