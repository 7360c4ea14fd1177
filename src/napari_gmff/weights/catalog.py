"""Models that can be downloaded by name."""

from __future__ import annotations

from dataclasses import dataclass

from napari_gmff.errors import WeightsError
from napari_gmff.weights.card import InputRangeRule, ModelDescription


@dataclass(frozen=True)
class CatalogEntry:
    """One downloadable model.

    Attributes
    ----------
    description : ModelDescription
        What the stored model's card will state.
    url : str
        Address of one fixed version of the file.
    sha256 : str
        Of the file at `url`.
    size_bytes : int
        Of the file at `url`; more is never downloaded.
    """

    description: ModelDescription
    url: str
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """Name in the store."""
        return self.description.name


_AUTHORS_V4_URL = (
    "https://raw.githubusercontent.com/Xinzhe99/GMFF/"
    "40f7a717aee10846115ff4c289addde68b7d441a/weights/stackmffv4.pth"
)

AUTHORS_V4 = CatalogEntry(
    description=ModelDescription(
        name="authors-v4",
        title="StackMFF V4, weights of its authors",
        architecture="stackmff-v4",
        input_range=InputRangeRule(eight_bit="dtype", other="percentiles"),
        license="MIT",
        source=_AUTHORS_V4_URL,
        citation="Xinzhe Xie et al., Generative Multi-Focus Image Fusion (StackMFF V4), 2025",
        notes="Trained by its authors on 8-bit luminance divided by 255, on synthetic defocus "
        "of everyday scenes.",
    ),
    url=_AUTHORS_V4_URL,
    sha256="4e9f0e6a1d54712d9a970508d44d382aab71828983a1e57661a351b7c93353bf",
    size_bytes=3_972_415,
)

CATALOG = {entry.name: entry for entry in (AUTHORS_V4,)}

ALIASES = {"authors": AUTHORS_V4.name}
"""Short names that users may type; a newer release of the authors would take the name over."""


def canonical_name(name: str) -> str:
    """Return the name that a short one stands for, any other as it is."""
    return ALIASES.get(name, name)


def entry_named(name: str) -> CatalogEntry:
    """Return a catalogue entry.

    Raises
    ------
    WeightsError
        Listing what can be downloaded, if `name` is not among it.
    """
    name = canonical_name(name)
    if name not in CATALOG:
        raise WeightsError(
            f"{name}: not a downloadable model; these are: {', '.join(sorted(CATALOG))}"
        )
    return CATALOG[name]


def entry_with_sha256(sha256: str) -> CatalogEntry | None:
    """Return the entry whose file has this SHA-256, if any."""
    return next((entry for entry in CATALOG.values() if entry.sha256 == sha256), None)
