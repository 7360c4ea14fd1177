"""From names of models to a restorer: agreed to, there, and the very files they claim to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.restoration.models.catalog import model_called
from napari_gmff.restoration.models.consent import require_consent
from napari_gmff.restoration.models.obtain import missing_message
from napari_gmff.restoration.models.prompts import compute_prompts, has_prompts, load_prompts
from napari_gmff.weights.card import CARD_FILE
from napari_gmff.weights.hashing import regular_size, sha256_of
from napari_gmff.weights.load import load_state_dict
from napari_gmff.weights.model_folder import tensor_file
from napari_gmff.weights.store import ModelStore

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import Role
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration.restorer import Restorer
    from napari_gmff.weights.card import ModelCard
    from napari_gmff.weights.download import ProgressCallback

_hashed: dict[tuple[str, int, int, int, int], str] = {}
"""SHA-256 of files that this process has read, by path, device, inode, size and time of change.

Hashing 5 GB takes seconds; a file that is changed or replaced is hashed again.
"""


def check_ready(params: RestoreParams, store: ModelStore | None = None) -> None:
    """Check what can be checked at once: the extra, consent, and that the models are stored.

    Raises
    ------
    GmffError
        If diffusers is not installed.
    ConsentError
        If the user has not agreed to the licence of one of the models.
    WeightsError
        If one is not stored; says which file is needed, where it is, and what to do with it.
    ParameterError
        If a name stands for a model of another kind.
    """
    from napari_gmff.restoration.diffusion.extra import diffusers_module, has_diffusers

    if not has_diffusers():
        diffusers_module()  # raises; importing it, which takes seconds, comes last
    store = ModelStore() if store is None else store
    chosen: tuple[tuple[str, str, Role], ...] = (
        ("base", params.base, "base"),
        ("model", params.model, "control"),
    )
    for field, name, role in chosen:
        model = model_called(name, store)
        if model.role != role:
            raise ParameterError(f"{field}: {name} is {model.title}, which is no {role} model")
        require_consent(name, store)
    for _, name, _ in chosen:
        if not store.has(name):
            raise WeightsError(missing_message(name, store))
        found, expected = store.card(name).architecture, model_called(name, store).architecture
        if found != expected:
            raise WeightsError(
                f"{store.folder(name)}: weights must be of {expected}, found those of {found}"
            )
    diffusers_module()


def load_restorer(
    params: RestoreParams,
    store: ModelStore | None = None,
    *,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Restorer:
    """Make the restorer that the parameters name.

    The files' SHA-256 is compared with their cards, once in a process for an unchanged file. The
    embedded prompts are computed where they are missing, which takes a minute, once.

    Parameters
    ----------
    params : RestoreParams
        ``model`` and ``base`` name the files; see `IFControlNetRestorer` for the others that count.
    store : ModelStore, optional
        Instead of the user's.
    progress : callable, optional
        ``progress(done_bytes, total_bytes)`` while files are hashed; what it raises stops it.
    **options
        For `IFControlNetRestorer`.

    Returns
    -------
    Restorer
        Its ``facts`` name both files with their SHA-256 and licence.

    Raises
    ------
    GmffError, ConsentError, ParameterError
        As `check_ready`.
    WeightsError
        As `check_ready`, or if a file is damaged or does not fit the other.
    DeviceError
        If the processor is not there, lacks memory, or is a CPU without `allow_cpu`.
    """
    from napari_gmff.restoration.diffusion.restorer import IFControlNetRestorer
    from napari_gmff.restoration.diffusion.speed import device_for

    store = ModelStore() if store is None else store
    check_ready(params, store)
    device_for(params)  # before gigabytes are hashed
    base, control = (_verified(name, store, progress) for name in (params.base, params.model))
    if not has_prompts(params.base, store):
        compute_prompts(params.base, store)
    model = model_called(params.model, store)
    facts = {
        "name": model.name,
        "title": model.title,
        "models": [_facts(card, store) for card in (control, base)],
    }
    return IFControlNetRestorer.from_states(
        _state(base, store),
        _state(control, store),
        load_prompts(params.base, store),
        params,
        facts,
        **options,
    )


def _verified(name: str, store: ModelStore, progress: ProgressCallback | None) -> ModelCard:
    card = store.card(name)
    path = tensor_file(store.folder(name))
    found = _sha256_once(path, progress)
    if found != card.sha256:
        raise WeightsError(
            f"{path}: sha256 must be {card.sha256} as in {CARD_FILE}, found {found}; remove the "
            f"model with 'napari-gmff weights remove {name}' and get it again"
        )
    return card


def _sha256_once(path: Path, progress: ProgressCallback | None) -> str:
    regular_size(path)
    status = path.stat()
    key = (
        str(path.resolve()),
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
    )
    if key not in _hashed:
        _hashed[key] = sha256_of(path, progress)
    return _hashed[key]


def _facts(card: ModelCard, store: ModelStore) -> dict[str, str]:
    model = model_called(card.name, store)
    return {
        "name": card.name,
        "title": card.title,
        "role": model.role,
        "sha256": card.sha256,
        "license": card.license,
        "license_name": model.license.name,
        "source": card.source,
        "citation": card.citation,
    }


def _state(card: ModelCard, store: ModelStore) -> Any:
    return load_state_dict(tensor_file(store.folder(card.name)), maps_file=True)
