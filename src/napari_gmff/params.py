"""The one parameter model: command-line flags, saved runs and the widget are made from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from napari_gmff.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_MULTIPLE_PX = 128
"""StackMFF V4 halves space seven times, so a window's side must be a multiple of 2**7."""

CLASSICAL_ENGINE = "laplacian-energy"
NETWORK_ENGINE = "stackmff-v4"

CLASSICAL_ENGINES = (CLASSICAL_ENGINE, "local-variance", "tenengrad", "wavelet-energy")
"""Engines of this package that score focus without weights."""

BLEND_ENGINES = ("laplacian-pyramid", "wavelet-maximum", "weighted-average")
"""Engines of this package that compute pixels instead of copying them."""

WEIGHTLESS_ENGINES = (*CLASSICAL_ENGINES, *BLEND_ENGINES)
"""Engines of this package that need no weights, and compute on the CPU."""

COMBINED = "combined"
PER_CHANNEL = "per-channel"
"""Values of `channel` that name no channel: one choice by all of them, or one for each."""

DEFAULT_ENGINE = NETWORK_ENGINE
"""What runs where nothing is said; everything that speaks of a default follows this line."""

Format = Literal["ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"]

FORMATS: tuple[Format, ...] = get_args(Format)
"""How a result can be saved: OME-Zarr 0.5 or 0.4, a folder of OME-TIFF or of ImageJ's files."""

DEFAULT_NAME = "fusion"
"""Name of a result within an OME-Zarr that it is appended to."""


def _numbers(text: str, separator: str, count: int, what: str) -> list[str]:
    parts = [part.strip() for part in text.split(separator)]
    if len(parts) != count:
        raise ValueError(f"expected {what}, got {text!r}")
    return parts


def _parse_bounds(value: object) -> object:
    """Turn ``"a:b"`` into the half-open bounds (a, b)."""
    if isinstance(value, str):
        return tuple(_numbers(value, ":", 2, "START:STOP"))
    return value


def _parse_region(value: object) -> object:
    if isinstance(value, str):
        return tuple(_parse_bounds(part) for part in _numbers(value, ",", 2, "y0:y1,x0:x1"))
    return value


def _parse_input_range(value: object) -> object:
    if isinstance(value, str) and value not in ("auto", "dtype"):
        return tuple(_numbers(value, ":", 2, "auto, dtype or LO:HI"))
    return value


def _parse_time(value: object) -> object:
    if isinstance(value, str):
        return _parse_bounds(value) if ":" in value else (int(value), int(value) + 1)
    return (value, value + 1) if isinstance(value, int) else value


def _parse_voxel_size(value: object) -> object:
    if isinstance(value, str):
        parts = _numbers(value, ",", 3, "Z,Y,X in µm")
        return tuple(None if part in ("", "?") else part for part in parts)
    return value


