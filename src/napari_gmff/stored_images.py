"""Images in a Zarr store, with their geometry and record: what every result is."""

from __future__ import annotations

import shutil
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from napari_gmff.errors import ParameterError
from napari_gmff.export.layout import Geometry, ImageSpec
from napari_gmff.params import Format

if TYPE_CHECKING:
    from collections.abc import Collection

    import dask.array as da

__all__ = ["Format", "Geometry", "ImageSpec", "StoredImages"]


@dataclass(eq=False)
class StoredImages:
    """Images read lazily from the Zarr store they were written to.

    Attributes
    ----------
    images : dict of str to ImageSpec
        What the store holds, by name.
    geometry : Geometry
        Pixel size and origin of all images.
    provenance : dict
        How the result was made; see `napari_gmff.provenance.make_provenance`.
    store_path : Path
        Folder of the Zarr group that holds ``<image>/0`` and its pyramid levels.
    is_temporary : bool
        Whether the store is deleted by `close`, or at the latest when the result is forgotten.
    """

    images: dict[str, ImageSpec]
    geometry: Geometry
    provenance: dict[str, Any]
    store_path: Path
    is_temporary: bool = False
    _delete: weakref.finalize[Any, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Arrange that a temporary store never outlives the program."""
        if self.is_temporary:
            self._delete = weakref.finalize(
                self, shutil.rmtree, str(self.store_path), ignore_errors=True
            )

    def image(self, name: str, level: int = 0) -> da.Array:
        """Return one image, lazily.

        Parameters
        ----------
        name : str
            A key of `images`.
        level : int
            Pyramid level; 0 is full resolution, the only one of an unsaved result.

        Returns
        -------
        dask.array.Array
            Axes and dtype as in ``images[name]``.

        Raises
        ------
        ParameterError
            If the result has no such image or level, or was closed.
        """
        import dask.array as da
        import zarr

        if name not in self.images:
            raise ParameterError(f"image: one of {', '.join(self.images)}, got {name!r}")
        try:
            array = zarr.open_array(str(self.store_path / name / str(level)), mode="r")
        except FileNotFoundError:
            raise ParameterError(
                f"image {name} level {level} is not in {self.store_path.name}; "
                "a temporary result is gone once it is closed"
            ) from None
        lazy: da.Array = da.from_array(array, chunks=array.chunks)
        return lazy

    @property
    def fused(self) -> da.Array:
        """Fused image; dtype and channels of the source, axes ``images["fused"].axes``."""
        return self.image("fused")

    def save(
        self,
        path: str | Path,
        *,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        images: Collection[str] | None = None,
        shard_px: Literal["auto"] | int | None = None,
    ) -> Path:
        """Write the result; it appears under its name only when it is complete.

        Parameters
        ----------
        path : str or Path
            Folder to write, such as ``result.ome.zarr``.
        format : {"ome-zarr", "ome-zarr-0.4", "ome-tiff", "imagej"}
            OME-Zarr 0.5, OME-Zarr 0.4, a folder of pyramidal OME-TIFF files, or a folder of the
            TIFF files that ImageJ opens without plugins.
        overwrite : bool
            Replace an earlier result of this program; nothing else is ever replaced.
        images : collection of str, optional
            Write only those of these images that there are, and what they cannot be understood
            without; all where left out.
        shard_px : "auto" or int, optional
            Side of the files of an OME-Zarr 0.5, a multiple of 512, or 0 for one file for each
            chunk; the parameter of the run where left out. See `FuseParams`.

        Returns
        -------
        Path
            The folder written.

        Raises
        ------
        OutputError
            If `path` exists (without `overwrite`), is no result of ours, or cannot be written.
        ParameterError
            If `format` is none of these, cannot have shards that are asked for, or the result
            has none of `images`.
        """
        from napari_gmff.export.saving import save_result

        return save_result(self, Path(path), format, overwrite, images=images, shard_px=shard_px)

    def save_previews(
        self,
        path: str | Path,
        *,
        format: Literal["png", "jpeg"] = "png",
        longest_px: int = 2048,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write pictures of the images that people look at.

        Below each is a footer with a scale bar and, for maps, what the colours mean. Of several
        time points the first is shown. Files name their scale and the record of the run.

        Parameters
        ----------
        path : str or Path
            Where the result is, or would be: beside ``moth.ome.zarr`` lies ``moth.fused.png``.
        format : {"png", "jpeg"}
            Of the files.
        longest_px : int
            Longest side of the pictures without footer, from 64 to 16384.
        overwrite : bool
            Replace files of these names.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        OutputError
            If a file exists (without `overwrite`) or cannot be written.
        ParameterError
            If there is no such format or size.
        """
        from napari_gmff.export.previews import write_previews

        return write_previews(self, path, format=format, longest_px=longest_px, overwrite=overwrite)

    def close(self) -> None:
        """Delete a temporary store; a saved result stays."""
        if self._delete is not None:
            self._delete()

    def __enter__(self) -> Self:
        """Use the result in a ``with`` block that closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the result."""
        self.close()
