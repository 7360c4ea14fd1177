"""Saves the parameters of a run to the file that the command line takes, and loads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_gmff.export.atomic import staging
from napari_gmff.params import RunParams, load_params, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_gmff.params import FuseParams

FILTER = "Parameters (*.json)"


def save_parameters(path: str, params: FuseParams, read_options: Mapping[str, Any]) -> str:
    """Write a parameter file, whole or not at all.

    Parameters
    ----------
    path : str
        File to write, replaced if it exists; ``.json`` is added where it is missing.
    params : FuseParams
        All of them are written, so that another version with other defaults does the same.
    read_options : mapping
        Options of `read_stack` that differ from their defaults.

    Returns
    -------
    str
        The file written.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    file = Path(path)
    if file.suffix.lower() != ".json":
        file = file.with_name(f"{file.name}.json")
    values = params.model_dump(mode="json")
    read = validated(RunParams, {**values, **read_options}).model_dump(mode="json")
    text = json.dumps({**{name: read[name] for name in read_options}, **values}, indent=2)
    with staging(file, overwrite=True, is_file=True) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")
    return str(file)


def load_parameters(path: str) -> dict[str, Any]:
    """Read a parameter file.

    Returns
    -------
    dict
        Its values, checked; fields may be missing.

    Raises
    ------
    ParameterError
        If it is no such file, or a value breaks a rule.
    """
    values = load_params(Path(path))
    params = validated(RunParams, values)
    return {name: getattr(params, name) for name in values}
