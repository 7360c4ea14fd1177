"""What a fusion gives: lazily read images with their geometry and provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_gmff.errors import ParameterError, SourceError
from napari_gmff.export.layout import Geometry, ImageSpec, has_generated
from napari_gmff.marks import NOT_MEASURED
from napari_gmff.params import DEFAULT_NAME, Format
from napari_gmff.restoration_result import RestorationResult
from napari_gmff.stored_images import StoredImages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import dask.array as da
    from numpy.typing import NDArray

    from napari_gmff.focus_curves import FocusCurves

__all__ = ["Format", "FusionResult", "Geometry", "ImageSpec", "open_fusion", "open_result"]

IMAGES_OF_CHOICE = ("focus_index", "depth", "confidence", "depth_unrefined")
"""Images that there are only where slices were chosen."""


@dataclass(eq=False)
class FusionResult(StoredImages):
    """The images of a fusion; see `StoredImages` for where they are.

    Attributes
    ----------
    curves : FocusCurves or None
        Recomputes scores from the stack; None for a result that was opened from disk, or has no
        scores, or those of `channel_curves`.
    channel_curves : tuple of FocusCurves
        The same for each channel, where each was focused by itself.
    """

    curves: FocusCurves | None = field(default=None, repr=False)
    channel_curves: tuple[FocusCurves, ...] = field(default=(), repr=False)

    def image(self, name: str, level: int = 0) -> da.Array:
        """Return one image, lazily; see `StoredImages.image`."""
        if name not in self.images and name in IMAGES_OF_CHOICE and not self.pixels_copied:
            raise ParameterError(f"image: there is no {name}, {self.why_no_choice}")
        return super().image(name, level)

    @property
    def pixels_copied(self) -> bool:
        """Whether every fused pixel equals a voxel of the source; a blend computes them."""
        return bool(self.provenance.get("pixels_copied", True))

    @property
    def is_per_channel(self) -> bool:
        """Whether each channel was focused by itself, so that maps have a C axis."""
        return any("c" in spec.axes for spec in self.images.values() if spec.kind == "index")

    @property
    def why_no_choice(self) -> str:
        """Why there is no focus index, depth or confidence; a part of a sentence."""
        engine = self.provenance.get("engine", "the engine")
        return f"{engine} computes pixels from all slices and chooses none of them"

    @property
    def focus_index(self) -> da.Array:
        """Number of the chosen slice, from 0; smallest unsigned dtype, axes (T)(C)YX.

        It has a C axis where each channel was focused by itself; a blend has none of the maps.
        """
        return self.image("focus_index")

    @property
    def depth(self) -> da.Array:
        """Depth in `depth_unit`; float32, axes (T)(C)YX, NaN where there is no data."""
        return self.image("depth")

    @property
    def depth_unrefined(self) -> da.Array | None:
        """Depth of the chosen slice, before refinement between slices; None if not kept."""
        return self.image("depth_unrefined") if "depth_unrefined" in self.images else None

    @property
    def confidence(self) -> da.Array:
        """Trust in the choice of slice; float32 from 0 to 1, axes (T)(C)YX."""
        return self.image("confidence")

    def focus_curve(
        self, y: int, x: int, time: int = 0, *, channel: int | None = None
    ) -> NDArray[np.float32]:
        """Return the scores of all fused slices at one pixel, by which its slice was chosen.

        Parameters
        ----------
        y, x : int
            Pixel of the result.
        time : int
            Time point of the result, from 0.
        channel : int, optional
            Channel of the source, from 0, where each was focused by itself; the first if left out.

        Returns
        -------
        ndarray, (N,), float32
            In slice order; the largest belongs to the slice in `focus_index`.

        Raises
        ------
        ParameterError
            If the pixel is outside, the channel has no choice of its own, the result is a blend, or
            it was opened from disk, without its stack.
        """
        if channel is None:
            return self._curves_or_error("focus curve").at(y, x, time)
        if not 0 <= channel < len(self.channel_curves):
            count = len(self.channel_curves)
            raise ParameterError(
                f"channel: one of the {count} that were focused by themselves, got {channel}"
            )
        return self.channel_curves[channel].at(y, x, time)

    def intensity_curve(self, y: int, x: int, time: int = 0) -> NDArray[Any]:
        """Return the source's intensities of all fused slices at one pixel.

        Parameters
        ----------
        y, x : int
            Pixel of the result.
        time : int
            Time point of the result, from 0.

        Returns
        -------
        ndarray, (C, N)
            Dtype of the source; channels as in `fused`, slices in order. At the slice in
            `focus_index` these are the fused pixel's values.

        Raises
        ------
        ParameterError
            If the pixel is outside, or the result was opened from disk, without its stack.
        SourceError
            If the stack cannot be read.
        """
        return self._curves_or_error("intensity curve").pixels.column(y, x, time)

    def _curves_or_error(self, what: str) -> FocusCurves:
        if not self.pixels_copied:
            raise ParameterError(f"{what}: there is none, {self.why_no_choice}")
        curves = self.curves or next(iter(self.channel_curves), None)
        if curves is None:
            raise ParameterError(
                f"{what}: {self.store_path.name} was opened from disk; fuse the stack again"
            )
        return curves

    @property
    def depth_unit(self) -> str:
        """``"µm"``, or ``"slice"`` where the step between slices is unknown, or depth is."""
        return "slice" if "depth" not in self.images else self.images["depth"].unit or "slice"

    @property
    def z_positions(self) -> NDArray[np.float64] | None:
        """Position of every used slice in µm, in slice order; None where unknown."""
        positions = self.provenance.get("slices", {}).get("z_um")
        return None if positions is None else np.asarray(positions, dtype=np.float64)

    def save(
        self,
        path: str | Path,
        *,
        format: Format = "ome-zarr",
        overwrite: bool = False,
        depth_min_confidence: float | None = None,
        images: Collection[str] | None = None,
        shard_px: Literal["auto"] | int | None = None,
    ) -> Path:
        """Write the result; see `StoredImages.save`.

        Parameters
        ----------
        path, format, overwrite, images, shard_px
            As there. Confidence comes with depth, and the mask of corrections with everything.
        depth_min_confidence : float, optional
            Depth becomes NaN where confidence, from 0 to 1, is lower; the parameter of the run
            where left out.

        Returns
        -------
        Path
            The folder written.

        Raises
        ------
        OutputError, ParameterError
            As there, and if there is no depth to mark.
        """
        from napari_gmff.export.saving import save_result

        if depth_min_confidence is not None and not self.pixels_copied:
            raise ParameterError(f"depth_min_confidence: there is no depth, {self.why_no_choice}")
        return save_result(
            self,
            Path(path),
            format,
            overwrite,
            depth_min_confidence=depth_min_confidence,
            images=images,
            shard_px=shard_px,
        )

    def append_to(
        self,
        path: str | Path,
        *,
        name: str = DEFAULT_NAME,
        series: int = 0,
        overwrite: bool = False,
    ) -> Path:
        """Append the result to the OME-Zarr that the stack was read from.

        All images become a group ``gmff/<name>`` of it, which is a result that `open_result`
        opens, and the focus index also a label image ``labels/<name>_focus_index``, in which 0 is
        what was not fused and k + 1 means slice k. Of what is there nothing but the list of labels
        changes.

        Parameters
        ----------
        path : str or Path
            Folder of an OME-Zarr 0.4 or 0.5, whose version the result takes.
        name : str
            Of the result; letters, digits, ``_``, ``-`` and ``.``.
        series : int
            Which image of the OME-Zarr, where it has several.
        overwrite : bool
            Replace an earlier result of that name; nothing else is ever replaced.

        Returns
        -------
        Path
            Folder of the result.

        Raises
        ------
        OutputError
            If `path` is no such OME-Zarr, has another size than the stack, has something of that
            name, or cannot be written. It is then as it was.
        ParameterError
            If `name` cannot be the name of a folder.
        """
        from napari_gmff.export.appending import place_in

        return place_in(path, name=name, series=series, overwrite=overwrite).append(self)

    def close(self) -> None:
        """Delete a temporary store; a saved result stays."""
        for curves in (self.curves, *self.channel_curves):
            if curves is not None:
                curves.close()
        super().close()


def open_result(path: str | Path) -> FusionResult | RestorationResult:
    """Open a saved OME-Zarr result, 0.4 or 0.5, lazily.

    Parameters
    ----------
    path : str or Path
        Folder that `StoredImages.save`, ``napari-gmff fuse`` or ``napari-gmff restore`` wrote.

    Returns
    -------
    FusionResult or RestorationResult
        The latter where a generative model made some of its images. Closing it leaves the files
        alone.

    Raises
    ------
    SourceError
        If the folder is not an OME-Zarr result of this program.
    """
    from napari_gmff.provenance import read_saved_attributes

    root = Path(path)
    values = read_saved_attributes(root)
    if "result" in values:
        raise SourceError(f"{root}: is the label image of a result, which is {values['result']}")
    try:
        specs = [ImageSpec.from_json(image) for image in values["images"]]
        images = {spec.name: spec for spec in specs}
        record = dict(values["provenance"])
        kind = kind_of_result(images, record)
        return kind(images, Geometry.from_json(values["geometry"]), record, root)
    except (KeyError, TypeError, ParameterError) as error:
        raise SourceError(f"{root}: not a complete result of napari-gmff ({error})") from None


def kind_of_result(
    images: Iterable[str], provenance: Mapping[str, Any]
) -> type[FusionResult] | type[RestorationResult]:
    """Return the class of a result by the names of its images and its record."""
    return RestorationResult if has_generated(images, provenance) else FusionResult


def open_fusion(path: str | Path) -> FusionResult:
    """Open a saved OME-Zarr result that must hold measured pixels; see `open_result`.

    Raises
    ------
    SourceError
        Also if it is a restored image.
    """
    result = open_result(path)
    if not isinstance(result, FusionResult):
        raise SourceError(f"{path}: {NOT_MEASURED}; open the fusion that it was made from")
    return result
