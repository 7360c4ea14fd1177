"""The two fixed prompts as the text tower embeds them, kept beside the base model.

They are computed once from the user's own file, or imported, and bound to that file by its SHA-256.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, ValidationError

from napari_gmff.errors import OutputError, ParameterError, WeightsError
from napari_gmff.restoration.models.catalog import model_called
from napari_gmff.restoration.models.consent import require_consent
from napari_gmff.weights.card_fields import CardPart, Sha256, Text
from napari_gmff.weights.hashing import sha256_of
from napari_gmff.weights.load import load_state_dict
from napari_gmff.weights.model_folder import save_tensors, tensor_file
from napari_gmff.weights.staged_folder import staged_folder
from napari_gmff.weights.store import ModelStore

if TYPE_CHECKING:
    from torch import Tensor

PROMPT_FILE = "contexts.safetensors"
PROMPT_CARD = "contexts.json"
_MAX_CARD_BYTES = 1 << 16
_NAMES = {"context_positive": "positive", "context_negative": "negative"}


class PromptCard(CardPart):
    """What is known of embedded prompts.

    Attributes
    ----------
    sha256 : str
        Of the file beside the card.
    base_sha256 : str
        Of the base model they belong to.
    source : str
        How they came to be.
    created : datetime
        When they were stored, with its time zone.
    """

    sha256: Sha256
    base_sha256: Sha256
    source: Text
    created: AwareDatetime


def has_prompts(name: str, store: ModelStore | None = None) -> bool:
    """Tell whether prompts are stored for a base model, sound or not."""
    store = ModelStore() if store is None else store
    return store.has(name) and (store.folder(name) / PROMPT_CARD).is_file()


def load_prompts(name: str, store: ModelStore | None = None) -> dict[str, Tensor]:
    """Load the prompts of a stored base model.

    Returns
    -------
    dict of str to Tensor
        ``positive`` and ``negative``, each (77, width).

    Raises
    ------
    WeightsError
        If they are missing, damaged, or of another base model; says what to do.
    """
    store = ModelStore() if store is None else store
    remedy = f"'napari-gmff weights prompts {name}' computes them anew"
    folder, base = store.folder(name), store.card(name)
    try:
        with (folder / PROMPT_CARD).open("rb") as file:
            card = PromptCard.model_validate_json(file.read(_MAX_CARD_BYTES))
    except (OSError, ValidationError):
        raise WeightsError(
            f"{folder / PROMPT_CARD}: missing or damaged, so the embedded prompts cannot be "
            f"trusted; {remedy}"
        ) from None
    path = folder / PROMPT_FILE
    found = sha256_of(path)
    if found != card.sha256:
        raise WeightsError(f"{path}: sha256 must be {card.sha256}, found {found}; {remedy}")
    if card.base_sha256 != base.sha256:
        raise WeightsError(
            f"{path}: belongs to a base model with sha256 {card.base_sha256}, not to this one "
            f"({base.sha256}); {remedy}"
        )
    return _checked(load_state_dict(path), path)


def compute_prompts(name: str, store: ModelStore | None = None) -> PromptCard:
    """Embed the prompts with the text tower in a stored base model, and keep them.

    Raises
    ------
    ConsentError
        If the user has not agreed to the base model's licence.
    ParameterError
        If the name is not a base model's.
    WeightsError
        If it is not stored, or its file has no text tower; then prompts can be imported.
    OutputError
        If the store cannot be written.
    """
    from napari_gmff.restoration.diffusion.contexts import compute_contexts

    store = _for_base(name, store)
    path = tensor_file(store.folder(name))
    try:
        prompts = compute_contexts(load_state_dict(path, maps_file=True))
    except WeightsError as error:
        raise WeightsError(
            f"{path}: {error}; prompts embedded elsewhere can be imported with 'napari-gmff "
            f"weights prompts {name} --file FILE'"
        ) from None
    return _keep(prompts, name, store, f"computed from {name}")


def import_prompts(path: Path, name: str, store: ModelStore | None = None) -> PromptCard:
    """Keep prompts that were embedded elsewhere.

    Parameters
    ----------
    path : Path
        ``.safetensors`` or torch file with ``positive`` and ``negative`` (or
        ``context_positive`` and ``context_negative``), each (77, width) or (1, 77, width).
    name : str
        Stored base model they belong to.
    store : ModelStore, optional
        Instead of the user's.

    Raises
    ------
    WeightsError
        If the file is damaged or unsafe, or holds something else.
    ConsentError, ParameterError, OutputError
        As `compute_prompts`.
    """
    store = _for_base(name, store)
    return _keep(_checked(load_state_dict(path), path), name, store, f"imported from {path.name}")


def _for_base(name: str, store: ModelStore | None) -> ModelStore:
    from napari_gmff.restoration.models.obtain import missing_message

    store = ModelStore() if store is None else store
    model = model_called(name, store)
    if model.role != "base":
        raise ParameterError(f"{name}: is {model.title}; prompts belong to the base model")
    require_consent(name, store)
    if not store.has(name):
        raise WeightsError(missing_message(name, store))
    return store


def _keep(prompts: dict[str, Tensor], name: str, store: ModelStore, source: str) -> PromptCard:
    """Write the tensors, then the card that vouches for them."""
    folder = store.folder(name)
    ours = {key: prompts[key].contiguous() for key in _NAMES.values()}
    with staged_folder(store.root) as staged:
        save_tensors(ours, staged / PROMPT_FILE)
        card = PromptCard(
            sha256=sha256_of(staged / PROMPT_FILE),
            base_sha256=store.card(name).sha256,
            source=source,
            created=datetime.now(UTC).replace(microsecond=0),
        )
        (staged / PROMPT_CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        try:
            for file in (PROMPT_FILE, PROMPT_CARD):
                (staged / file).replace(folder / file)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutputError(f"{folder}: prompts cannot be stored ({reason})") from None
    return card


def _checked(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    import torch

    named = {_NAMES.get(name, name): tensor for name, tensor in state.items()}
    prompts = {}
    for name in _NAMES.values():
        if name not in named:
            raise WeightsError(f"{path}: embedded prompts need {name}, found {sorted(named)[:5]}")
        tensor = named[name]
        tensor = tensor[0] if tensor.ndim == 3 and len(tensor) == 1 else tensor
        if tensor.ndim != 2 or not tensor.is_floating_point() or len(tensor) != 77:
            raise WeightsError(
                f"{path}: {name} must have shape (77, width), found {tuple(tensor.shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: {name} must be finite, holds NaN or Inf")
        prompts[name] = tensor.clone()
    if prompts["positive"].shape != prompts["negative"].shape:
        raise WeightsError(f"{path}: both embedded prompts must be of one shape")
    return prompts
