"""`Corrections`: slices chosen by hand in place of the engine's, and the file they are kept in."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_gmff.correction_labels import check_labels, label_dtype, slice_numbers
from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.export.atomic import staging
from napari_gmff.export.layout import has_generated
from napari_gmff.marks import NOT_MEASURED
from napari_gmff.provenance import PROGRAM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.results import FusionResult

SUFFIX = ".corrections.npz"
"""How the names of files of corrections end, by custom."""

KIND = "corrections"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CorrectionTarget:
    """What corrections were made for; they mean nothing anywhere else.

    Attributes
    ----------
    source_name : str
        Name of the stack, for messages.
    source_fingerprint : str
        Sha256 of the stack; see `FocusStack.fingerprint`.
    shape : tuple of int
        Of the focus index, axes (T)YX, in pixels.
    region : tuple of tuple of int, or None
        Rows and columns (start, stop) of the stack that were fused; None for all.
    times : tuple of int
        Numbers of the fused time points in the stack.
    """

    source_name: str
    source_fingerprint: str
    shape: tuple[int, ...]
    region: tuple[tuple[int, int], tuple[int, int]] | None
    times: tuple[int, ...]

    @classmethod
    def of(cls, result: FusionResult) -> CorrectionTarget:
        """Return what corrections of a result are made for.

        Raises
        ------
        ParameterError
            If there is no choice of slices to correct, or one for each channel.
        """
        check_correctable(result)
        source = result.provenance["source"]
        region = result.provenance["parameters"].get("region")
        return cls(
            source_name=source["name"],
            source_fingerprint=source["fingerprint"],
            shape=result.images["focus_index"].shape,
            region=_as_region(region),
            times=tuple(result.provenance["times"]),
        )


def check_correctable(result: FusionResult) -> None:
    """Refuse a result whose slices cannot be corrected by hand.

    Raises
    ------
    ParameterError
        If there is no choice of slices, or one for each channel, or a generative model restored it.
    """
    if has_generated(result.images, result.provenance):
        raise ParameterError(
            f"corrections: there is nothing to correct, {NOT_MEASURED}; correct the fusion it was "
            "made from"
        )
    if not result.pixels_copied:
        raise ParameterError(f"corrections: there is nothing to correct, {result.why_no_choice}")
    if result.is_per_channel:
        raise ParameterError(
            "corrections: each channel was focused by itself (channel per-channel), and only one "
            "choice for all channels can be corrected"
        )


@dataclass(frozen=True, eq=False)
class Corrections:
    """Slices chosen by hand.

    Attributes
    ----------
    labels : ndarray
        Axes (T)YX as `FusionResult.focus_index`, unsigned: 0 is unchanged, k + 1 means slice k of
        the stack.
    target : CorrectionTarget
        What they were made for.
    """

    labels: NDArray[np.unsignedinteger[Any]]
    target: CorrectionTarget

    @classmethod
    def of(cls, result: FusionResult, labels: NDArray[Any] | None = None) -> Corrections:
        """Make corrections of a result.

        Parameters
        ----------
        result : FusionResult
            Gives the slices that may be chosen: those that were fused.
        labels : ndarray, optional
            Axes (T)YX as its `focus_index`, any integer type: 0 is unchanged, k + 1 means slice
            k. Copied; nothing is corrected where left out.

        Raises
        ------
        ParameterError
            If the shape is another, or a label names a slice that was not fused.
        """
        target = CorrectionTarget.of(result)
        numbers = slice_numbers(result)
        dtype = label_dtype(numbers)
        if labels is None:
            return cls(np.zeros(target.shape, dtype), target)
        check_labels(labels, target.shape, numbers)
        return cls(labels.astype(dtype), target)

    @property
    def n_pixels(self) -> int:
        """Number of corrected pixels, of all time points."""
        return int(np.count_nonzero(self.labels))

    @property
    def by_slice(self) -> dict[int, int]:
        """How many pixels were set to a slice, by its number."""
        labels, counts = np.unique(self.labels, return_counts=True)
        found = zip(labels.tolist(), counts.tolist(), strict=True)
        return {label - 1: count for label, count in found if label}

    def check_fits(self, result: FusionResult) -> None:
        """Check that these corrections are those of a result or of a run like it.

        Raises
        ------
        ParameterError
            If they were made for another stack, part of it or slices.
        """
        mine, other = self.target, CorrectionTarget.of(result)
        self._check_source(other.source_name, other.source_fingerprint)
        if mine.region != other.region or mine.times != other.times:
            raise ParameterError(
                f"corrections: made for {_part(mine)} of {mine.source_name}, got a result of "
                f"{_part(other)}"
            )
        check_labels(self.labels, other.shape, slice_numbers(result))

    def check_stack(self, stack: FocusStack) -> None:
        """Check that these corrections were made for a stack, before it is fused.

        Raises
        ------
        ParameterError
            If they were made for another one.
        """
        self._check_source(stack.name, stack.fingerprint)

    def _check_source(self, name: str, fingerprint: str) -> None:
        mine = self.target
        if mine.source_fingerprint != fingerprint:
            raise ParameterError(
                f"corrections: made for the stack {mine.source_name} "
                f"({mine.source_fingerprint[:12]}), got {name} ({fingerprint[:12]})"
            )

    def over(self, earlier: Corrections) -> Corrections:
        """Return these corrections, and those made earlier wherever these change nothing."""
        return replace(self, labels=np.where(self.labels == 0, earlier.labels, self.labels))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the corrections to a file, complete or not at all.

        A compressed NumPy archive (.npz) holds the map exactly, a few kB for a few strokes, and is
        read without running code from it. An image file would carry the map as well, but would
        lose what it was made for as soon as another program saved it.

        Parameters
        ----------
        path : str or Path
            File to write, such as ``moth.corrections.npz``.
        overwrite : bool
            Replace a file that exists.

        Raises
        ------
        OutputError
            If `path` exists (without `overwrite`) or cannot be written.
        """
        out = Path(path)
        with staging(out, overwrite, is_file=True) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file, record=np.array(json.dumps(self._record())), labels=self.labels
            )
        return out

    def _record(self) -> dict[str, Any]:
        from napari_gmff import __version__

        return {
            "program": PROGRAM,
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "version": __version__,
            "date": now_utc(),
            "source": {
                "name": self.target.source_name,
                "fingerprint": self.target.source_fingerprint,
            },
            "region": self.target.region,
            "times": self.target.times,
            "n_pixels": self.n_pixels,
        }


