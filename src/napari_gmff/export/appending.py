"""Append a result to an OME-Zarr that is there already, such as the stack it was made from.

Nothing that is there is changed but the list of labels, and that last of all: the images become a
group ``gmff/<name>`` of the image, laid out like any other result, and the focus index a label
image. A program that was stopped half-way leaves a valid OME-Zarr behind.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_gmff.errors import OutputError, ParameterError, SourceError
from napari_gmff.export.atomic import check_output, staging, translate_os_errors
from napari_gmff.export.label_image import LabelPlace, list_label, write_label
from napari_gmff.export.saving import layout_of, write_zarr
from napari_gmff.marks import NOT_MEASURED, is_restored
from napari_gmff.params import DEFAULT_NAME
from napari_gmff.reading.addresses import is_remote
from napari_gmff.reading.ome_zarr import image_names, is_zarr
from napari_gmff.reading.ome_zarr_metadata import Multiscale, multiscale_of, ome_attributes

if TYPE_CHECKING:
    from napari_gmff.export.zarr_arrays import OmeVersion
    from napari_gmff.results import FusionResult

GROUP = "gmff"
"""Name of the group of an image that holds results."""


@dataclass(frozen=True)
class AppendPlace:
    """Where in an OME-Zarr a result goes.

    Attributes
    ----------
    folder : Path
        Of the image: the OME-Zarr itself, or one of its series.
    image : Multiscale
        What the image says of itself.
    name : str
        Of the result.
    overwrite : bool
        Replace a result of this name.
    """

    folder: Path
    image: Multiscale
    name: str
    overwrite: bool

    @property
    def result_folder(self) -> Path:
        """Folder of the result."""
        return self.folder / GROUP / self.name

    @property
    def label_folder(self) -> Path:
        """Folder of the label image."""
        return self.folder / "labels" / f"{self.name}_focus_index"

    @property
    def version(self) -> OmeVersion:
        """Version of OME-Zarr, that of the image."""
        return "0.4" if self.image.version == "0.4" else "0.5"

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of each level of the image, finest first; axes as in ``image.axes``."""
        return [tuple(self.image.group[path].shape) for path in self.image.paths]  # type: ignore[union-attr]

    def check_stack(self, axes: str, shape: Sequence[int]) -> None:
        """Check that this image is the stack that was fused, or one of its size.

        Parameters
        ----------
        axes : str
            Of the stack, such as ``"TCZYX"``.
        shape : sequence of int
            Length of each axis.

        Raises
        ------
        OutputError
            If it has other planes.
        """
        mine = _planes("".join(axis.upper() for axis, _ in self.image.axes), self.shapes[0])
        its = _planes(axes, shape)
        if mine != its:
            raise OutputError(
                f"{self.folder}: a result is appended to the stack it was made from, of {its[0]} "
                f"planes of {its[2]}×{its[1]} px; this image has {mine[0]} of {mine[2]}×{mine[1]}"
            )

    def append(self, result: FusionResult) -> Path:
        """Write a result; see `FusionResult.append_to`.

        Raises
        ------
        OutputError
            Also for a restoration: what a model invented is kept apart from what was measured.
        """
        if is_restored(result.provenance):
            raise OutputError(
                f"{self.folder}: {NOT_MEASURED}; a restoration is saved as a result of its own, "
                "apart from the stack"
            )
        source = result.provenance["source"]
        self.check_stack(source["axes"], source["shape"])
        has_label = "focus_index" in result.images
        with translate_os_errors(self.folder), self._taken_back_if_it_fails():
            self._make_groups(has_label)
            with staging(self.result_folder, self.overwrite) as new:
                write_zarr(result, new, layout_of(result, self.version))
                if has_label:
                    with staging(self.label_folder, self.overwrite) as label:
                        write_label(result, label, self._label_place())
            if has_label:
                list_label(self.label_folder, self.version)
        return self.result_folder

    def _label_place(self) -> LabelPlace:
        own = f"../../{GROUP}/{self.name}"
        return LabelPlace(self.image, self.version, self.shapes, own, self.label_folder.name)

    def _make_groups(self, has_label: bool) -> None:
        """Make the folders above result and label; that of labels is no group until it lists."""
        above = self.result_folder.parent
        if not above.exists():
            above.mkdir()
            file, text = (
                (".zgroup", '{"zarr_format": 2}')
                if self.version == "0.4"
                else ("zarr.json", '{"zarr_format": 3, "node_type": "group", "attributes": {}}')
            )
            (above / file).write_text(text + "\n", encoding="utf-8")
        if has_label:
            self.label_folder.parent.mkdir(exist_ok=True)

    @contextmanager
    def _taken_back_if_it_fails(self) -> Iterator[None]:
        """Delete what is new where something goes wrong, whatever it is."""
        wanted = (*self.result_folder.parents[:1], *self.label_folder.parents[:1])
        fresh = [path for path in (*wanted, self.result_folder, self.label_folder)
                 if not path.exists()]  # fmt: skip
        try:
            yield
        except BaseException:
            for path in fresh:
                shutil.rmtree(path, ignore_errors=True)
            raise


