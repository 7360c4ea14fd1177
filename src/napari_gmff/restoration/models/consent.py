"""Agreement to a model's licence, asked for before anything is fetched, stored or used.

It is kept in the store as ``consent.json``, one entry for each model of the catalogue. What counts
is agreement to the very text that is shown now: after a change of the text it is asked for again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field, ValidationError

from napari_gmff.errors import ConsentError, OutputError
from napari_gmff.marks import BANNER
from napari_gmff.restoration.models.catalog import model_called
from napari_gmff.weights.card_fields import CardPart, Sha256, Text

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import RestorationModel
    from napari_gmff.weights.store import ModelStore

CONSENT_FILE = "consent.json"
_MAX_BYTES = 1 << 20


class Consent(CardPart):
    """One agreement.

    Attributes
    ----------
    title : str
        Name of the model for people.
    license : str
        SPDX expression.
    text_sha256 : str
        Of the text that was shown, in UTF-8.
    agreed : datetime
        When, with its time zone.
    program_version : str
        Of this package.
    """

    title: Text
    license: Text
    text_sha256: Sha256
    agreed: AwareDatetime
    program_version: Text


class _ConsentFile(CardPart):
    schema_version: Literal[1] = Field(1)
    consents: dict[str, Consent] = Field(default_factory=dict)


def consent_text(name: str, store: ModelStore | None = None) -> str:
    """Return what a user must agree to before a model is fetched, stored or used.

    Parameters
    ----------
    name : str
        Of the catalogue, or of a stored model.
    store : ModelStore, optional
        Instead of the user's.

    Returns
    -------
    str
        Paragraphs, with empty lines between them.

    Raises
    ------
    ParameterError
        If the name stands for no model of restoration.
    """
    return _text(model_called(name, store))


def _text(model: RestorationModel) -> str:
    license = model.license
    return "\n\n".join(
        [
            f"{model.title}: a model for generative restoration",
            BANNER,
            "Content may be invented: the model paints structures, textures and edges that look "
            "right to it, and that the specimen need not have. It learnt from photographs, not "
            "from your microscope.",
            f"Licence: {license.name} ({license.url})",
            " ".join([*license.terms, model.made_from]).strip(),
            "By agreeing you accept this licence. You will not use what the model made for "
            "diagnosis, for medical advice or to interpret medical results, and wherever you show "
            "it, you will say that a model made it.",
        ]
    )


def has_consent(name: str, store: ModelStore | None = None) -> bool:
    """Tell whether the user agreed to the text that `consent_text` gives now.

    Raises
    ------
    ParameterError
        If the name stands for no model of restoration.
    """
    model = model_called(name, store)
    try:
        given = _read(_file(store)).consents.get(model.name)
    except ConsentError:
        return False
    return given is not None and given.text_sha256 == _sha256(_text(model))


def give_consent(name: str, store: ModelStore | None = None) -> Consent:
    """Record that the user read `consent_text` and agreed; ask a person before you call this.

    Returns
    -------
    Consent
        As recorded.

    Raises
    ------
    ParameterError
        If the name stands for no model of restoration.
    ConsentError
        If the record of other agreements is damaged.
    OutputError
        If it cannot be written.
    """
    from napari_gmff import __version__

    model, path = model_called(name, store), _file(store)
    consent = Consent(
        title=model.title,
        license=model.license.spdx,
        text_sha256=_sha256(_text(model)),
        agreed=datetime.now(UTC).replace(microsecond=0),
        program_version=__version__,
    )
    _write(path, {**_read(path).consents, model.name: consent})
    return consent


def withdraw_consent(name: str, store: ModelStore | None = None) -> bool:
    """Forget an agreement; the model's files stay until they are removed.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    ParameterError, ConsentError, OutputError
        As `give_consent`.
    """
    model, path = model_called(name, store), _file(store)
    consents = dict(_read(path).consents)
    if consents.pop(model.name, None) is None:
        return False
    _write(path, consents)
    return True


def require_consent(name: str, store: ModelStore | None = None) -> None:
    """Go on only where the user agreed.

    Raises
    ------
    ConsentError
        Saying what is asked for, and how to agree.
    ParameterError
        If the name stands for no model of restoration.
    """
    if has_consent(name, store):
        return
    model = model_called(name, store)
    raise ConsentError(
        f"{model.title}: content may be invented, and its licence ({model.license.name}) was not "
        "agreed to, which restricts medical use among others; read and agree with "
        f"'napari-gmff weights consent {model.name}'"
    )


def _file(store: ModelStore | None) -> Path:
    from napari_gmff.weights.store import ModelStore

    return (ModelStore() if store is None else store).root / CONSENT_FILE


def _read(path: Path) -> _ConsentFile:
    try:
        with path.open("rb") as file:
            return _ConsentFile.model_validate_json(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return _ConsentFile(schema_version=1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConsentError(f"{path}: agreements cannot be read ({reason})") from None
    except ValidationError:
        raise ConsentError(
            f"{path}: damaged record of agreements; delete it, and agree again"
        ) from None


def _write(path: Path, consents: dict[str, Consent]) -> None:
    text = _ConsentFile(schema_version=1, consents=consents).model_dump_json(indent=2) + "\n"
    partial = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OutputError(f"{path}: cannot be written ({reason})") from None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
