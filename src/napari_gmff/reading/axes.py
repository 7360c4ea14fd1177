"""Which axis of a source is which: any order in, (T, C, Z) planes of (Y, X[, S]) out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_gmff.errors import SourceError
from napari_gmff.reading.stack import SUPPORTED_DTYPES

LETTERS = "TCZYXS"
UNNAMED = "QI"
"""Letters that tifffile gives to pages whose meaning the file does not tell."""

MOST_PLANES = 1_000_000
MOST_SIDE_PX = 2**24
"""Planes and rows beyond are damage: their mere list would fill the memory."""

HINT = "if its {} axis is in fact Z, say so with axes="

TAKEN_AS_Z = "they are taken as Z slices"
"""Part of the note that tells of an axis whose meaning was assumed."""


@dataclass(frozen=True)
class AxisPlan:
    """The meaning of every dimension of a source.

    Attributes
    ----------
    letters : tuple of str
        One of T C Z Y X S for each dimension, or ``""`` for one of length 1 that is dropped.
    notes : tuple of str
        What had to be assumed.
    """

    letters: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def index(self, letter: str) -> int | None:
        """Dimension of an axis, None if the source does not have it."""
        return self.letters.index(letter) if letter in self.letters else None


def plan_axes(
    name: str,
    file_axes: str,
    shape: Sequence[int],
    wanted: str | None = None,
    *,
    samples_are_colour: bool = True,
) -> AxisPlan:
    """Decide the meaning of every dimension.

    Parameters
    ----------
    name : str
        Name of the source, for messages.
    file_axes : str
        One letter for each dimension, as the source says.
    shape : sequence of int
        Length of each dimension.
    wanted : str, optional
        What the user says instead: one letter for each dimension, or one for each that is
        longer than 1.
    samples_are_colour : bool
        Whether 3 or 4 samples are colours; else they are channels.

    Raises
    ------
    SourceError
        For letters that do not fit, no Z, Y or X axis, or an axis of length 0.
    """
    letters = list(file_axes.upper())
    notes: list[str] = []
    if wanted is not None:
        letters = _letters_wanted(name, letters, shape, wanted)
    else:
        notes = _name_unnamed(letters, shape)
    letters = [
        "" if (letter not in LETTERS or letter == "S") and length == 1 else letter
        for letter, length in zip(letters, shape, strict=True)
    ]
    _samples_to_channels(name, letters, shape, samples_are_colour)
    _check_letters(name, letters, shape)
    return AxisPlan(tuple(letters), tuple(notes))


def axes_that_count(letters: Sequence[str], shape: Sequence[int]) -> str:
    """Return the axes longer than 1, by which a position is told from a label or a thumbnail.

    T does not count: an acquisition that was stopped has fewer time points.
    """
    longer = (one.upper() for one, length in zip(letters, shape, strict=True) if length > 1)
    return "".join(sorted(set(longer) - {"T"}))


def check_dtype(name: str, dtype: object) -> np.dtype[np.generic]:
    """Return a supported pixel type in native byte order.

    Raises
    ------
    SourceError
        That names the pixel type, if it is none that is fused.
    """
    found = np.dtype(dtype).newbyteorder("=")  # type: ignore[call-overload]
    if found.name not in SUPPORTED_DTYPES:
        raise SourceError(
            f"{name}: pixels must be of type {', '.join(SUPPORTED_DTYPES)}, found {found.name}"
        )
    return found  # type: ignore[no-any-return]


def _letters_wanted(name: str, letters: list[str], shape: Sequence[int], wanted: str) -> list[str]:
    wanted = wanted.strip().upper()
    strange = sorted(set(wanted) - set(LETTERS))
    if strange or len(set(wanted)) != len(wanted):
        raise SourceError(
            f"{name}: axes must be different letters of {' '.join(LETTERS)}, got {wanted!r}"
        )
    if len(wanted) == len(shape):
        return list(wanted)
    without_samples = [i for i, letter in enumerate(letters) if (letter, shape[i]) != ("S", 1)]
    longer = [i for i in without_samples if shape[i] != 1 or letters[i] in ("Y", "X")]
    for places in (without_samples, longer):
        if len(places) == len(wanted):
            found = [""] * len(shape)
            for place, letter in zip(places, wanted, strict=True):
                found[place] = letter
            return found
    sizes = " × ".join(str(shape[i]) for i in longer)
    raise SourceError(
        f"{name}: axes must have one letter for each of its {len(longer)} axes ({sizes}), "
        f"got {wanted!r}"
    )


def _name_unnamed(letters: list[str], shape: Sequence[int]) -> list[str]:
    unnamed = [i for i, letter in enumerate(letters) if letter in UNNAMED and shape[i] != 1]
    z_taken = any(letter == "Z" and shape[i] != 1 for i, letter in enumerate(letters))
    if len(unnamed) != 1 or z_taken:
        return []
    letters[:] = ["?" if letter == "Z" else letter for letter in letters]
    letters[unnamed[0]] = "Z"
    return [f"The file does not say what its {shape[unnamed[0]]} pages are; {TAKEN_AS_Z}."]


def _samples_to_channels(
    name: str, letters: list[str], shape: Sequence[int], samples_are_colour: bool
) -> None:
    if "S" not in letters:
        return
    place = letters.index("S")
    if shape[place] == 0 or (samples_are_colour and shape[place] in (3, 4)):
        return
    if any(letter == "C" and shape[i] != 1 for i, letter in enumerate(letters)):
        raise SourceError(
            f"{name}: pixels must have 1, 3 or 4 samples in each channel, found {shape[place]}"
        )
    letters[:] = ["" if letter == "C" else letter for letter in letters]
    letters[place] = "C"


def _check_letters(name: str, letters: list[str], shape: Sequence[int]) -> None:
    described = " ".join(
        f"{letter}={length}" for letter, length in zip(letters, shape, strict=True) if letter
    )
    if 0 in shape:
        raise SourceError(f"{name}: every axis must have a length above 0, found {described}")
    strange = [letter for letter in letters if letter and letter not in LETTERS]
    if strange or len(set(filter(None, letters))) != len(list(filter(None, letters))):
        raise SourceError(
            f"{name}: its axes ({described}) must be some of {' '.join(LETTERS)}, each once; "
            "say which is which with axes="
        )
    for letter in "YX":
        if letter not in letters:
            raise SourceError(f"{name}: an image needs a {letter} axis, found {described}")
    if "Z" not in letters:
        other = [letter for letter in "TC" if letter in letters]
        long = [letter for letter in other if shape[letters.index(letter)] > 1]
        hint = f"; {HINT.format(long[0])}" if long else ""
        raise SourceError(f"{name}: a focus stack needs a Z axis, no Z axis in {described}{hint}")
    _check_lengths(name, letters, shape, described)


def _check_lengths(name: str, letters: list[str], shape: Sequence[int], described: str) -> None:
    lengths = dict(zip(letters, shape, strict=True))
    n_planes = math.prod(int(lengths.get(letter, 1)) for letter in "TCZ")
    if n_planes > MOST_PLANES or max(lengths["Y"], lengths["X"]) > MOST_SIDE_PX:
        raise SourceError(
            f"{name}: must have at most {MOST_PLANES} planes of at most {MOST_SIDE_PX} rows and "
            f"columns, found {described:.200}"
        )
