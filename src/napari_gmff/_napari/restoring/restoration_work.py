"""What a restoration does in its thread: weights, the run, and the pixels for the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_gmff._napari.common.called_steps import CallProgress
from napari_gmff._napari.layers.restored_layers import limits_of
from napari_gmff._napari.layers.result_layers import SHOWN_RESTORED
from napari_gmff._napari.layers.result_sets import ResultSet
from napari_gmff._napari.layers.saved_fusions import SavedFusion
from napari_gmff._napari.layers.saved_results import SavedSet
from napari_gmff._napari.restoring.stack_at_hand import stack_among
from napari_gmff.live_images import LiveImages
from napari_gmff.results import FusionResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_gmff._napari.common.generator_run import Steps
    from napari_gmff._napari.layers.saved_fusions import Fusion
    from napari_gmff._napari.layers.stack_views import StackView
    from napari_gmff._napari.restoring.restoration_parts import RestorationParts
    from napari_gmff.reading.stack import FocusStack
    from napari_gmff.restoration.params import RestoreParams
    from napari_gmff.restoration_result import RestorationResult


@dataclass(frozen=True)
class Restored:
    """A restoration that is ready to be shown.

    Attributes
    ----------
    result : RestorationResult
        On disk.
    images : LiveImages
        The images that are shown, in memory.
    limits : dict of str to tuple of float
        What is shown as dark and bright.
    """

    result: RestorationResult
    images: LiveImages
    limits: dict[str, tuple[float, float]]

    def close(self) -> None:
        """Delete the result."""
        self.result.close()


def restoration_steps(
    parts: RestorationParts,
    fusion: Fusion,
    params: RestoreParams,
    mask: NDArray[np.bool_] | None,
    views: Sequence[StackView] = (),
) -> Steps:
    """Restore a fusion; all of it is for a thread.

    Parameters
    ----------
    parts : RestorationParts
        Loads the model and runs it.
    fusion : ResultSet or SavedFusion
        What is restored.
    params : RestoreParams
        All parameters.
    mask : ndarray, optional
        Painted, axes (T)YX; that of low confidence where left out.
    views : sequence of StackView
        What may be the stack of a fusion that was opened from disk; with it the slices are
        compared.

    Yields
    ------
    progress
        With ``stage``, ``done`` and ``total``.

    Returns
    -------
    Restored
        To be closed by the receiver.
    """
    yield CallProgress("load", 0, 0)
    restorer = parts.load_restorer(params)
    with stored(fusion) as result, stack_behind(fusion, views) as stack:
        made = yield from parts.restore(result, restorer, params, stack, mask)
    try:
        images = shown_pixels(made)
        return Restored(made, images, limits_of(images))
    except BaseException:
        made.close()
        raise


def shown_pixels(result: RestorationResult) -> LiveImages:
    """Read the images that become layers into memory."""
    names = [name for name in SHOWN_RESTORED if name in result.images]
    saved = SavedSet(
        result.store_path,
        result.images,
        result.geometry,
        result.provenance,
        {name: [result.image(name)] for name in names},
    )
    live = LiveImages(result.images[name] for name in names)
    for name in names:
        for time, place, block in saved.iter_blocks(name):
            live.put(name, time, place, block)
    return live


def stack_behind(
    fusion: Fusion, views: Sequence[StackView]
) -> AbstractContextManager[FocusStack | None]:
    """Yield what was fused, None where it is not at hand."""
    if isinstance(fusion, ResultSet):
        return nullcontext(fusion.stack)
    return stack_among(views, fusion.result.provenance)


@contextmanager
def stored(fusion: Fusion) -> Iterator[FusionResult]:
    """Yield the complete result of a fusion; a copy that was made for this is deleted again."""
    if not isinstance(fusion, SavedFusion):
        yield fusion.result
        return
    with fusion.saved.as_result() as result:
        assert isinstance(result, FusionResult)
        yield result
