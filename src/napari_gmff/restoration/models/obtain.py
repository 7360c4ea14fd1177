"""Bringing a model of restoration into the store, from a file of the user's or from its address.

Nothing is fetched or stored before the user agreed to its licence.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import DownloadError, OutputError, WeightsError
from napari_gmff.restoration.models.catalog import model_called
from napari_gmff.restoration.models.consent import require_consent
from napari_gmff.restoration.models.identity import (
    check_label,
    check_only_label,
    description_of_file,
    kind_of,
)
from napari_gmff.restoration.models.structure import check_structure
from napari_gmff.weights.card import (
    CHECKPOINT_FILE,
    TENSOR_FILE,
    ModelCard,
    ModelDescription,
    check_name,
)
from napari_gmff.weights.load import is_safetensors
from napari_gmff.weights.model_folder import card_of_folder, tensor_file
from napari_gmff.weights.store import ModelStore

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import Published, RestorationModel
    from napari_gmff.weights.download import ProgressCallback

_SPARE_BYTES = 200_000_000
"""Left free on a disk that a model is downloaded to."""


def where_to_get(model: RestorationModel) -> str:
    """Say which file is needed, where it is, and what to do with it."""
    known = model.published
    if known is None:
        file, place = f"{model.file_name} (its sha256 is recorded then)", model.source
    else:
        file = f"{model.file_name} ({known.size_bytes:,} bytes, sha256 {known.sha256})"
        place = known.url
    return (
        f"get {file} from {place}, then 'napari-gmff weights import {model.file_name} "
        f"--as {model.name}'"
    )


def missing_message(name: str, store: ModelStore | None = None) -> str:
    """Say that a model is not stored, and how to get it with and without a network.

    Raises
    ------
    ParameterError
        If the name stands for no model of restoration.
    """
    model = model_called(name, store)
    download = (
        f"'napari-gmff weights download {model.name}' brings it; offline, "
        if model.published is not None
        else ""
    )
    return f"{name}: {model.title} is not on this computer; {download}{where_to_get(model)}"


def import_restoration_model(
    path: Path,
    store: ModelStore | None = None,
    *,
    kind: str | None = None,
    name: str | None = None,
    source: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> ModelCard:
    """Check a file of weights and store it as it is, under the name of what it is.

    The file is never held in memory. In the store it shares its bytes with the original where the
    disk can do that.

    Parameters
    ----------
    path : Path
        ``.safetensors`` file or torch checkpoint in its authors' layout, or a model folder.
    store : ModelStore, optional
        Instead of the user's.
    kind : str, optional
        Name in the catalogue that says what it is. Needed for a control model, since IFControlNet
        and DiffBIR v2 look the same; a file of Stable Diffusion is recognised.
    name : str, optional
        Name in the store; that of the catalogue if left out.
    source : str, optional
        Where the file came from, for the card.
    overwrite : bool
        Replace a stored model of that name.
    progress : callable, optional
        ``progress(done_bytes, total_bytes)`` while it is hashed; what it raises stops the import.

    Returns
    -------
    ModelCard
        With the SHA-256 of the file.

    Raises
    ------
    ConsentError
        If the user has not agreed to the licence.
    WeightsError
        If the file is damaged, unsafe, of something else, or not the one its name is kept for.
    ParameterError
        If it is not said what it is, or a name is another's.
    OutputError
        If the name is taken, or the store cannot be written.
    """
    store = ModelStore() if store is None else store
    model = kind_of(path, kind)
    card = card_of_folder(path) if path.is_dir() else None
    file = path if card is None else tensor_file(path)
    require_consent(model.name, store)
    name = model.name if name is None else check_name(name)
    check_label(name, model, file)
    store.check_free(name, overwrite=overwrite)
    check_structure(file, model.role)

    def describe(sha256: str) -> ModelDescription:
        if card is not None and sha256 != card.sha256:
            raise WeightsError(f"{file}: sha256 must be {card.sha256}, found {sha256}")
        check_only_label(sha256, model, store, file)
        return description_of_file(model, name, file.name if card is None else "", sha256, source)

    return store.add_file(
        file,
        TENSOR_FILE if is_safetensors(file) else CHECKPOINT_FILE,
        describe,
        overwrite=overwrite,
        progress=progress,
    )


def download_restoration_model(
    name: str,
    store: ModelStore | None = None,
    *,
    progress: ProgressCallback | None = None,
    model: RestorationModel | None = None,
) -> tuple[ModelCard, bool]:
    """Make sure that a model is stored; no network is needed once it is.

    Parameters
    ----------
    name : str
        Name in the catalogue.
    store : ModelStore, optional
        Instead of the user's.
    progress : callable, optional
        ``progress(done_bytes, total_bytes or None)``; what it raises stops the download, which
        goes on from there the next time.
    model : RestorationModel, optional
        Instead of the catalogue's, for tests.

    Returns
    -------
    card : ModelCard
        Of the stored model.
    fetched : bool
        False if it was stored already.

    Raises
    ------
    ConsentError
        If the user has not agreed to the licence; nothing was asked of the network.
    WeightsError
        If it has no fixed address, or another model is stored under its name.
    DownloadError
        See `napari_gmff.weights.download.download`; says how to do without.
    OutputError
        If the disk is too small or cannot be written.
    """
    from napari_gmff.weights.download import Wanted, download

    store = ModelStore() if store is None else store
    model = model_called(name, store) if model is None else model
    require_consent(model.name, store)
    if model.published is None:
        raise WeightsError(f"{model.title} has no address to download from; {where_to_get(model)}")
    known = model.published
    stored = _sound_copy(model, known, store)
    if stored is not None:
        return stored, False
    file = store.downloads_folder() / f"{model.name}.download"
    _check_room(file, known)
    wanted = Wanted(known.url, known.sha256, max_bytes=known.size_bytes)
    try:
        download(wanted, file, progress)
    except DownloadError as error:
        raise DownloadError(f"{error}; or {where_to_get(model)}") from None
    card = store.add_file(
        file,
        TENSOR_FILE if is_safetensors(file) else CHECKPOINT_FILE,
        lambda sha256: description_of_file(model, model.name, "", sha256, known.url),
        overwrite=True,
        moves=True,
    )
    return card, True


def _sound_copy(model: RestorationModel, known: Published, store: ModelStore) -> ModelCard | None:
    if not store.has(model.name):
        return None
    try:
        card = store.verify(model.name)
    except WeightsError:
        return None
    if card.sha256 != known.sha256:
        raise OutputError(
            f"{model.name}: another model is stored under this name (sha256 {card.sha256}); "
            "remove it first"
        )
    return card


def _check_room(file: Path, known: Published) -> None:
    part = file.with_name(f"{file.name}.part")
    held = part.stat().st_size if part.is_file() else 0
    needed = known.size_bytes - held + _SPARE_BYTES
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise OutputError(
            f"{file.parent}: {needed / 1e9:.1f} GB must be free for the download, found "
            f"{free / 1e9:.1f} GB"
        )
