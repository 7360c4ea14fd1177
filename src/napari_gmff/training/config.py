"""`TrainConfig`: everything that decides what a training run learns, as one YAML file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_gmff.errors import ParameterError
from napari_gmff.weights.card import Probability, SmoothingRule, check_name
from napari_gmff.weights.card_fields import ModelName, SpdxExpression

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFIGS = "configs"
PATCH_PX = 128
"""Side of the patches in which the size of a batch is counted."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageFolder(_Strict):
    """Sharp images that may be learned from.

    Attributes
    ----------
    folder : str
        Relative to the data folder given on the command line.
    license : str
        SPDX expression.
    source : str
        Where the images come from.
    files : tuple of str
        Patterns of the files to take; empty for all images in the folder and below.
    exclude : tuple of str
        Patterns of files to leave out.
    """

    folder: str
    license: SpdxExpression = "NOASSERTION"
    source: str = ""
    files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class ImagesConfig(_Strict):
    """Where sharp images come from.

    Attributes
    ----------
    folders : tuple of ImageFolder
    procedural_share : float
        Share of images that are computed instead, 0 to 1; all if there are no folders.
    """

    folders: tuple[ImageFolder, ...] = ()
    procedural_share: float = Field(default=0.15, ge=0, le=1)


class DataConfig(_Strict):
    """What stacks are drawn.

    Attributes
    ----------
    images : ImagesConfig
    shares : dict of str to float
        Weight of each kind of stack; see `napari_gmff.training.synthesis.KINDS`.
    distractors : float
        Share of stacks with slices added that show nothing new.
    patches_per_step : int
        Slices of 128 x 128 px in a step, whatever the crops and the number of slices.
    crop_px : dict of int to float
        Weight of each side of crop; multiples of 128.
    slices : tuple of int
        Least and greatest number of slices.
    long_slices : tuple of int
        The same, for the stacks that are long.
    long_share : float
        Share of steps whose stacks are long.
    """

    images: ImagesConfig = ImagesConfig()
    shares: dict[str, Annotated[float, Field(ge=0)]] = {"recipe": 1.0}
    distractors: float = Field(default=0.1, ge=0, le=1)
    patches_per_step: int = Field(default=40, ge=4)
    crop_px: dict[int, Annotated[float, Field(ge=0)]] = {128: 0.75, 256: 0.25}
    slices: tuple[int, int] = (2, 12)
    long_slices: tuple[int, int] = (13, 24)
    long_share: float = Field(default=0.15, ge=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        for side in self.crop_px:
            if side <= 0 or side % PATCH_PX:
                raise ValueError(f"crop_px must be multiples of {PATCH_PX}, got {side}")
        if not sum(self.crop_px.values()) > 0 or not sum(self.shares.values()) > 0:
            raise ValueError("crop_px and shares must each have a weight above 0")
        for name in ("slices", "long_slices"):
            low, high = getattr(self, name)
            if not 2 <= low <= high:
                raise ValueError(f"{name} must be two numbers, 2 or more, rising: {low}, {high}")
        return self


class LossConfig(_Strict):
    """What is minimised; see `napari_gmff.training.loss`.

    Attributes
    ----------
    neighbour_share : float
        Share of the target that is split between the two slices next to the true depth, in
        proportion to nearness; the rest is the nearest slice's.
    flat_weight : float
        Weight of pixels without texture, relative to those with.
    unknown_weight : float
        Weight of pixels where nothing is, for which all slices are to score alike.
    detail_weight : float
        How much more a pixel counts for each time that its fine detail is the mean's: a wrong
        slice there costs the fused image most.
    spread_slices : dict of str to float or None
        Kinds of stacks whose slice cannot be told exactly, and how many slices from the true depth
        the target falls to 0, in proportion to nearness. A phase object looks sharpest about one
        slice off its plane, on which side nobody can tell.
    balance_nats : float or None
        See `napari_gmff.training.loss.focus_loss`; None lets all stacks count alike.
    """

    neighbour_share: float = Field(default=0.3, ge=0, le=1)
    flat_weight: float = Field(default=0.5, ge=0)
    unknown_weight: float = Field(default=0.1, ge=0)
    detail_weight: float = Field(default=0.3, ge=0)
    spread_slices: dict[str, Annotated[float, Field(ge=1)]] | None = None
    balance_nats: float | None = Field(default=None, gt=0)


class OptimiserConfig(_Strict):
    """AdamW with warm-up and a cosine schedule.

    Attributes
    ----------
    learning_rate : float
        After warm-up.
    final_share : float
        Of the learning rate, at the last step.
    warmup_steps : int
    weight_decay : float
    clip_norm : float
        Largest norm of the gradient.
    ema_decay : float
        Of the moving average of the weights, which is the result.
    """

    learning_rate: float = Field(default=2e-3, gt=0)
    final_share: float = Field(default=0.005, ge=0, le=1)
    warmup_steps: int = Field(default=200, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema_decay: float = Field(default=0.998, ge=0, lt=1)


class ModelConfig(_Strict):
    """What the card of the resulting model says.

    Attributes
    ----------
    name : str
        In the model store.
    title : str
        For people.
    license : str
        SPDX expression.
    input_smoothing : {"none", "auto-noise"}
        Whether fusing smooths what the network sees where the noise asks for it. A network that
        was trained on noise needs none.
    temperature : float
        What logits are divided by; 1 where training has made probabilities of them.
    neighbours_vote_below : float or None
        Where the most probable slice has less, fusing lets the pixels round about vote; 0 for
        never, and 0.3 if left out (``docs/training.md`` shows what that gains).
    half_resolution_weight : float or None
        How much a second look at half the resolution counts beside the first; 0 for none, and
        0.25 if left out.
    citation, notes : str
        For those who use the model.
    """

    name: ModelName = "my-microscope"
    title: str = "StackMFF V4, own training"
    license: SpdxExpression = "NOASSERTION"
    input_smoothing: SmoothingRule = "none"
    temperature: float = Field(default=1.0, gt=0)
    neighbours_vote_below: Probability | None = None
    half_resolution_weight: Probability | None = None
    citation: str = ""
    notes: str = ""


class TrainConfig(_Strict):
    """Everything that decides what a training run learns.

    Attributes
    ----------
    name : str
        Of the config, for the card.
    steps : int
    seed : int
        Fixes first weights and every stack.
    init_from : str or None
        Model to start from: a stored model's name, a model folder or a file.
    model : ModelConfig
    data : DataConfig
    loss : LossConfig
    optimiser : OptimiserConfig
    precision : {"float32", "bfloat16"}
        Of the arithmetic; weights stay float32.
    validate_every, checkpoint_every : int
        In steps.
    validation_stacks : int
        Fixed stacks of each kind.
    validation_px : int
        Their side, a multiple of 128.
    data_folder : str
        What the image folders are relative to.
    """

    name: str = "own config"
    steps: int = Field(default=10_000, ge=1)
    seed: int = Field(default=0, ge=0)
    init_from: str | None = None
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    precision: Literal["float32", "bfloat16"] = "float32"
    validate_every: int = Field(default=250, ge=1)
    checkpoint_every: int = Field(default=250, ge=1)
    validation_stacks: int = Field(default=3, ge=1)
    validation_px: int = Field(default=256, ge=PATCH_PX, multiple_of=PATCH_PX)
    data_folder: str = "."

    def learning_from(self, folders: Sequence[Path]) -> TrainConfig:
        """Return the config with other folders of sharp images."""
        images = self.data.images.model_copy(update={"folders": ()})
        data = self.data.model_copy(update={"images": images})
        config = self.model_copy(update={"data": data})
        for folder in folders:
            config = config.learning_also_from(folder)
        return config

    def learning_also_from(self, folder: Path) -> TrainConfig:
        """Return the config with one more folder of sharp images."""
        present = self.data.images.folders
        images = self.data.images.model_copy(
            update={"folders": (*present, ImageFolder(folder=str(Path(folder).absolute())))}
        )
        data = self.data.model_copy(update={"images": images})
        return self.model_copy(update={"data": data})

    def named(self, name: str) -> TrainConfig:
        """Return the config whose model has another name in the store.

        Raises
        ------
        ParameterError
            If a model cannot be named so.
        """
        model = self.model.model_copy(update={"name": check_name(name)})
        return self.model_copy(update={"model": model})


def shipped_configs() -> list[str]:
    """Return the names of the configs that come with the package."""
    folder = files("napari_gmff.training") / _CONFIGS
    return sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_config(name_or_file: str | Path, **changes: Any) -> TrainConfig:
    """Read a config by the name of a shipped one or from a YAML file.

    Parameters
    ----------
    name_or_file : str or Path
        Name of a shipped config, which wins, or path of a YAML file.
    **changes
        Top-level values to put in place of the file's; None is left out.

    Raises
    ------
    ParameterError
        If there is no such config, it is not YAML, or a value breaks a rule.
    """
    text = _config_text(name_or_file)
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParameterError(f"{name_or_file}: not valid YAML ({error})") from None
    if not isinstance(values, dict):
        raise ParameterError(f"{name_or_file}: a config must be a mapping of names to values")
    values |= {name: value for name, value in changes.items() if value is not None}
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}, got {str(item['input'])[:80]}"
            for item in error.errors()
        )
        raise ParameterError(f"{name_or_file}: {'; '.join(faults)}") from None


def config_text(config: TrainConfig) -> str:
    """Return a config as YAML that `load_config` reads; what is None by default is left out.

    So the text, by whose hash a card names its config, outlives options that are added later.
    """
    values = config.model_dump(mode="json", exclude_none=True)
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text


def _config_text(name_or_file: str | Path) -> str:
    if isinstance(name_or_file, str) and name_or_file in shipped_configs():
        shipped = files("napari_gmff.training") / _CONFIGS / f"{name_or_file}.yaml"
        return shipped.read_text(encoding="utf-8")
    try:
        return Path(name_or_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        known = ", ".join(shipped_configs())
        raise ParameterError(
            f"{name_or_file}: config cannot be read ({reason}); shipped configs: {known}"
        ) from None