def _parse_channel(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d+", value) else value


def _as_text(value: object) -> object:
    """Take a number for a name; zeros in front of a name count."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _rising(bounds: tuple[Any, Any]) -> tuple[Any, Any]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"START must be below STOP, got {bounds[0]}:{bounds[1]}")
    return bounds


NonNegative = Annotated[int, Field(ge=0)]
PositiveUm = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Bounds = Annotated[
    tuple[NonNegative, NonNegative], BeforeValidator(_parse_bounds), AfterValidator(_rising)
]
Region = Annotated[tuple[Bounds, Bounds], BeforeValidator(_parse_region)]
VoxelSize = Annotated[
    tuple[PositiveUm | None, PositiveUm | None, PositiveUm | None],
    BeforeValidator(_parse_voxel_size),
]
InputRange = Annotated[
    Literal["auto", "dtype"] | Annotated[tuple[Finite, Finite], AfterValidator(_rising)],
    BeforeValidator(_parse_input_range),
]
Times = Annotated[Bounds, BeforeValidator(_parse_time)]
PositionChoice = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
ChannelChoice = Annotated[int | str, BeforeValidator(_parse_channel)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ReadParams(_Strict):
    """How a source becomes a stack; the keyword arguments of `read_stack`."""

    series: int = Field(0, ge=0, title="Series", description="Image series of the file, from 0.")
    position: PositionChoice | None = Field(
        None,
        title="Position",
        description="Stack of a source with several (fields of a plate, positions of a stage, "
        "numbered folders), by name or by number from 0.",
    )
    axes: str | None = Field(
        None,
        title="Axes",
        description="Order of the source's axes, of the letters T C Z Y X S, such as ZYX, "
        "where the file does not say or says it wrongly.",
    )
    voxel_size_um: VoxelSize | None = Field(
        None,
        title="Voxel size (µm)",
        description="Size Z,Y,X in µm, overriding the file's; leave a part empty if unknown.",
    )
    allow_remote: bool = Field(
        False, title="Allow remote", description="Permit http(s) and cloud addresses as a source."
    )


class FuseParams(_Strict):
    """How a stack is fused; see `napari_gmff.fuse`."""

    engine: str = Field(
        DEFAULT_ENGINE,
        title="Engine",
        description="What decides on focus: stackmff-v4 (a neural network), laplacian-energy "
        "(classical and faster), or another of those that 'napari-gmff engines' lists.",
    )
    weights: str | None = Field(
        None,
        title="Weights",
        description="Weights for the network: a model's name (see 'napari-gmff weights list'), "
        "'authors' for those of its authors, or a file; the package's own if left out.",
    )
    input_range: InputRange = Field(
        "auto",
        title="Input range",
        description="Intensities the engine sees as 0 and 1: auto (the model card's rule), "
        "dtype (the whole range of the pixel type) or LO:HI. Fused pixels are never rescaled.",
    )
    input_sigma_px: Literal["auto"] | Annotated[float, Field(ge=0, le=20)] = Field(
        "auto",
        title="Input smoothing (px)",
        description="Gaussian sigma of what the engine sees: auto is what the engine asks for, "
        "which is 0 or follows the estimated noise. Fused pixels are never smoothed.",
    )
    slice_order: Literal["auto", "ordered", "unordered"] = Field(
        "auto",
        title="Slice order",
        description="Whether neighbouring slices are neighbours in z, which lets depth be "
        "refined between slices; auto decides from the stack.",
    )
    channel: ChannelChoice = Field(
        COMBINED,
        title="Focus channel",
        description="Channel, by number from 0 or name, whose focus decides for every channel; "
        "'combined' weighs all channels by their signal-to-noise; with 'per-channel' each channel "
        "has its own choice, focus index, depth and confidence.",
    )
    time: Times | None = Field(
        None, title="Time points", description="Time point T, or range START:STOP; all if left out."
    )
    z_range: Bounds | None = Field(
        None, title="Slice range", description="Slices START:STOP to use; all if left out."
    )
    region: Region | None = Field(
        None,
        title="Region",
        description="Part y0:y1,x0:x1 of the image to fuse; equals that crop of the whole.",
    )
    block_px: int = Field(
        1024,
        ge=BLOCK_MULTIPLE_PX,
        le=8192,
        multiple_of=BLOCK_MULTIPLE_PX,
        title="Window (px)",
        description="Side of the windows that focus is estimated in, halo included.",
    )
    halo_px: int = Field(
        64,
        ge=0,
        multiple_of=4,
        title="Halo (px)",
        description="Margin of each window that is estimated for context and then dropped.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto (CUDA, else MPS, else CPU), cpu, mps, cuda or cuda:N.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        title="Threads",
        description="Processor threads for the network; torch's own choice if left out.",
    )
    memory_limit_mb: int = Field(
        1024,
        ge=64,
        title="Memory limit (MB)",
        description="Above this, coarse maps of long stacks are kept on disk.",
    )
    depth_min_confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        title="Depth: least confidence",
        description="Where confidence is lower, exported depth is marked as no data (NaN).",
    )
    projections: bool = Field(
        False,
        title="Projections",
        description="Also write a maximum projection, for comparison.",
    )
    shard_px: Literal["auto"] | Annotated[int, Field(ge=0, le=8192, multiple_of=512)] = Field(
        "auto",
        title="Shards (px)",
        description="Side of the files of an OME-Zarr 0.5, each with many chunks of 512 px: auto "
        "is 4096 for results of more than 1000 chunks, else 0, which is a file for each chunk.",
    )

    @model_validator(mode="before")
    @classmethod
    def _weights_imply_their_engine(cls, values: object) -> object:
        """Weights that are asked for must not be ignored because the engine was not named."""
        if isinstance(values, dict) and values.get("weights") is not None:
            return {"engine": NETWORK_ENGINE, **values}
        return values

    def model_post_init(self, _context: object) -> None:
        """Check what concerns two fields at once."""
        if self.weights is not None and self.engine in WEIGHTLESS_ENGINES:
            raise ValueError(f"weights: engine {self.engine} uses none, got {self.weights!r}")
        if 2 * self.halo_px >= self.block_px:
            raise ValueError(
                f"halo_px must be less than half of block_px ({self.block_px}), got {self.halo_px}"
            )


ModelT = TypeVar("ModelT", bound=BaseModel)


class RunParams(FuseParams, ReadParams):
    """Everything that decides a run, as saved in a parameter file."""


def validated(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    """Make a parameter model from plain values.

    Raises
    ------
    ParameterError
        With one line that names each wrong field, its rule and what was given.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParameterError(_one_line(error)) from None


def load_params(path: Path, model: type[BaseModel] = RunParams) -> dict[str, Any]:
    """Read the values of a parameter file; fields may be missing.

    Parameters
    ----------
    path : Path
        JSON object.
    model : type
        Parameter model that its fields are of.

    Raises
    ------
    ParameterError
        If the file cannot be read, is not a JSON object, or has unknown or wrong fields.
    """
    import json

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path}: not a readable JSON parameter file ({error})") from None
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: must hold a JSON object, got {type(values).__name__}")
    try:
        validated(model, values)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
    return values


def _one_line(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        places = [str(part) for part in item["loc"] if isinstance(part, str)]
        name = places[0] if places else ""
        message = item["msg"].removeprefix("Value error, ")
        given = "" if "got " in message else f", got {item['input']!r}"
        lines.append(f"{name}: {message}{given}" if name else message)
    return "; ".join(dict.fromkeys(lines))