def load_corrections(path: str | Path) -> Corrections:
    """Read a file that `Corrections.save` wrote.

    Raises
    ------
    SourceError
        If the file cannot be read or holds no corrections.
    """
    import zipfile
    import zlib

    try:
        if not zipfile.is_zipfile(Path(path).resolve(strict=True)):
            raise ValueError("it is no .npz archive")
        with np.load(path, allow_pickle=False) as archive:
            return _corrections_of(json.loads(str(archive["record"])), archive["labels"])
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (AttributeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{path}: not a file of corrections ({error})") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"{path}: a damaged file of corrections ({error})") from None


def now_utc() -> str:
    """Return date and time for a record, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _corrections_of(record: dict[str, Any], labels: NDArray[Any]) -> Corrections:
    if record["program"] != PROGRAM or record["kind"] != KIND:
        raise ValueError(f"its record says {record['program']} {record['kind']}")
    if record["schema_version"] != SCHEMA_VERSION:
        raise ValueError(
            f"schema version must be {SCHEMA_VERSION}, got {record['schema_version']!r}"
        )
    if labels.dtype.kind != "u":
        raise ValueError(f"labels must be unsigned integers, got {labels.dtype}")
    target = CorrectionTarget(
        source_name=str(record["source"]["name"]),
        source_fingerprint=str(record["source"]["fingerprint"]),
        shape=labels.shape,
        region=_as_region(record["region"]),
        times=tuple(record["times"]),
    )
    return Corrections(labels, target)


def _as_region(value: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    if value is None:
        return None
    (top, bottom), (left, right) = value
    return (int(top), int(bottom)), (int(left), int(right))


def _part(target: CorrectionTarget) -> str:
    times = ", ".join(map(str, target.times))
    if target.region is None:
        where = "the whole image"
    else:
        (top, bottom), (left, right) = target.region
        where = f"the region {top}:{bottom},{left}:{right}"
    return f"{where} at time {times}"
