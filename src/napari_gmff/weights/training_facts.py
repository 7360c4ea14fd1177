"""`TrainingFacts`: what a model card says of how the weights came to be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_gmff.weights.card_fields import CardPart, Sha256, SpdxExpression, Text

Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class DataSource(CardPart):
    """Where sharp images came from.

    Attributes
    ----------
    name : str
        Of the collection.
    license : str
        SPDX expression, as the collection states it; ``"NOASSERTION"`` if it states none.
    source : str
        Address.
    n_images : int or None
        How many of its images were used; None for images made by a program.
    notes : str
        Authors to name, or what else the licence asks for.
    """

    name: Text
    license: SpdxExpression
    source: Text = ""
    n_images: Count | None = None
    notes: Text = ""


class EvaluationRow(CardPart):
    """Scores on one kind of scenes.

    Attributes
    ----------
    scenes : str
        Kind of scenes, such as ``"fluorescence, 2000 photons"``.
    scores : dict of str to float
        Value of each measure, by its name with unit: ``{"PSNR (dB)": 49.8}``.
    n_scenes : int or None
        How many scenes the values are means of.
    """

    scenes: Text
    scores: dict[Text, Finite]
    n_scenes: Count | None = None


class TrainingFacts(CardPart):
    """How weights were trained.

    Attributes
    ----------
    config : str
        Name of the configuration; never a path of one machine.
    config_sha256 : str or None
        Of the configuration file.
    steps : int
        Optimiser steps.
    hours : float
        Time that the training took.
    machine : str
        In words: processors, GPU.
    seed : int or None
        Of everything random.
    started_from : str
        Name and sha256 of the weights that were trained further; "" if the start was random.
    data : tuple of DataSource
        All images that were used.
    synthesis : str
        How stacks were made of them, in words.
    evaluation : tuple of EvaluationRow
        Summary of the scores.
    evaluation_notes : str
        How the scores were taken, and where the whole table is.
    limits : tuple of str
        What the weights are known to do badly.
    """

    config: Text
    steps: Count
    hours: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    machine: Text
    config_sha256: Sha256 | None = None
    seed: int | None = None
    started_from: Text = ""
    data: tuple[DataSource, ...] = ()
    synthesis: Text = ""
    evaluation: tuple[EvaluationRow, ...] = ()
    evaluation_notes: Text = ""
    limits: tuple[Text, ...] = ()