def place_in(
    target: str | Path, *, name: str = DEFAULT_NAME, series: int = 0, overwrite: bool = False
) -> AppendPlace:
    """Find the place of a result in an OME-Zarr, and check that it may be written.

    Parameters
    ----------
    target : str or Path
        Folder of an OME-Zarr 0.4 or 0.5.
    name : str
        Of the result.
    series : int
        Which of its images, where there are several.
    overwrite : bool
        Replace an earlier result of this program of that name.

    Raises
    ------
    OutputError
        If it is remote, no OME-Zarr 0.4 or 0.5, cannot be written, or has something of that name.
    ParameterError
        If `name` cannot be the name of a folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        raise ParameterError(
            f"name: up to 100 letters, digits, '_', '-' and '.', the first a letter or digit, "
            f"got {name!r}"
        )
    if is_remote(target):
        raise OutputError(f"{target}: results are appended to local folders, not to addresses")
    folder, image = _image_of(Path(target), series)
    if image.version not in ("0.4", "0.5"):
        raise OutputError(
            f"{folder}: results are appended to OME-Zarr 0.4 and 0.5, found {image.version}"
        )
    place = AppendPlace(folder, image, name, overwrite)
    above = [path for path in (place.result_folder.parent, place.label_folder.parent, folder)
             if path.exists()]  # fmt: skip
    for path in above:
        if not os.access(path, os.W_OK):
            raise OutputError(f"{path}: cannot be written (Permission denied)")
    for path in (place.result_folder, place.label_folder):
        if path.parent.is_dir():
            check_output(path, overwrite)
    return place


def consolidated_in(place: AppendPlace) -> Path | None:
    """Return a file above a result that repeats the metadata of all groups, None for none.

    Programs that read it do not see what was appended, until it is made anew.
    """
    for folder in (place.folder, place.folder.parent):
        if (folder / ".zmetadata").is_file():
            return folder / ".zmetadata"
        file = folder / "zarr.json"
        if file.is_file() and '"consolidated_metadata": {' in file.read_text(encoding="utf-8"):
            return file
    return None


def _image_of(root: Path, series: int) -> tuple[Path, Multiscale]:
    import zarr

    if not is_zarr(root):
        raise OutputError(f"{root}: results are appended to a folder that is an OME-Zarr")
    try:
        names = image_names(str(root))
        group = zarr.open_group(str(root), mode="r")
        if "multiscales" in ome_attributes(group):
            return root, multiscale_of(str(root), group)
        if series >= len(names):
            raise SourceError(f"{root}: series must be below {len(names)}, got {series}")
        inner = zarr.open_group(str(root / names[series]), mode="r")
        return root / names[series], multiscale_of(str(root / names[series]), inner)
    except SourceError:
        raise
    # zarr raises many kinds for arrays and damaged metadata.
    except Exception as error:
        raise OutputError(f"{root}: results are appended to an OME-Zarr image ({error})") from error


def _planes(axes: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the number of planes, their height and their width."""
    lengths = dict(zip(axes, shape, strict=True))
    count = 1
    for axis, length in lengths.items():
        count *= 1 if axis in "YXS" else length
    return count, lengths["Y"], lengths["X"]
