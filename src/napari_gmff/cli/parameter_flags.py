"""Command-line flags made from a parameter model, so that nothing is listed twice."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.params import ModelT, RunParams, load_params, validated

if TYPE_CHECKING:
    from pydantic import BaseModel

_METAVARS = {
    "axes": "AXES",
    "base": "NAME",
    "block_px": "PX",
    "channel": "CHANNEL",
    "device": "DEVICE",
    "engine": "ENGINE",
    "halo_px": "PX",
    "input_range": "auto|dtype|LO:HI",
    "input_sigma_px": "auto|PX",
    "model": "NAME",
    "precision": "auto|float32|bfloat16",
    "shard_px": "auto|PX",
    "region": "Y0:Y1,X0:X1",
    "feather_px": "PX",
    "mask_below": "0...1",
    "start": "noise|condition",
    "tile_px": "PX",
    "slice_order": "auto|ordered|unordered",
    "time": "T|A:B",
    "voxel_size_um": "Z,Y,X",
    "weights": "NAME|FILE",
    "z_range": "A:B",
}


def add_parameter_flags(
    parser: argparse.ArgumentParser, model: type[BaseModel] = RunParams
) -> None:
    """Add one flag for each field of a parameter model, and --params for a file of them."""
    group = parser.add_argument_group("parameters")
    group.add_argument(
        "--params",
        type=Path,
        metavar="FILE.json",
        help="read parameters from a JSON file; flags override it",
    )
    for name, field in model.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        default = "" if field.default in (None, False) else f" [{field.default}]"
        text = f"{field.description}{default}".replace("%", "%%")
        if field.annotation is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            metavar = _METAVARS.get(name, "N")
            group.add_argument(flag, dest=name, default=None, metavar=metavar, help=text)


def run_params(args: argparse.Namespace) -> RunParams:
    """Combine parameter file and flags of a run; see `params_of`."""
    return params_of(args, RunParams)


def params_of(args: argparse.Namespace, model: type[ModelT]) -> ModelT:
    """Combine parameter file and flags.

    Raises
    ------
    ParameterError
        If the file or a flag is wrong.
    """
    values = load_params(args.params, model) if args.params else {}
    flags = {name: getattr(args, name) for name in model.model_fields}
    values.update({name: value for name, value in flags.items() if value is not None})
    return validated(model, values)


def with_negative_values(argv: Sequence[str]) -> list[str]:
    """Join flags and values such as ``-100:200``, which argparse would take for a flag."""
    joined: list[str] = []
    for word in argv:
        if joined and re.fullmatch(r"--[a-z-]+", joined[-1]) and re.match(r"-[\d.]", word):
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined
