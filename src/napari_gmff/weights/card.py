"""`ModelCard`: what is known about a stored model, kept beside its tensors as ``card.json``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from napari_gmff.errors import ParameterError, WeightsError
from napari_gmff.weights.card_fields import (
    NAME_PATTERN,
    CardPart,
    ModelName,
    Sha256,
    SpdxExpression,
    Text,
)
from napari_gmff.weights.training_facts import TrainingFacts  # noqa: TC001 (pydantic reads it)

CARD_FILE = "card.json"
TENSOR_FILE = "model.safetensors"
CHECKPOINT_FILE = "model.pt"
"""In place of `TENSOR_FILE`: a torch checkpoint that is kept as it came, for it is too large to
be written a second time."""

LICENSE_UNKNOWN = "NOASSERTION"
"""SPDX's own word for a licence that nobody stated."""

MAX_CARD_BYTES = 1 << 20

RangeRule = Literal["dtype", "percentiles"]
SmoothingRule = Literal["auto-noise", "none"]
Probability = Annotated[float, Field(ge=0, le=1)]


class InputRangeRule(CardPart):
    """How intensities become the 0…1 that a network was trained on.

    ``"dtype"`` divides by the largest value of the pixel type (Y/255 for 8 bit);
    ``"percentiles"`` takes robust percentiles of the stack.

    Attributes
    ----------
    eight_bit : {"dtype", "percentiles"}
        Rule for uint8 stacks.
    other : {"dtype", "percentiles"}
        Rule for every other pixel type.
    """

    eight_bit: RangeRule = "dtype"
    other: RangeRule = "percentiles"


class ModelDescription(CardPart):
    """What a person or a catalogue states about a model.

    Attributes
    ----------
    name : str
        Name in the store: 1 to 64 of a-z, 0-9, ``.``, ``_``, ``-``.
    title : str
        Name for people.
    architecture : str
        Network the tensors belong to, such as ``"stackmff-v4"``.
    input_range : InputRangeRule
        Meaning of ``--input-range auto`` for this model.
    input_smoothing : {"auto-noise", "none"}
        Meaning of ``--input-sigma-px auto``: smooth by the estimated noise, for weights that were
        not trained on noise, or never.
    temperature : float
        What the network's logits are divided by, so that their softmax over the slices is about
        the probability of each. Logits of the authors' weights span some fifty units, and are as
        sure of a wrong slice as of a right one; for them 8 was the best power of two on the demo
        scene (``benchmarks/bench_quality.py``), and it is the default.
    neighbours_vote_below : float
        Where the most probable slice of a pixel has less than this, 0...1, the probabilities of
        the pixels round it are averaged in; 0 for weights that are taken pixel by pixel.
    license : str
        SPDX expression; ``"NOASSERTION"`` where nobody stated one.
    source : str
        Address or words that say where the original came from; never a path of this machine.
    citation : str
        What to cite when publishing results.
    notes : str
        Anything else a user should know.
    version : str
        Of the weights, where more than one was published under the name.
    training : TrainingFacts or None
        How the weights were trained, where it is known.
    """

    name: ModelName
    title: Text
    architecture: Annotated[str, StringConstraints(min_length=1)]
    input_range: InputRangeRule = InputRangeRule()
    input_smoothing: SmoothingRule = "auto-noise"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 8.0
    neighbours_vote_below: Probability = 0.0
    license: SpdxExpression = LICENSE_UNKNOWN
    source: Text = ""
    citation: Text = ""
    notes: Text = ""
    version: Text = ""
    training: TrainingFacts | None = None


class ModelCard(ModelDescription):
    """A description together with what identifies the tensors it describes.

    Attributes
    ----------
    sha256 : str
        Of the file the tensors are read from: ``model.safetensors`` of a model folder, or the
        file itself where a loose file is used without importing it.
    source_sha256 : str
        Of the file that was imported or downloaded, before any conversion.
    created : datetime
        When the model was stored, with its time zone.
    schema_version : int
        Layout of this card.
    """

    sha256: Sha256
    source_sha256: Sha256
    created: AwareDatetime
    schema_version: Literal[1] = Field(1)


def check_name(name: str) -> str:
    """Return `name` if it may name a model.

    Raises
    ------
    ParameterError
        If it has other characters than allowed; so a name can never be a path.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise ParameterError(
            "model name: must be 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending "
            f"with a letter or digit, got {name!r}"
        )
    return name


def described(**values: object) -> ModelDescription:
    """Make a description from values a user gave.

    Raises
    ------
    ParameterError
        Naming each wrong value.
    """
    try:
        return ModelDescription.model_validate(values)
    except ValidationError as error:
        raise ParameterError(f"model {_one_line(error)}") from None


def description_of(card: ModelCard) -> ModelDescription:
    """Return a card without what identifies its tensors."""
    return ModelDescription(**{name: getattr(card, name) for name in ModelDescription.model_fields})


def write_card(card: ModelCard, folder: Path) -> None:
    """Write ``card.json`` into a model folder that is being made."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> ModelCard:
    """Read ``card.json`` of a model folder.

    Raises
    ------
    WeightsError
        If it is missing, unreadable, or breaks a rule of the card.
    """
    path = folder / CARD_FILE
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise WeightsError(f"{path}: a model card is at most {MAX_CARD_BYTES} bytes")
        return ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WeightsError(f"{path}: not a valid model card ({_one_line(error)})") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"{path}: model card cannot be read ({reason})") from None


def _one_line(error: ValidationError) -> str:
    parts = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        given = f", got {str(item['input'])[:80]!r}" if item["loc"] else ""
        parts.append(f"{place}: {item['msg']}{given}" if place else item["msg"])
    return "; ".join(parts)
