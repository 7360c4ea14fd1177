"""What the axes of a layer mean, as far as it says; and which may be Z where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MEANINGS = {
    "t": "T",
    "time": "T",
    "c": "C",
    "ch": "C",
    "channel": "C",
    "z": "Z",
    "depth": "Z",
    "focus": "Z",
    "slice": "Z",
    "y": "Y",
    "x": "X",
}


@dataclass(frozen=True)
class LayerAxes:
    """The meaning of every dimension of a layer.

    Attributes
    ----------
    letters : tuple of str
        One of T C Z Y X for each dimension, ``""`` for one of length 1 that means nothing.
    is_certain : bool
        Whether the layer or the user says which dimension is Z; else it is a guess.
    candidates : tuple of int
        Dimensions that may be Z: all that are longer than 1 and not labelled Y or X.
    leftover : int
        Dimensions longer than 1 for which there is no meaning left.
    """

    letters: tuple[str, ...]
    is_certain: bool
    candidates: tuple[int, ...]
    leftover: int = 0

    @property
    def z_axis(self) -> int | None:
        """Dimension of Z, None if there is none."""
        return self.index("Z")

    def index(self, letter: str) -> int | None:
        """Dimension of an axis, None if the layer does not have it."""
        return self.letters.index(letter) if letter in self.letters else None


def axes_of(
    shape: Sequence[int],
    labels: Sequence[str],
    *,
    z_axis: int | None = None,
    displayed: Sequence[int] = (),
) -> LayerAxes:
    """Decide the meaning of every dimension.

    Parameters
    ----------
    shape : sequence of int
        Length of each dimension, without colour samples.
    labels : sequence of str
        `layer.axis_labels`.
    z_axis : int, optional
        The dimension that the user says is Z; ignored where the layer does not have it any more.
    displayed : sequence of int
        The two dimensions seen on the canvas, which are Y and X where labels do not say; the
        last two where left out.

    Returns
    -------
    LayerAxes
        Where nobody says which is Z, the innermost dimension that is left; the rest are T, then
        C, from the outermost.
    """
    letters = _from_labels(labels)
    long = [axis for axis, length in enumerate(shape) if length > 1]
    candidates = tuple(axis for axis in long if letters[axis] not in ("Y", "X"))
    if z_axis is not None and z_axis not in range(len(shape)):
        z_axis = None
    said = letters[z_axis] if z_axis is not None else ""
    if z_axis is not None:
        letters = ["" if letter == "Z" else letter for letter in letters]
        letters[z_axis] = "Z"
    _name_yx(letters, displayed)
    unnamed = [axis for axis in long if not letters[axis]]
    is_certain = z_axis is not None or "Z" in letters
    if "Z" not in letters and unnamed:
        letters[unnamed.pop()] = "Z"
    # The axis that was called Z before the user said otherwise takes the name of the other.
    free = [letter for letter in (said, "T", "C") if letter in ("T", "C") and letter not in letters]
    for axis, letter in zip(unnamed, dict.fromkeys(free), strict=False):
        letters[axis] = letter
    leftover = sum(1 for axis in long if not letters[axis])
    return LayerAxes(tuple(letters), is_certain, candidates, leftover)


def _from_labels(labels: Sequence[str]) -> list[str]:
    """Meaning of each label; none of them counts where one occurs twice."""
    letters = [_MEANINGS.get(label.strip().casefold(), "") for label in labels]
    named = [letter for letter in letters if letter]
    return letters if len(set(named)) == len(named) else [""] * len(letters)


def _name_yx(letters: list[str], displayed: Sequence[int]) -> None:
    """Name the dimensions on the canvas Y and X, or the innermost, in the order of the data."""
    seen = [axis for axis in displayed if 0 <= axis < len(letters)]
    others = [axis for axis in reversed(range(len(letters))) if axis not in seen]
    free = [axis for axis in (*seen, *others) if not letters[axis]]
    missing = [letter for letter in "YX" if letter not in letters]
    for axis, letter in zip(sorted(free[: len(missing)]), missing, strict=False):
        letters[axis] = letter
