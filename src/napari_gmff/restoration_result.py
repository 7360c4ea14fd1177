"""What a restoration gives: generated images beside the fused one, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_gmff.marks import NOT_MEASURED, RESTORATION_KEY
from napari_gmff.stored_images import StoredImages

if TYPE_CHECKING:
    import dask.array as da

_OF_A_FUSION = (
    "append_to",
    "confidence",
    "depth",
    "depth_unit",
    "depth_unrefined",
    "focus_curve",
    "focus_index",
    "intensity_curve",
    "is_per_channel",
    "z_positions",
)


@dataclass(eq=False)
class RestorationResult(StoredImages):
    """The images of a restoration; see `StoredImages` for where they are.

    It is no fusion: it has no focus index, depth or confidence, and what measures refuses it. Its
    record is that of the fusion with the key ``restoration``.
    """

    @property
    def restored(self) -> da.Array:
        """Restored image, of the first seed; axes, dtype and channels as `fused`.

        Outside `mask` it equals `fused` bit for bit. Inside, a model invented the pixels.
        """
        return self.image("restored")

    @property
    def restored_mean(self) -> da.Array | None:
        """Mean over all seeds, as `restored`; None where there was one seed."""
        return self._image_or_none("restored_mean")

    @property
    def mask(self) -> da.Array:
        """1 where pixels may differ from `fused`, else 0; uint8, axes (T)YX."""
        return self.image("restoration_mask")

    @property
    def difference(self) -> da.Array:
        """Restored − fused in grey levels; float32, axes as `fused`."""
        return self.image("difference")

    @property
    def abs_difference(self) -> da.Array:
        """|restored − fused| in grey levels; float32, axes as `fused`."""
        return self.image("abs_difference")

    @property
    def spread(self) -> da.Array | None:
        """Standard deviation over the seeds in grey levels; float32, axes as `fused`.

        It is the spread of the model, not an error bar: all seeds may agree on what is wrong.
        None where there was one seed.
        """
        return self._image_or_none("spread")

    @property
    def contradiction(self) -> da.Array | None:
        """How far the restored image contradicts the slices; float32, axes (T)YX.

        In standard deviations of the slices' noise, beyond what the fused image does; None where
        the stack was not at hand.
        """
        return self._image_or_none("contradiction")

    @property
    def restoration(self) -> dict[str, Any]:
        """How the image was restored: model, parameters, seeds, what it changed."""
        return dict(self.provenance.get(RESTORATION_KEY, {}))

    @property
    def changed_share(self) -> float:
        """Share of the pixels, from 0 to 1, that differ from `fused`; of all time points."""
        return float(self.restoration["changed_share"])

    @property
    def pixels_copied(self) -> bool:
        """Whether every pixel is a measured one: never, of a restoration."""
        return False

    def save_previews(
        self,
        path: str | Path,
        *,
        format: Literal["png", "jpeg"] = "png",
        longest_px: int = 2048,
        overwrite: bool = False,
        corner_mark: bool = True,
    ) -> list[Path]:
        """Write pictures of restored and fused image, difference, spread and contradiction.

        Parameters
        ----------
        path, format, longest_px, overwrite
            As for `StoredImages.save_previews`. What a model made is called
            ``moth.ai-restored.png``, and says so in its caption, its texts and its digital source
            type of IPTC.
        corner_mark : bool
            Also burn the mark into a corner of these pictures, where it stays when the caption is
            cut off.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        OutputError, ParameterError
            As for `StoredImages.save_previews`.
        """
        from napari_gmff.export.previews import PREVIEWED_RESTORED, write_previews

        return write_previews(
            self,
            path,
            format=format,
            longest_px=longest_px,
            overwrite=overwrite,
            names=PREVIEWED_RESTORED,
            corner_mark=corner_mark,
        )

    # Else checkers of types would let every name pass.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say why a restoration has nothing of what only a fusion has."""
            if name in _OF_A_FUSION:
                raise AttributeError(
                    f"{name}: a restoration has none, {NOT_MEASURED}; ask the fusion it was made "
                    "from"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _image_or_none(self, name: str) -> da.Array | None:
        return self.image(name) if name in self.images else None
