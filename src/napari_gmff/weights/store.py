"""The one place where models are kept: a folder with one folder per model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.weights.card import (
    TENSOR_FILE,
    ModelCard,
    ModelDescription,
    check_name,
    write_card,
)
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.kept_file import keep_file
from napari_gmff.weights.model_folder import (
    card_of_folder,
    check_tensors,
    save_tensors,
    tensor_file,
)
from napari_gmff.weights.shipped_models import (
    SHIPPED_NAME,
    check_not_reserved,
    has_shipped,
    is_reserved,
)
from napari_gmff.weights.staged_folder import hidden_sibling, publish, staged_folder

if TYPE_CHECKING:
    from torch import Tensor

    from napari_gmff.weights.download import ProgressCallback

STORE_VARIABLE = "NAPARI_GMFF_MODELS"
"""Environment variable that names another folder for the store."""

_DOWNLOADS = ".downloads"


def default_root() -> Path:
    """Return the store's folder: `STORE_VARIABLE`, else the user's data folder."""
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("napari-gmff", appauthor=False) / "models"


@dataclass(frozen=True)
class StoredModel:
    """A model in the store, sound or not.

    Attributes
    ----------
    name : str
        Its folder's name.
    folder : Path
        Where it is.
    size_bytes : int
        Of its tensors; 0 if they are missing.
    card : ModelCard or None
        None if the card is unreadable.
    problem : str or None
        Why the card is unreadable.
    """

    name: str
    folder: Path
    size_bytes: int
    card: ModelCard | None
    problem: str | None


class ModelStore:
    """Models of all architectures, each a folder with ``model.safetensors`` and ``card.json``.

    Parameters
    ----------
    root : Path, optional
        Folder of the store, made when something is first stored; see `default_root`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = default_root() if root is None else root

    def folder(self, name: str) -> Path:
        """Return where the model of this name is or would be.

        Raises
        ------
        ParameterError
            If `name` cannot name a model.
        """
        return self.root / check_name(name)

    def names(self) -> list[str]:
        """Return the names of the stored models, sorted."""
        try:
            entries = sorted(self.root.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WeightsError(f"{self.root}: {_reason(error)}, cannot list models") from None
        return [entry.name for entry in entries if self.has(entry.name)]

    def models(self) -> list[StoredModel]:
        """Describe every stored model; a damaged one is listed with its problem."""
        return [described_folder(self.folder(name), name) for name in self.names()]

    def has(self, name: str) -> bool:
        """Tell whether a model of this name is stored, sound or not."""
        return _is_name(name) and not is_reserved(name) and (self.root / name).is_dir()

    def card(self, name: str) -> ModelCard:
        """Return the card of a stored model.

        Raises
        ------
        WeightsError
            If no such model is stored (the message lists those that are), or its card is damaged.
        """
        if not self.has(name):
            raise WeightsError(self.unknown_message(name))
        return card_of_folder(self.folder(name), name)

    def verify(self, name: str) -> ModelCard:
        """Compare the tensors of a stored model with the SHA-256 in its card.

        Raises
        ------
        WeightsError
            If they differ, or as `card`.
        """
        card = self.card(name)
        check_tensors(self.folder(name), card)
        return card

    def unknown_message(self, name: str) -> str:
        """Say that a name is not stored, what is, and how to get more."""
        from napari_gmff.weights.catalog import CATALOG

        stored = ", ".join(self.names()) or "none"
        shipped = f"; with the package: {SHIPPED_NAME}" if has_shipped() else ""
        to_download = name if name in CATALOG else next(iter(CATALOG))
        return (
            f"{name}: no stored model or file of this name (stored: {stored}{shipped}); get one "
            f"with 'napari-gmff weights download {to_download}' or 'napari-gmff weights import "
            "FILE'"
        )

    def add(
        self,
        state: dict[str, Tensor],
        description: ModelDescription,
        *,
        source_sha256: str,
        overwrite: bool = False,
    ) -> ModelCard:
        """Store a model; it appears whole, under its name, or not at all.

        Parameters
        ----------
        state : dict of str to Tensor
            Tensors in our layout.
        description : ModelDescription
            Everything else the card states.
        source_sha256 : str
            SHA-256 of the file the tensors came from.
        overwrite : bool
            Replace a model of the same name.

        Returns
        -------
        ModelCard
            As written.

        Raises
        ------
        ParameterError
            If the name always means another model, such as the one that comes with the package.
        OutputError
            If the name is taken and `overwrite` is false, or the store cannot be written.
        """
        self.check_free(description.name, overwrite=overwrite)
        with staged_folder(self.root) as staged:
            save_tensors(state, staged / TENSOR_FILE)
            sha256 = sha256_of(staged / TENSOR_FILE)
            return self._publish(staged, description, sha256, source_sha256)

    def add_file(
        self,
        path: Path,
        file_name: str,
        describe: Callable[[str], ModelDescription],
        *,
        overwrite: bool = False,
        moves: bool = False,
        progress: ProgressCallback | None = None,
    ) -> ModelCard:
        """Store a model as the very file it came in, which is never held in memory.

        Parameters
        ----------
        path : Path
            File of tensors; it stays where it is, and shares its bytes on disk where it can.
        file_name : str
            Name in the model's folder: `TENSOR_FILE`, or `CHECKPOINT_FILE` for a torch checkpoint.
        describe : callable
            ``describe(sha256)`` gives what the card states; what it raises leaves nothing behind.
        overwrite : bool
            Replace a model of the same name.
        moves : bool
            Take the file away from where it is.
        progress : callable, optional
            ``progress(done_bytes, total_bytes)``; what it raises leaves nothing behind.

        Returns
        -------
        ModelCard
            As written.

        Raises
        ------
        WeightsError
            If the file cannot be read.
        OutputError, ParameterError
            As `add`.
        """
        with staged_folder(self.root) as staged:
            sha256 = keep_file(path, staged / file_name, moves=moves, progress=progress)
            description = describe(sha256)
            self.check_free(description.name, overwrite=overwrite)
            return self._publish(staged, description, sha256, sha256)

    def check_free(self, name: str, *, overwrite: bool = False) -> None:
        """Check that a model may be stored under a name; see `add` for the errors."""
        check_not_reserved(name)
        if not overwrite and os.path.lexists(self.folder(name)):
            raise OutputError(
                f"{name}: a model of this name is already stored; pass --overwrite to replace it"
            )

    def _publish(
        self, staged: Path, description: ModelDescription, sha256: str, source_sha256: str
    ) -> ModelCard:
        card = ModelCard(
            **dict(description),
            sha256=sha256,
            source_sha256=source_sha256,
            created=datetime.now(UTC).replace(microsecond=0),
        )
        write_card(card, staged)
        publish(staged, self.folder(description.name))
        return card

    def remove(self, name: str) -> None:
        """Delete a stored model, sound or not.

        Raises
        ------
        WeightsError
            If no such model is stored.
        OutputError
            If it cannot be deleted.
        """
        if not self.has(name):
            raise WeightsError(self.unknown_message(name))
        folder = self.folder(name)
        try:
            if folder.is_symlink():  # someone linked a shared model: only the link is ours
                folder.unlink()
                return
            # Renamed first, so that an interrupted removal leaves no half model under the name.
            doomed = hidden_sibling(self.root, "removed")
            folder.rename(doomed)
            shutil.rmtree(doomed)
        except OSError as error:
            raise OutputError(f"{folder}: model cannot be removed ({_reason(error)})") from None

    def downloads_folder(self) -> Path:
        """Return the folder for unfinished downloads, made if needed."""
        folder = self.root / _DOWNLOADS
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({_reason(error)})") from None
        return folder


def described_folder(folder: Path, name: str) -> StoredModel:
    """Describe a model folder that is called `name`; a damaged one with its problem."""
    card, problem = None, None
    try:
        card = card_of_folder(folder, name)
    except WeightsError as error:
        problem = str(error)
    tensors = tensor_file(folder)
    size = tensors.stat().st_size if tensors.is_file() else 0
    return StoredModel(name, folder, size, card, problem)


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except ParameterError:
        return False
    return True


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
