"""Bringing a model into the store: from a file of the user's, or from the catalogue."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.weights.architectures import ARCHITECTURES, in_our_layout
from napari_gmff.weights.card import (
    CARD_FILE,
    TENSOR_FILE,
    ModelCard,
    ModelDescription,
    check_name,
    described,
    description_of,
)
from napari_gmff.weights.catalog import CATALOG, CatalogEntry, entry_named, entry_with_sha256
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.load import load_state_dict
from napari_gmff.weights.model_folder import card_of_folder, check_tensors
from napari_gmff.weights.resolve import describe_file

if TYPE_CHECKING:
    from napari_gmff.weights.download import ProgressCallback
    from napari_gmff.weights.store import ModelStore


def import_model(
    path: Path,
    store: ModelStore,
    *,
    name: str | None = None,
    license: str | None = None,
    source: str | None = None,
    architecture: str = ARCHITECTURES[0],
    overwrite: bool = False,
) -> ModelCard:
    """Check a weights file, convert it to our layout and store it.

    A file of the catalogue is recognised by its SHA-256 and keeps the catalogue's facts.

    Parameters
    ----------
    path : Path
        Model folder, or ``.safetensors``/``.pth``/``.pt`` file in our layout or the authors'.
    store : ModelStore
        Where to.
    name : str, optional
        Name in the store; from the catalogue, the card or the file's name if left out.
    license : str, optional
        SPDX expression.
    source : str, optional
        Where the file came from, for the card.
    architecture : str
        Network a loose file must belong to.
    overwrite : bool
        Replace a stored model of that name.

    Returns
    -------
    ModelCard
        Of the stored model.

    Raises
    ------
    WeightsError
        If the file is damaged, unsafe or of another network, or its name is that of another model
        of the catalogue.
    ParameterError
        If a name or licence breaks its rule, or contradicts the catalogue.
    OutputError
        If the name is taken, or the store cannot be written.
    """
    if name is not None:
        check_name(name)
    stated = {"name": name, "license": license, "source": source}
    folder = _model_folder(path)
    if folder is None:
        source_sha256 = sha256_of(path)
        description = describe_file(path, source_sha256, architecture)
        known = entry_with_sha256(source_sha256)
    else:
        card = card_of_folder(folder)
        check_tensors(folder, card)
        source_sha256, description = card.source_sha256, description_of(card)
        path = folder / TENSOR_FILE
        known = None  # a card only claims what its tensors were made from
    description = _restated(description, stated, known, path)
    state = in_our_layout(load_state_dict(path), description.architecture, path)
    return store.add(state, description, source_sha256=source_sha256, overwrite=overwrite)


def download_model(
    name: str,
    store: ModelStore,
    *,
    progress: ProgressCallback | None = None,
    url: str | None = None,
    entry: CatalogEntry | None = None,
) -> tuple[ModelCard, bool]:
    """Make sure that a model of the catalogue is stored; no network is needed once it is.

    A damaged copy is replaced by a fresh one.

    Parameters
    ----------
    name : str
        Name in the catalogue.
    store : ModelStore
        Where to.
    progress : callable, optional
        ``progress(done_bytes, total_bytes or None)``.
    url, entry : optional
        Instead of the catalogue's, for tests.

    Returns
    -------
    card : ModelCard
        Of the stored model.
    fetched : bool
        False if it was stored already.

    Raises
    ------
    WeightsError
        If the name is not in the catalogue, or another model is stored under it.
    DownloadError
        See `napari_gmff.weights.download.download`.
    """
    from napari_gmff.weights.download import Wanted, download

    entry = entry_named(name) if entry is None else entry
    stored = _sound_copy(entry, store)
    if stored is not None:
        return stored, False
    address = entry.url if url is None else url
    wanted = Wanted(address, entry.sha256, max_bytes=entry.size_bytes)
    file = store.downloads_folder() / f"{entry.name}.download"
    if not (file.is_file() and sha256_of(file) == entry.sha256):
        download(wanted, file, progress)
    architecture = entry.description.architecture
    state = in_our_layout(load_state_dict(file), architecture, file)
    card = store.add(state, entry.description, source_sha256=entry.sha256, overwrite=True)
    with suppress(OSError):  # stored all the same; the next download would clean up
        file.unlink()
    return card, True


def _sound_copy(entry: CatalogEntry, store: ModelStore) -> ModelCard | None:
    if not store.has(entry.name):
        return None
    try:
        card = store.verify(entry.name)
    except WeightsError:
        return None
    if card.source_sha256 != entry.sha256:
        raise OutputError(
            f"{entry.name}: another model is stored under this name (its original has sha256 "
            f"{card.source_sha256}); remove it first"
        )
    return card


def _model_folder(path: Path) -> Path | None:
    if path.is_dir():
        return path
    if path.name == TENSOR_FILE and (path.parent / CARD_FILE).is_file():
        return path.parent
    return None


def _restated(
    description: ModelDescription,
    stated: dict[str, str | None],
    known: CatalogEntry | None,
    path: Path,
) -> ModelDescription:
    """Apply what the user stated, which may not contradict the catalogue."""
    changes = {field: value for field, value in stated.items() if value is not None}
    for field in ("license", "source"):
        said, true = changes.get(field), getattr(description, field)
        if known is not None and said not in (None, true):
            raise ParameterError(f"{path}: this is {known.name}, its {field} is {true}, got {said}")
    result = described(**(dict(description) | changes))
    if result.name in CATALOG and known is not CATALOG[result.name]:
        raise WeightsError(
            f"{path}: the name {result.name!r} is kept for the file with sha256 "
            f"{CATALOG[result.name].sha256}; choose another with --name"
        )
    return result
