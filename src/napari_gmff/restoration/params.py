"""The parameters of a restoration: flags, saved records and the dock are made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_gmff.params import InputRange, Region, Times

LATENT_MULTIPLE_PX = 64
"""The network halves space six times, three of them in its autoencoder."""

Probability = Annotated[float, Field(ge=0, le=1)]


class RestoreParams(BaseModel):
    """How a fused image is restored; see `napari_gmff.restoration.restore`."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    model: str = Field(
        "ifcontrolnet",
        title="Model",
        description="Stored model that steers the restoration: ifcontrolnet, diffbir-v2, or the "
        "name that one was imported under.",
    )
    base: str = Field(
        "sd21-base",
        title="Base model",
        description="Stored diffusion model that it steers: sd21-base, or the name that one was "
        "imported under.",
    )
    mask_below: Probability = Field(
        0.2,
        title="Restore below confidence",
        description="Pixels whose focus confidence is lower are restored; all others stay as "
        "measured, and so do areas of fewer than 64 pixels. Without effect where a mask is given.",
    )
    feather_px: int = Field(
        8,
        ge=0,
        le=256,
        title="Feather (px)",
        description="Width inside the edge of the mask over which the restoration fades in.",
    )
    steps: int = Field(
        50, ge=2, le=1000, title="Steps", description="Denoising steps; time grows with them."
    )
    guidance: float = Field(
        4.0,
        ge=1,
        le=20,
        title="Guidance",
        description="How hard the model is pushed away from what its negative prompt says (blurry, "
        "noisy); more invents more. 1 halves the time and does without.",
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=2,
        title="Control strength",
        description="How closely the model is held to the fused image; 1 as its authors have it.",
    )
    start: Literal["noise", "condition"] = Field(
        "noise",
        title="Start from",
        description="Pure noise, or the fused image with noise added.",
    )
    seed: int = Field(
        231, ge=0, lt=2**63, title="Seed", description="Of the noise; the same gives the same."
    )
    n_seeds: int = Field(
        1,
        ge=1,
        le=16,
        title="Seeds",
        description="Number of restorations, from seed upwards. Two or more give a mean and the "
        "spread of the model, which is not an error bar.",
    )
    back_projection: int = Field(
        0,
        ge=0,
        le=50,
        title="Back-projection",
        description="Rounds that pull the restoration towards what the slices measured.",
    )
    input_range: InputRange = Field(
        "auto",
        title="Input range",
        description="Intensities the model sees as black and white: auto (robust limits of each "
        "channel), dtype (the whole range of the pixel type) or LO:HI. Reversible, in float.",
    )
    time: Times | None = Field(
        None, title="Time points", description="Time point T, or range START:STOP; all if left out."
    )
    region: Region | None = Field(
        None, title="Region", description="Part y0:y1,x0:x1 of the fused image to restore."
    )
    tile_px: int = Field(
        512,
        ge=LATENT_MULTIPLE_PX,
        le=4096,
        multiple_of=LATENT_MULTIPLE_PX,
        title="Tile (px)",
        description="Side of the tiles that the model works on; smaller needs less memory.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto (CUDA, else MPS), cpu, mps, cuda or cuda:N.",
    )
    allow_cpu: bool = Field(
        False,
        title="Allow CPU",
        description="Run on the processor although it takes minutes to hours.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        title="Precision",
        description="Of the arithmetic: auto is bfloat16 on CUDA and float32 elsewhere.",
    )
