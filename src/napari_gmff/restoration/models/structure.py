"""What a file of weights is for, told by its names and shapes alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import WeightsError
from napari_gmff.weights.load import load_state_dict

if TYPE_CHECKING:
    from napari_gmff.restoration.models.catalog import Role

_LANDMARKS: dict[Role, tuple[str, ...]] = {
    "base": ("model.diffusion_model.", "first_stage_model."),
    "control": ("zero_convs.", "input_blocks."),
}
"""Parts of names that every file of a kind has, after what trainers may put before them."""


def role_of(path: Path) -> Role | None:
    """Tell whether a file looks like a model of restoration.

    Parameters
    ----------
    path : Path
        ``.safetensors`` or torch checkpoint; no values are read.

    Returns
    -------
    {"base", "control"} or None
        None for weights of anything else.

    Raises
    ------
    WeightsError
        If it is missing, damaged, unsafe, or holds no named tensors.
    """
    names = load_state_dict(path, maps_file=True).keys()
    for role, landmarks in _LANDMARKS.items():
        if all(any(mark in name for name in names) for mark in landmarks):
            return role
    return None


def check_structure(path: Path, role: Role) -> None:
    """Check that a file has every tensor of its kind, in the right shape.

    Without diffusers, which knows the networks, only the kind is checked; the rest is when the
    model is used.

    Raises
    ------
    WeightsError
        Naming what is missing, not expected, or of another shape.
    """
    found = role_of(path)
    if found != role:
        is_what = _TITLES[found] if found is not None else "not the weights of a model here"
        raise WeightsError(f"{path}: must be {_TITLES[role]}, found {is_what}")
    from napari_gmff.restoration.diffusion.extra import has_diffusers
    from napari_gmff.restoration.diffusion.layout import check_base, check_control, shapes_of

    if not has_diffusers():
        return
    check = check_base if role == "base" else check_control
    try:
        check(shapes_of(load_state_dict(path, maps_file=True)))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


_TITLES: dict[Role, str] = {
    "base": "a Stable Diffusion 2 checkpoint in one file",
    "control": "a control model (IFControlNet or DiffBIR v2)",
}
