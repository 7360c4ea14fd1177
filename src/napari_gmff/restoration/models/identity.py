"""What a file is, what it may be called, and what its card will state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.restoration.models.catalog import (
    RESTORATION_MODELS,
    is_for_restoration,
    model_of_architecture,
)
from napari_gmff.restoration.models.structure import role_of
from napari_gmff.weights.card import ModelDescription, described
from napari_gmff.weights.catalog import CATALOG
from napari_gmff.weights.model_folder import card_of_folder

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import Published, RestorationModel
    from napari_gmff.weights.store import ModelStore


def looks_restorative(path: Path) -> bool:
    """Tell whether a file or model folder is one that `import_restoration_model` takes.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    if path.is_dir():
        return is_for_restoration(card_of_folder(path).architecture)
    return role_of(path) is not None


def kind_of(path: Path, kind: str | None = None) -> RestorationModel:
    """Find out what a file or model folder is, asking rather than guessing.

    Parameters
    ----------
    path : Path
        See `import_restoration_model`.
    kind : str, optional
        What the user says it is: a name of the catalogue.

    Raises
    ------
    ParameterError
        If it must be said and was not, or contradicts the folder's card.
    WeightsError
        If it cannot be read, or is no model of restoration.
    """
    if kind is not None and kind not in RESTORATION_MODELS:
        known = ", ".join(RESTORATION_MODELS)
        raise ParameterError(f"--as: must be one of {known}, got {kind!r}")
    if path.is_dir():
        model = model_of_architecture(card_of_folder(path).architecture)
        if kind not in (None, model.name):
            raise ParameterError(f"{path}: its card says that it is {model.title}, got {kind}")
        return model
    if kind is not None:
        return RESTORATION_MODELS[kind]
    role = role_of(path)
    if role is None:
        raise WeightsError(f"{path}: not the weights of a model for restoration")
    possible = [model for model in RESTORATION_MODELS.values() if model.role == role]
    if len(possible) == 1:
        return possible[0]
    choices = " or ".join(
        f"--as {model.name} ({model.title}, {model.file_name})" for model in possible
    )
    raise ParameterError(f"{path}: a control model, and files do not tell which; say {choices}")


def check_label(name: str, model: RestorationModel, path: Path) -> None:
    """Refuse names that promise something else.

    Raises
    ------
    ParameterError
        If another model has the name.
    WeightsError
        If the name is kept for a file of another size.
    """
    other = RESTORATION_MODELS.get(name, model)
    if other is not model or name in CATALOG:
        means = other.title if other is not model else CATALOG[name].description.title
        raise ParameterError(f"model name: {name!r} always means {means}; choose another name")
    known = model.published
    if known is not None and name == model.name and path.stat().st_size != known.size_bytes:
        raise _not_the_one(path, known, name, f"one of {path.stat().st_size:,} bytes")


def check_only_label(sha256: str, model: RestorationModel, store: ModelStore, path: Path) -> None:
    """Refuse to call one file by the names of two models.

    Raises
    ------
    ParameterError
        If the file with this SHA-256 is stored as another model.
    """
    for stored in store.models():
        card = stored.card
        if card is None or card.sha256 != sha256 or not is_for_restoration(card.architecture):
            continue
        other = model_of_architecture(card.architecture)
        if other is not model:
            raise ParameterError(
                f"{path}: this very file is stored as {other.title} under the name "
                f"{stored.name}, and cannot be {model.title} too; remove that first"
            )


def description_of_file(
    model: RestorationModel, name: str, file_name: str, sha256: str, source: str | None
) -> ModelDescription:
    """Describe a file for its card.

    Parameters
    ----------
    model : RestorationModel
        What it is.
    name : str
        In the store.
    file_name : str
        That it was imported from; "" for none.
    sha256 : str
        Of the file.
    source : str or None
        Where the user says it came from.

    Raises
    ------
    WeightsError
        If the name is kept for a file with another SHA-256.
    """
    known = model.published
    is_known = known is not None and sha256 == known.sha256
    if known is not None and name == model.name and not is_known:
        raise _not_the_one(Path(file_name or name), known, name, f"sha256 {sha256}")
    title, notes = model.title, ""
    if known is not None and not is_known:
        title = model.other_title
    if not is_known:
        notes = f"That it is {title} is the word of who imported it"
        notes += f" from the file {file_name}." if file_name else "."
    return described(
        name=name,
        title=title,
        architecture=model.architecture,
        license=model.license.spdx,
        source=source or (known.url if known is not None and is_known else model.source),
        citation=model.citation,
        notes=notes,
    )


def _not_the_one(path: Path, known: Published, name: str, found: str) -> WeightsError:
    return WeightsError(
        f"{path}: the name {name!r} is kept for the file of {known.size_bytes:,} bytes with sha256 "
        f"{known.sha256}, found {found}; choose another name with --name"
    )
